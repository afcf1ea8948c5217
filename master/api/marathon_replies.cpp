#include "master/api/marathon_replies.hpp"

#include "master/api/print.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

using nlohmann::json;
using services::ApiResult;
using services::Changed;

http::Response reply(int status, const json& document) {
    return http::Response(status, "application/json", to_text(document));
}

http::Response reply(const services::ApiError& error) {
    return http::Response(error.status, "application/json", error.body_json);
}

AppId app_id_of(const http::Request& request) {
    return AppId(services::absolute_path(request.params.at("id"), "/"));
}

http::Response no_such_app(const AppId& id) {
    return reply(services::api_error(404, "App '" + id.value + "' does not exist"));
}

void name_deployment(http::Response& response, const Changed& changed) {
    response.headers.set("Marathon-Deployment-Id", changed.deployment);
}

namespace {

http::Response deployment_reply(const Changed& changed) {
    auto response = reply(changed.created ? 201 : 200,
                          {{"version", changed.version}, {"deploymentId", changed.deployment}});
    name_deployment(response, changed);
    if (changed.created) {
        response.headers.set("Location", "/v2/apps" + changed.app.value);
    }
    return response;
}

} // namespace

awaitable<http::Response> change_app(ApiContext& context, AppChange change) {
    std::optional<ApiResult<Changed>> changed;
    std::function<void(heart::Heart&, cluster::Step&)> event =
        [&](heart::Heart& heart, cluster::Step& step) { changed = change(heart.services(), step); };
    co_await context.shell.change(std::move(event));
    if (!*changed) {
        co_return reply(changed->error());
    }
    co_return deployment_reply(**changed);
}

} // namespace methos::master
