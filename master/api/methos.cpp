// /methos/v1: what Marathon's API lacks: why, and apps with everything that Methos knows of
// them.
#include "master/api/api.hpp"
#include "master/api/print.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

http::Response reply(const json& document) {
    return http::Response(200, "application/json", to_text(document));
}

/// The app a path names. Throws NotFound.
const services::App& find_app(const ApiContext& context, const http::Request& request) {
    const AppId id(services::absolute_path(request.params.at("id"), "/"));
    const auto* app = context.shell.heart().services().find(id);
    if (app == nullptr) {
        throw Failure(Code::NotFound, "App '" + id.value + "' does not exist");
    }
    return *app;
}

awaitable<http::Response> explain(ApiContext& context, http::Request request) {
    auto response =
        reply(print_why(find_app(context, request), context.shell.heart(), context.shell.now()));
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> show_app(ApiContext& context, http::Request request) {
    const AppParts everything{true, true};
    json document;
    document["app"] =
        print_app(find_app(context, request), context.shell.heart(), everything, Dialect::Methos);
    auto response = reply(document);
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> list_apps(ApiContext& context, http::Request /*request*/) {
    const AppParts everything{true, true};
    json document;
    document["apps"] = json::array();
    for (const auto& [id, app] : context.shell.heart().services().apps()) {
        if (!app.deleting) {
            document["apps"].push_back(
                print_app(app, context.shell.heart(), everything, Dialect::Methos));
        }
    }
    auto response = reply(document);
    co_await context.shell.committed();
    co_return response;
}

using Action = awaitable<http::Response> (*)(ApiContext&, http::Request);

} // namespace

void add_methos_routes(http::Router& router, ApiContext& context) {
    struct Row {
        const char* pattern;
        Action action;
    };

    static constexpr Row rows[] = {
        {"/methos/v1/why/{id*}", explain},
        {"/methos/v1/apps", list_apps},
        {"/methos/v1/apps/{id*}", show_app},
    };
    for (const auto& row : rows) {
        http::Route route;
        route.method = "GET";
        route.pattern = row.pattern;
        route.auth = http::Auth::Token;
        route.handler = [&context, action = row.action](http::Request request) {
            return action(context, std::move(request));
        };
        router.add(std::move(route));
    }
}

} // namespace methos::master
