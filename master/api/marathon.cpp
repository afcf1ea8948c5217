// /v2: the part of Marathon's API that this version has. Shapes and codes are Marathon's, so that
// its clients work unmodified; docs/compatibility.md lists what is there.
#include "master/api/marathon_replies.hpp"
#include "master/api/print.hpp"
#include "master/api/versions.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace methos::master {

namespace {

using nlohmann::json;
using services::ApiResult;
using services::Changed;
using Existing = services::Services::Existing;

constexpr std::size_t definition_bytes_max = 2 * 1024 * 1024;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

/// `cmd` and `id` filters are case-insensitive "contains".
bool contains(const std::string& text, const std::optional<std::string>& part) {
    return !part || lower(text).find(lower(*part)) != std::string::npos;
}

bool embeds(const http::Request& request, const std::string& what) {
    const auto values = request.query_values("embed");
    return std::any_of(values.begin(), values.end(), [&](const std::string& value) {
        return value == what || value == "app." + what || value == "apps." + what;
    });
}

awaitable<http::Response> list_apps(ApiContext& context, http::Request request) {
    if (request.query_value("label")) {
        throw Failure(Code::Unimplemented,
                      "label selectors are not available in this version of Methos");
    }
    const auto& heart = context.shell.heart();
    const AppParts parts{embeds(request, "tasks"),
                         embeds(request, "lastTaskFailure") || embeds(request, "failures")};
    const auto id = request.query_value("id");
    const auto cmd = request.query_value("cmd");
    auto apps = json::array();
    for (const auto& [app_id, app] : heart.services().apps()) {
        const bool asked_for =
            contains(app_id.value, id) && contains(app.definition.cmd.value_or(""), cmd);
        if (!app.deleting && asked_for) {
            apps.push_back(print_app(app, heart, parts, Dialect::Marathon));
        }
    }
    json document;
    document["apps"] = std::move(apps);
    auto response = reply(200, document);
    co_await context.shell.committed();
    co_return response;
}

/// A created app as it was accepted: what happens to it afterwards is for the next GET.
json created_document(const services::App& app, const heart::Heart& heart, const Changed& changed) {
    const AppParts everything{true, false};
    auto document = print_app(app, heart, everything, Dialect::Marathon);
    for (const auto* count : {"tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy"}) {
        document[count] = 0;
    }
    document["tasks"] = json::array();
    document["version"] = changed.version;
    json deployment;
    deployment["id"] = changed.deployment;
    document["deployments"] = json::array();
    document["deployments"].push_back(std::move(deployment));
    return document;
}

awaitable<http::Response> create_app(ApiContext& context, http::Request request) {
    auto definition = services::parse_app(request.body);
    if (!definition) {
        co_return reply(definition.error());
    }
    const RequestId id(request.request_id);
    std::optional<ApiResult<Changed>> changed;
    json document;
    std::function<void(heart::Heart&, cluster::Step&)> event = [&](heart::Heart& heart,
                                                                   cluster::Step& step) {
        changed = heart.services().put(*definition, Existing::Refuse, id, step);
        if (*changed) {
            // Printed now: while the disk is waited for, others may change the app, or remove it.
            const auto& app = heart.services().apps().at((*changed)->app);
            document = created_document(app, heart, **changed);
        }
    };
    co_await context.shell.change(std::move(event));
    if (!*changed) {
        co_return reply(changed->error());
    }
    auto response = reply(201, document);
    response.headers.set("Location", "/v2/apps" + (*changed)->app.value);
    name_deployment(response, **changed);
    co_return response;
}

awaitable<http::Response> show_app(ApiContext& context, http::Request request) {
    const auto id = app_id_of(request);
    const auto& heart = context.shell.heart();
    const auto* app = heart.services().find(id);
    http::Response response;
    if (app == nullptr) {
        response = no_such_app(id);
    } else {
        const AppParts everything{true, true};
        json document;
        document["app"] = print_app(*app, heart, everything, Dialect::Marathon);
        response = reply(200, document);
    }
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> update_app(ApiContext& context, http::Request request) {
    const auto id = app_id_of(request);
    const auto document = services::parse_document(request.body);
    if (!document) {
        co_return reply(document.error());
    }
    const auto rollback = services::rollback_version(*document);
    if (!rollback) {
        co_return reply(rollback.error());
    }
    const RequestId request_id(request.request_id);
    if (*rollback) {
        WallTime version;
        (void)parse_wall_time(**rollback, version); // it is in that form already
        AppChange back = [id, version, request_id](services::Services& services,
                                                   cluster::Step& step) {
            return services.roll_back(id, version, request_id, step);
        };
        co_return co_await change_app(context, std::move(back));
    }
    const auto* app = context.shell.heart().services().find(id);
    services::ParseOptions options;
    options.id = id.value;
    if (app != nullptr && request.query_flag("partialUpdate", true)) {
        options.base = &app->definition;
    }
    auto definition = services::parse_app(*document, options);
    if (!definition) {
        co_return reply(definition.error());
    }
    AppChange change = [&definition, &request_id](services::Services& services,
                                                  cluster::Step& step) {
        return services.put(*definition, Existing::Replace, request_id, step);
    };
    co_return co_await change_app(context, std::move(change));
}

awaitable<http::Response> delete_app(ApiContext& context, http::Request request) {
    AppChange change = [id = app_id_of(request), by = RequestId(request.request_id)](
                           services::Services& services, cluster::Step& step) {
        return services.remove(id, by, step);
    };
    co_return co_await change_app(context, std::move(change));
}

awaitable<http::Response> app_tasks(ApiContext& context, http::Request request) {
    const auto id = app_id_of(request);
    const auto& heart = context.shell.heart();
    const auto* app = heart.services().find(id);
    http::Response response;
    if (app == nullptr) {
        response = no_such_app(id);
    } else {
        json document;
        document["tasks"] = print_tasks(*app, heart, Dialect::Marathon);
        response = reply(200, document);
    }
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> all_tasks(ApiContext& context, http::Request request) {
    auto wanted = request.query_values("status");
    const auto more = request.query_values("status[]");
    wanted.insert(wanted.end(), more.begin(), more.end());
    const auto asked_for = [&wanted](TaskState state) {
        bool known = false;
        for (const auto& status : wanted) {
            if (status == "running" || status == "staging") {
                known = true;
                const bool staged = state == TaskState::Staging || state == TaskState::Starting;
                if (status == "running" ? state == TaskState::Running : staged) {
                    return true;
                }
            }
        }
        return !known; // an unknown value is ignored, as Marathon does
    };
    const auto& heart = context.shell.heart();
    json document;
    document["tasks"] = json::array();
    for (const auto& [id, app] : heart.services().apps()) {
        for (const auto number : app.tasks) {
            const auto* task = heart.cluster().find_task(number);
            if (asked_for(task->state())) {
                document["tasks"].push_back(print_task(*task, app, heart, Dialect::Marathon));
            }
        }
    }
    auto response = reply(200, document);
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> info(ApiContext& context, http::Request /*request*/) {
    auto leader = context.http_address;
    const bool tls = leader.rfind("https://", 0) == 0;
    if (const auto scheme = leader.find("://"); scheme != std::string::npos) {
        leader.erase(0, scheme + 3);
    }
    leader.erase(std::min(leader.size(), leader.find('/')));
    const auto address = parse_host_port(leader);
    json document;
    document["name"] = "methos";
    document["version"] = "1.11.0"; // of the API: clients compare it
    document["buildref"] = context.build;
    document["elected"] = true;
    document["leader"] = leader;
    document["frameworkId"] = context.shell.heart().cluster().id();
    document["marathon_config"] = json::object();
    document["zookeeper_config"] = json::object();
    auto& ports = document["http_config"];
    ports["http_port"] = nullptr;
    ports["https_port"] = nullptr;
    if (address) {
        ports[tls ? "https_port" : "http_port"] = address->port;
    }
    co_return reply(200, document);
}

/// Below an app's path, so that they would otherwise be taken for apps of that name.
awaitable<http::Response> unimplemented(ApiContext& /*context*/, http::Request request) {
    throw Failure(Code::Unimplemented,
                  request.method + " " + request.path +
                      " is not available in this version of Methos; README.md lists what is");
    co_return http::Response();
}

using Action = awaitable<http::Response> (*)(ApiContext&, http::Request);

} // namespace

void add_marathon_routes(http::Router& router, ApiContext& context) {
    struct Row {
        const char* method;
        const char* pattern;
        Action action;
    };

    static constexpr Row rows[] = {
        {"GET", "/v2/apps", list_apps},
        {"POST", "/v2/apps", create_app},
        {"GET", "/v2/apps/{id*}/tasks", app_tasks},
        {"DELETE", "/v2/apps/{id*}/tasks", unimplemented},
        {"DELETE", "/v2/apps/{id*}/tasks/{task}", unimplemented},
        {"GET", "/v2/apps/{id*}/versions", list_versions},
        {"GET", "/v2/apps/{id*}/versions/{version}", show_version},
        {"POST", "/v2/apps/{id*}/restart", restart_app},
        {"GET", "/v2/apps/{id*}", show_app},
        {"PUT", "/v2/apps/{id*}", update_app},
        {"DELETE", "/v2/apps/{id*}", delete_app},
        {"GET", "/v2/tasks", all_tasks},
        {"GET", "/v2/info", info},
    };
    for (const auto& row : rows) {
        http::Route route;
        route.method = row.method;
        route.pattern = row.pattern;
        route.auth = http::Auth::Token;
        route.body_bytes_max = definition_bytes_max;
        route.handler = [&context, action = row.action](http::Request request) {
            return action(context, std::move(request));
        };
        router.add(std::move(route));
    }
}

} // namespace methos::master
