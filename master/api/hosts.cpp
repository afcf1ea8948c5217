// /methos/v1/hosts: the machines, and what operators do with them.
#include "master/api/handlers.hpp"
#include "master/api/print.hpp"

#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

constexpr Duration drain_time_max = std::chrono::hours(24 * 30);
constexpr std::int64_t drain_at_once_max = 100'000;

/// Throws NotFound.
HostNumber find_host(const ApiContext& context, const http::Request& request) {
    const HostId id(request.params.at("id"));
    const auto* host = context.shell.heart().cluster().find_host(id);
    if (host == nullptr) {
        throw Failure(Code::NotFound, "there is no host with id " + id.value);
    }
    return host->number;
}

awaitable<http::Response> list_hosts(ApiContext& context, http::Request /*request*/) {
    json document;
    document["hosts"] = json::array();
    for (const auto& [number, host] : context.shell.heart().cluster().hosts()) {
        document["hosts"].push_back(print_host(host));
    }
    co_return co_await reply_when_durable(context, document);
}

json tasks_on(const cluster::Host& host, const heart::Heart& heart) {
    auto tasks = json::array();
    for (const auto number : host.tasks) {
        const auto& task = *heart.cluster().find_task(number);
        const auto spec = heart.cluster().find_spec(task.spec);
        tasks.push_back({{"id", task.name.value},
                         {"framework", task.framework},
                         {"app", spec->app},
                         {"state", std::string(to_string(task.state()))},
                         {"cpus", cpus_of(spec->resources.milli_cpus)},
                         {"mem", mb_of(spec->resources.mem_bytes)},
                         {"ports", task.host_ports},
                         {"message", task.message}});
        if (const auto* progress = task.image_progress(); progress != nullptr) {
            tasks.back()["image"] = print_image_progress(*progress);
        }
    }
    return tasks;
}

awaitable<http::Response> show_host(ApiContext& context, http::Request request) {
    const auto number = find_host(context, request);
    const auto& heart = context.shell.heart();
    const auto& host = *heart.cluster().find_host(number);
    json document;
    document["host"] = print_host(host);
    document["host"]["taskList"] = tasks_on(host, heart);
    if (host.duty == cluster::Duty::Draining) {
        auto& drain = document["host"]["drain"];
        const auto& terms = host.drain;
        drain["tasksLeft"] = host.tasks.size();
        drain["atOnce"] = terms.at_once;
        drain["deadline"] = terms.deadline.time_since_epoch().count() > 0
                                ? json(format_wall_time(terms.deadline))
                                : json(nullptr);
    }
    co_return co_await reply_when_durable(context, document);
}

/// A field of a drain's body as time: seconds as a number, or text such as "10m". Errors:
/// InvalidInput.
std::optional<Duration> read_time(const json& body, const char* name) {
    const auto field = body.find(name);
    if (field == body.end() || field->is_null()) {
        return std::nullopt;
    }
    Result<Duration> time = Error(Code::InvalidInput, "not a time");
    if (field->is_string()) {
        time = parse_duration(field->get_ref<const std::string&>());
    } else if (field->is_number() && field->get<double>() >= 0 && field->get<double>() < 1e9) {
        time = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(field->get<double>()));
    }
    if (!time || *time > drain_time_max) {
        throw Failure(Code::InvalidInput,
                      "/" + std::string(name) +
                          ": must be seconds, or a time such as \"10m\", of at most 30 days");
    }
    return *time;
}

cluster::DrainTerms read_drain(const http::Request& request, Now now) {
    cluster::DrainTerms terms;
    if (request.body.empty()) {
        return terms;
    }
    const auto body = read_body(request);
    if (!body.is_object()) {
        throw Failure(Code::InvalidInput, "the body must be a JSON object, or empty");
    }
    for (const auto& [name, value] : body.items()) {
        if (name != "grace" && name != "deadline" && name != "atOnce") {
            throw Failure(Code::InvalidInput,
                          "/" + name + ": unknown field; known are grace, deadline and atOnce");
        }
    }
    if (const auto grace = read_time(body, "grace")) {
        terms.grace_max = *grace;
    }
    if (const auto deadline = read_time(body, "deadline")) {
        terms.deadline =
            now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(*deadline);
    }
    if (const auto field = body.find("atOnce"); field != body.end()) {
        const bool legal = field->is_number_integer() && *field >= 1 && *field <= drain_at_once_max;
        if (!legal) {
            throw Failure(Code::InvalidInput, "/atOnce: must be a number of tasks, from 1 on");
        }
        terms.at_once = field->get<std::int64_t>();
    }
    return terms;
}

using Change = std::function<Result<void>(cluster::Cluster&, HostNumber, cluster::Step&)>;

awaitable<http::Response> change_host(ApiContext& context, http::Request request, Change change) {
    const auto number = find_host(context, request);
    Result<void> outcome = Error(Code::Internal, "the change was not made");
    std::function<void(heart::Heart&, cluster::Step&)> event =
        [&outcome, &change, number](heart::Heart& heart, cluster::Step& step) {
            outcome = change(heart.cluster(), number, step);
        };
    co_await context.shell.change(std::move(event));
    if (!outcome) {
        throw Failure(outcome.error());
    }
    json document;
    const auto* host = context.shell.heart().cluster().find_host(number);
    if (host != nullptr) {
        document["host"] = print_host(*host);
    }
    co_return reply(document);
}

awaitable<http::Response> cordon(ApiContext& context, http::Request request) {
    Change change = [](cluster::Cluster& cluster, HostNumber host, cluster::Step& step) {
        return cluster.cordon(host, step);
    };
    return change_host(context, std::move(request), std::move(change));
}

awaitable<http::Response> uncordon(ApiContext& context, http::Request request) {
    Change change = [](cluster::Cluster& cluster, HostNumber host, cluster::Step& step) {
        return cluster.uncordon(host, step);
    };
    return change_host(context, std::move(request), std::move(change));
}

awaitable<http::Response> drain(ApiContext& context, http::Request request) {
    const auto terms = read_drain(request, context.shell.now());
    Change change = [terms](cluster::Cluster& cluster, HostNumber host, cluster::Step& step) {
        return cluster.drain(host, terms, step);
    };
    return change_host(context, std::move(request), std::move(change));
}

awaitable<http::Response> mark_gone(ApiContext& context, http::Request request) {
    Change change = [](cluster::Cluster& cluster, HostNumber host, cluster::Step& step) {
        return cluster.mark_gone(host, step);
    };
    return change_host(context, std::move(request), std::move(change));
}

} // namespace

void add_host_routes(http::Router& router, ApiContext& context) {
    static constexpr ApiRoute routes[] = {
        {"GET", "/methos/v1/hosts", list_hosts},
        {"GET", "/methos/v1/hosts/{id}", show_host},
        {"POST", "/methos/v1/hosts/{id}/cordon", cordon},
        {"POST", "/methos/v1/hosts/{id}/uncordon", uncordon},
        {"POST", "/methos/v1/hosts/{id}/drain", drain},
        {"POST", "/methos/v1/hosts/{id}/gone", mark_gone},
    };
    add_routes(router, context, routes);
}

} // namespace methos::master
