// /methos/v1/roles, /weights and /quota: what operators set for roles, and what roles have.
#include "master/api/handlers.hpp"

#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace methos::master {

namespace {

using cluster::RoleSettings;
using nlohmann::json;

constexpr std::size_t role_name_bytes_max = 255;
constexpr double weight_max = 1e6;

/// The role a path names, by Mesos's rules. Throws InvalidInput.
std::string role_of(const http::Request& request) {
    const auto& role = request.params.at("role");
    const bool legal = !role.empty() && role.size() <= role_name_bytes_max && role != "." &&
                       role != ".." && role.front() != '-' &&
                       std::none_of(role.begin(), role.end(), [](unsigned char c) {
                           return c <= ' ' || c == 0x7f || c == '\\';
                       });
    if (!legal) {
        throw Failure(Code::InvalidInput,
                      "a role must have no blanks or backslashes, not begin with '-', and be no "
                      "longer than 255 bytes");
    }
    return role;
}

json print_quota(const RoleSettings& settings) {
    json quota = json::object();
    if (settings.milli_cpus_max) {
        quota["cpus"] = cpus_of(*settings.milli_cpus_max);
    }
    if (settings.mem_bytes_max) {
        quota["mem"] = mb_of(*settings.mem_bytes_max);
    }
    if (settings.disk_bytes_max) {
        quota["disk"] = mb_of(*settings.disk_bytes_max);
    }
    if (settings.gpus_max) {
        quota["gpus"] = *settings.gpus_max;
    }
    return quota;
}

json print_role(const std::string& role, const cluster::Shares& shares) {
    const auto& settings = shares.role(role);
    const auto has = shares.charged_to_role(role);
    return {{"role", role},
            {"weight", settings.weight},
            {"quota", print_quota(settings)},
            {"preemption", settings.preemption},
            {"placement", settings.placement == cluster::Placement::Binpack ? "binpack" : "spread"},
            {"share", shares.role_share(role)},
            {"allocated",
             {{"cpus", cpus_of(has.milli_cpus)},
              {"mem", mb_of(has.mem_bytes)},
              {"disk", mb_of(has.disk_bytes)},
              {"gpus", has.gpus}}}};
}

double read_weight(const json& value) {
    const double weight = value.is_number() ? value.get<double>() : 0;
    if (!(weight > 0) || weight > weight_max) {
        throw Failure(Code::InvalidInput, "/weight: must be a number above 0, at most 1000000");
    }
    return weight;
}

template <class Convert>
std::optional<std::int64_t> read_limit(const json& quota, const char* name, Convert convert) {
    const auto field = quota.find(name);
    if (field == quota.end() || field->is_null()) {
        return std::nullopt;
    }
    if (field->is_number()) {
        if (const Result<std::int64_t> limit = convert(field->template get<double>())) {
            return *limit;
        }
    }
    throw Failure(Code::InvalidInput,
                  "/quota/" + std::string(name) + ": must be a number that is not negative");
}

Result<std::int64_t> whole(double gpus) {
    if (!(gpus >= 0) || gpus > 1e6 || std::floor(gpus) != gpus) {
        return Error(Code::InvalidInput, "not a whole number");
    }
    return static_cast<std::int64_t>(gpus);
}

void read_quota(const json& quota, RoleSettings& settings) {
    if (!quota.is_object()) {
        throw Failure(Code::InvalidInput, "/quota: must be an object of cpus, mem, disk and gpus");
    }
    for (const auto& [name, value] : quota.items()) {
        if (name != "cpus" && name != "mem" && name != "disk" && name != "gpus") {
            throw Failure(Code::InvalidInput,
                          "/quota/" + name + ": unknown; limits are for cpus, mem, disk and gpus");
        }
    }
    settings.milli_cpus_max = read_limit(quota, "cpus", milli_cpus_of);
    settings.mem_bytes_max = read_limit(quota, "mem", bytes_of_mb);
    settings.disk_bytes_max = read_limit(quota, "disk", bytes_of_mb);
    settings.gpus_max = read_limit(quota, "gpus", whole);
}

void read_settings(const json& body, RoleSettings& settings) {
    if (!body.is_object()) {
        throw Failure(Code::InvalidInput, "the body must be a JSON object");
    }
    for (const auto& [name, value] : body.items()) {
        if (name == "weight") {
            settings.weight = read_weight(value);
        } else if (name == "quota") {
            read_quota(value, settings);
        } else if (name == "preemption" && value.is_boolean()) {
            settings.preemption = value.get<bool>();
        } else if (name == "placement" && (value == "spread" || value == "binpack")) {
            settings.placement =
                value == "binpack" ? cluster::Placement::Binpack : cluster::Placement::Spread;
        } else {
            throw Failure(Code::InvalidInput,
                          "/" + name +
                              ": unknown field or value; known are weight, quota, preemption (true "
                              "or false) and placement (\"spread\" or \"binpack\")");
        }
    }
}

awaitable<http::Response> save(ApiContext& context, std::string role, RoleSettings settings) {
    std::function<void(heart::Heart&, cluster::Step&)> event =
        [&role, &settings](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().set_role(role, settings, step);
        };
    co_await context.shell.change(std::move(event));
    co_return reply(print_role(role, context.shell.heart().cluster().shares()));
}

awaitable<http::Response> list_roles(ApiContext& context, http::Request /*request*/) {
    const auto& shares = context.shell.heart().cluster().shares();
    json document;
    auto& roles = document["roles"] = json::array();
    for (const auto& role : shares.roles()) {
        roles.push_back(print_role(role, shares));
    }
    co_return co_await reply_when_durable(context, document);
}

awaitable<http::Response> list_weights(ApiContext& context, http::Request /*request*/) {
    const auto& shares = context.shell.heart().cluster().shares();
    json document;
    auto& weights = document["weights"] = json::object();
    for (const auto& role : shares.roles()) {
        weights[role] = shares.role(role).weight;
    }
    co_return co_await reply_when_durable(context, document);
}

/// Roles without any limit are left out.
awaitable<http::Response> list_quota(ApiContext& context, http::Request /*request*/) {
    const auto& shares = context.shell.heart().cluster().shares();
    json document;
    auto& quotas = document["quota"] = json::object();
    for (const auto& role : shares.roles()) {
        if (auto quota = print_quota(shares.role(role)); !quota.empty()) {
            quotas[role] = std::move(quota);
        }
    }
    co_return co_await reply_when_durable(context, document);
}

RoleSettings settings_of(const ApiContext& context, const std::string& role) {
    return context.shell.heart().cluster().shares().role(role);
}

awaitable<http::Response> put_role(ApiContext& context, http::Request request) {
    const auto role = role_of(request);
    auto settings = settings_of(context, role);
    read_settings(read_body(request), settings);
    co_return co_await save(context, role, settings);
}

awaitable<http::Response> put_weight(ApiContext& context, http::Request request) {
    const auto role = role_of(request);
    auto settings = settings_of(context, role);
    const auto body = read_body(request);
    settings.weight =
        read_weight(body.is_object() && body.contains("weight") ? body.at("weight") : body);
    co_return co_await save(context, role, settings);
}

awaitable<http::Response> put_quota(ApiContext& context, http::Request request) {
    const auto role = role_of(request);
    auto settings = settings_of(context, role);
    read_quota(read_body(request), settings);
    co_return co_await save(context, role, settings);
}

awaitable<http::Response> delete_quota(ApiContext& context, http::Request request) {
    const auto role = role_of(request);
    auto settings = settings_of(context, role);
    read_quota(json::object(), settings);
    co_return co_await save(context, role, settings);
}

} // namespace

void add_role_routes(http::Router& router, ApiContext& context) {
    static constexpr ApiRoute routes[] = {
        {"GET", "/methos/v1/roles", list_roles},
        {"PUT", "/methos/v1/roles/{role*}", put_role},
        {"GET", "/methos/v1/weights", list_weights},
        {"PUT", "/methos/v1/weights/{role*}", put_weight},
        {"GET", "/methos/v1/quota", list_quota},
        {"PUT", "/methos/v1/quota/{role*}", put_quota},
        {"DELETE", "/methos/v1/quota/{role*}", delete_quota},
    };
    add_routes(router, context, routes);
}

} // namespace methos::master
