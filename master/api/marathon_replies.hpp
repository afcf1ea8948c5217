// What the handlers of Marathon's API have in common: its answers and errors, the app that a path
// names, and that a change is answered when it is durable. No decisions.
#pragma once

#include "master/api/api.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>

namespace methos::master {

[[nodiscard]] http::Response reply(int status, const nlohmann::json& document);
[[nodiscard]] http::Response reply(const services::ApiError& error);

/// Of a route with `{id*}`.
[[nodiscard]] AppId app_id_of(const http::Request& request);
[[nodiscard]] http::Response no_such_app(const AppId& id);

/// Announces a deploying call's deployment, as Marathon's clients expect it.
void name_deployment(http::Response& response, const services::Changed& changed);

using AppChange =
    std::function<services::ApiResult<services::Changed>(services::Services&, cluster::Step&)>;

/// Makes the change; its answer when it is durable: version and deployment, or the error.
[[nodiscard]] awaitable<http::Response> change_app(ApiContext& context, AppChange change);

} // namespace methos::master
