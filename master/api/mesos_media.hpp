// What Mesos's v1 endpoints, scheduler and operator, ask of a request before they read it, and how
// they print refusals: a line of text, in Mesos's words where clients may look for them. Pure.
#pragma once

#include "core/http/server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace methos::master {

/// A refusal as Mesos sends it.
[[nodiscard]] http::Response mesos_refusal(int status, const std::string& message);

/// What is wrong with the Content-Type: none (400), or not JSON (415).
[[nodiscard]] std::optional<http::Response> refuse_content_type(const http::Request& request);
/// 406 when the caller takes no JSON.
[[nodiscard]] std::optional<http::Response> refuse_accept(const http::Request& request);

/// A member of an object; null when there is none, or it is no object.
[[nodiscard]] const nlohmann::json& member(const nlohmann::json& object, const char* name);

/// Adds a route that answers 405 to whatever is not POST on this path.
void allow_post_only(http::Router& router, const std::string& pattern);

} // namespace methos::master
