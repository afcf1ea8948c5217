// POST /api/v1: Mesos's v1 operator API, JSON only: what it answers about the cluster, and the
// stream of its events. What can be changed here are roles and the end of a framework.
#include "core/base/json.hpp"
#include "master/api/api.hpp"
#include "master/api/mesos_listings.hpp"
#include "master/api/mesos_media.hpp"
#include "master/api/mesos_roles.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <string_view>

namespace methos::master {

namespace {

using nlohmann::json;

constexpr std::size_t call_bytes_max = 64UL * 1024;

using Action = awaitable<http::Response> (*)(ApiContext& context, json call);

http::Response reply(const json& document) {
    return http::Response(200, "application/json", external::print_line(document));
}

/// `{"type":T,FIELD:` ... `}` around what `list` prints.
awaitable<http::Response> answer_listing(ApiContext& context,
                                         const char* type,
                                         const char* field,
                                         void (*list)(Listing&, const Shell&)) {
    auto listing = std::make_shared<Listing>(context.shell);
    listing->text(std::string(R"({"type":")") + type + R"(",")" + field + R"(":)");
    list(*listing, context.shell);
    listing->text("}");
    return Listing::answer(std::move(listing));
}

awaitable<http::Response> get_state(ApiContext& context, json /*call*/) {
    return answer_listing(context, "GET_STATE", "get_state", mesos::list_state);
}

awaitable<http::Response> get_tasks(ApiContext& context, json /*call*/) {
    return answer_listing(context, "GET_TASKS", "get_tasks", mesos::list_tasks);
}

awaitable<http::Response> get_agents(ApiContext& context, json /*call*/) {
    return answer_listing(context, "GET_AGENTS", "get_agents", mesos::list_agents);
}

awaitable<http::Response> get_frameworks(ApiContext& context, json /*call*/) {
    return answer_listing(context, "GET_FRAMEWORKS", "get_frameworks", mesos::list_frameworks);
}

awaitable<http::Response> get_executors(ApiContext& /*context*/, json /*call*/) {
    json document;
    document["type"] = "GET_EXECUTORS"; // a task's container is its own: there are no executors
    document["get_executors"]["executors"] = json::array();
    co_return reply(document);
}

awaitable<http::Response> get_health(ApiContext& /*context*/, json /*call*/) {
    json document;
    document["type"] = "GET_HEALTH";
    document["get_health"]["healthy"] = true;
    co_return reply(document);
}

awaitable<http::Response> get_version(ApiContext& context, json /*call*/) {
    json document;
    document["type"] = "GET_VERSION";
    document["get_version"]["version_info"] = mesos::v0_version(context.build);
    co_return reply(document);
}

awaitable<http::Response> get_master(ApiContext& context, json /*call*/) {
    const auto started =
        std::chrono::duration<double>(context.started_at.time_since_epoch()).count();
    json document;
    document["type"] = "GET_MASTER";
    document["get_master"]["master_info"] = external::json_of(context.master);
    document["get_master"]["start_time"] = started;
    document["get_master"]["elected_time"] = started;
    co_return reply(document);
}

awaitable<http::Response> subscribe(ApiContext& context, json /*call*/) {
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    response.headers.set("Cache-Control", "no-store");
    response.stream = co_await context.operators.open();
    co_return response;
}

awaitable<http::Response> tear_down(ApiContext& context, json call) {
    const auto& id = member(member(member(call, "teardown"), "framework_id"), "value");
    if (!id.is_string()) {
        co_return mesos_refusal(400, "Expecting 'teardown.framework_id' to be present");
    }
    const external::FrameworkId framework(id.get<std::string>());
    std::optional<external::Refusal> refusal;
    std::function<void(heart::Heart&, cluster::Step&)> event = [&](heart::Heart& heart,
                                                                   cluster::Step& step) {
        refusal = heart.external().tear_down(framework, step);
    };
    co_await context.shell.change(std::move(event));
    if (refusal) {
        co_return mesos_refusal(refusal->status, refusal->message);
    }
    co_return http::Response(200);
}

struct Row {
    std::string_view type;
    Action action; ///< null: Mesos has it, Methos does not
};

constexpr std::array rows{
    Row{"GET_STATE", get_state},
    Row{"GET_TASKS", get_tasks},
    Row{"GET_AGENTS", get_agents},
    Row{"GET_FRAMEWORKS", get_frameworks},
    Row{"GET_EXECUTORS", get_executors},
    Row{"GET_ROLES", get_roles},
    Row{"GET_HEALTH", get_health},
    Row{"GET_VERSION", get_version},
    Row{"GET_MASTER", get_master},
    Row{"UPDATE_WEIGHTS", update_weights},
    Row{"GET_WEIGHTS", get_weights},
    Row{"GET_QUOTA", get_quota},
    Row{"UPDATE_QUOTA", update_quota},
    Row{"TEARDOWN", tear_down},
    Row{"SUBSCRIBE", subscribe},
    Row{"GET_FLAGS", nullptr},
    Row{"GET_METRICS", nullptr},
    Row{"GET_OPERATIONS", nullptr},
    Row{"GET_LOGGING_LEVEL", nullptr},
    Row{"SET_LOGGING_LEVEL", nullptr},
    Row{"LIST_FILES", nullptr},
    Row{"READ_FILE", nullptr},
    Row{"RESERVE_RESOURCES", nullptr},
    Row{"UNRESERVE_RESOURCES", nullptr},
    Row{"CREATE_VOLUMES", nullptr},
    Row{"DESTROY_VOLUMES", nullptr},
    Row{"GROW_VOLUME", nullptr},
    Row{"SHRINK_VOLUME", nullptr},
    Row{"GET_MAINTENANCE_STATUS", nullptr},
    Row{"GET_MAINTENANCE_SCHEDULE", nullptr},
    Row{"UPDATE_MAINTENANCE_SCHEDULE", nullptr},
    Row{"START_MAINTENANCE", nullptr},
    Row{"STOP_MAINTENANCE", nullptr},
    Row{"DRAIN_AGENT", nullptr},
    Row{"DEACTIVATE_AGENT", nullptr},
    Row{"REACTIVATE_AGENT", nullptr},
    Row{"MARK_AGENT_GONE", nullptr},
    Row{"SET_QUOTA", nullptr},
    Row{"REMOVE_QUOTA", nullptr},
};

awaitable<http::Response> answer(ApiContext& context, http::Request request) {
    if (auto refused = refuse_content_type(request)) {
        co_return std::move(*refused);
    }
    if (auto refused = refuse_accept(request)) {
        co_return std::move(*refused);
    }
    auto call = try_parse_json(request.body);
    if (!call.is_object()) {
        co_return mesos_refusal(400, "Failed to parse body into JSON: it is no JSON object");
    }
    const auto& type = member(call, "type");
    if (!type.is_string()) {
        co_return mesos_refusal(400,
                                "Failed to validate master::Call: Expecting 'type' to be present");
    }
    const auto name = type.get<std::string>();
    for (const auto& row : rows) {
        if (row.type == name && row.action != nullptr) {
            co_return co_await row.action(context, std::move(call));
        }
        if (row.type == name) {
            throw Failure(Code::Unimplemented,
                          name + " is not available in this version of Methos; "
                                 "docs/compatibility.md lists what is");
        }
    }
    co_return mesos_refusal(400,
                            "Failed to convert JSON into Call protobuf: Unknown call type '" +
                                name.substr(0, 100) + "'");
}

} // namespace

void add_mesos_operator_routes(http::Router& router, ApiContext& context) {
    const std::string pattern = "/api/v1";
    http::Route route;
    route.method = "POST";
    route.pattern = pattern;
    route.auth = http::Auth::Token;
    route.body_bytes_max = call_bytes_max;
    route.handler = [&context](http::Request request) {
        return answer(context, std::move(request));
    };
    router.add(std::move(route));
    allow_post_only(router, pattern);
}

} // namespace methos::master
