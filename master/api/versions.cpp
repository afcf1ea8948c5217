// /v2/apps/{id}/versions and restart: what an app was, and a new start of what it is. Going back to
// an older version is a PUT of the app (marathon.cpp).
#include "master/api/versions.hpp"
#include "master/api/marathon_replies.hpp"
#include "master/api/print.hpp"

#include "master/frameworks/services/definition/app_print.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

using nlohmann::json;

namespace {

/// The app as Marathon keeps it: without counts, tasks and deployments.
json print_version(const services::AppVersion& version, WallTime instant) {
    const auto definition = services::parse_stored(version.definition);
    if (!definition) {
        throw Failure(definition.error());
    }
    auto document = services::to_json(*definition);
    document["version"] = format_wall_time(instant);
    document["versionInfo"] =
        print_version_info(version.last_scaling_at, version.last_config_change_at);
    return document;
}

http::Response
version_reply(const services::Services& services, const AppId& id, const std::string& text) {
    WallTime instant;
    if (!parse_wall_time(text, instant)) {
        return reply(services::api_error(
            422, "Invalid format: \"" + text + "\" is no version like 2014-03-01T23:42:20.938Z"));
    }
    const auto* app = services.find(id);
    const auto version = app == nullptr ? std::nullopt : services.find_version(*app, instant);
    if (!version) {
        return reply(services::api_error(
            404, "App '" + id.value + "' does not exist in version " + format_wall_time(instant)));
    }
    return reply(200, print_version(*version, instant));
}

} // namespace

awaitable<http::Response> list_versions(ApiContext& context, http::Request request) {
    const auto id = app_id_of(request);
    const auto& services = context.shell.heart().services();
    const auto* app = services.find(id);
    http::Response response;
    if (app == nullptr) {
        response = no_such_app(id);
    } else {
        json document;
        document["versions"] = json::array();
        for (const auto version : services.versions_of(*app)) {
            document["versions"].push_back(format_wall_time(version));
        }
        response = reply(200, document);
    }
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> show_version(ApiContext& context, http::Request request) {
    auto response = version_reply(
        context.shell.heart().services(), app_id_of(request), request.params.at("version"));
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> restart_app(ApiContext& context, http::Request request) {
    AppChange change = [id = app_id_of(request), by = RequestId(request.request_id)](
                           services::Services& services, cluster::Step& step) {
        return services.restart(id, by, step);
    };
    co_return co_await change_app(context, std::move(change));
}

} // namespace methos::master
