// /methos/v1: what Marathon's API lacks: why, and apps with everything that Methos knows of
// them.
#include "master/api/handlers.hpp"
#include "master/api/print.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

/// The app a path names, also one that is being deleted. Throws NotFound.
const services::App& find_app(const ApiContext& context, const http::Request& request) {
    const AppId id(services::absolute_path(request.params.at("id"), "/"));
    const auto& apps = context.shell.heart().services().apps();
    const auto found = apps.find(id);
    if (found == apps.end()) {
        throw Failure(Code::NotFound, "App '" + id.value + "' does not exist");
    }
    return found->second;
}

awaitable<http::Response> explain(ApiContext& context, http::Request request) {
    const auto document =
        print_why(find_app(context, request), context.shell.heart(), context.shell.now());
    co_return co_await reply_when_durable(context, document);
}

awaitable<http::Response> show_app(ApiContext& context, http::Request request) {
    const AppParts everything{true, true};
    json document;
    document["app"] =
        print_app(find_app(context, request), context.shell.heart(), everything, Dialect::Methos);
    co_return co_await reply_when_durable(context, document);
}

awaitable<http::Response> list_apps(ApiContext& context, http::Request /*request*/) {
    const AppParts everything{true, true};
    json document;
    document["apps"] = json::array();
    for (const auto& [id, app] : context.shell.heart().services().apps()) {
        document["apps"].push_back(
            print_app(app, context.shell.heart(), everything, Dialect::Methos));
    }
    co_return co_await reply_when_durable(context, document);
}

} // namespace

void add_methos_routes(http::Router& router, ApiContext& context) {
    static constexpr ApiRoute routes[] = {
        {"GET", "/methos/v1/why/{id*}", explain},
        {"GET", "/methos/v1/apps", list_apps},
        {"GET", "/methos/v1/apps/{id*}", show_app},
    };
    add_routes(router, context, routes);
}

} // namespace methos::master
