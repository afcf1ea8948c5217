// Handlers of versions.cpp, for the table of Marathon's routes.
#pragma once

#include "master/api/api.hpp"

namespace methos::master {

/// GET /v2/apps/{id}/versions: the newest first.
[[nodiscard]] awaitable<http::Response> list_versions(ApiContext& context, http::Request request);
/// GET /v2/apps/{id}/versions/{version}: the bare app as it was then.
[[nodiscard]] awaitable<http::Response> show_version(ApiContext& context, http::Request request);
/// POST /v2/apps/{id}/restart
[[nodiscard]] awaitable<http::Response> restart_app(ApiContext& context, http::Request request);

} // namespace methos::master
