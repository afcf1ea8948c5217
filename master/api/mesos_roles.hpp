// Roles as the operator API has them: their weights and limits, read and set. Weights and limits
// are durable when they are answered.
#pragma once

#include "master/api/api.hpp"

#include <nlohmann/json_fwd.hpp>

namespace methos::master {

[[nodiscard]] awaitable<http::Response> get_roles(ApiContext& context, nlohmann::json call);
[[nodiscard]] awaitable<http::Response> get_weights(ApiContext& context, nlohmann::json call);
/// `{"update_weights":{"weight_infos":[{"role":R,"weight":W}]}}`: 202.
[[nodiscard]] awaitable<http::Response> update_weights(ApiContext& context, nlohmann::json call);
[[nodiscard]] awaitable<http::Response> get_quota(ApiContext& context, nlohmann::json call);
/// `{"update_quota":{"quota_configs":[{"role":R,"limits":{"cpus":{"value":N},...}}]}}`: 200. What a
/// role's limits leave out is not limited.
[[nodiscard]] awaitable<http::Response> update_quota(ApiContext& context, nlohmann::json call);

} // namespace methos::master
