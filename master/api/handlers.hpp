// What the handlers of /methos/v1 have in common: how they are listed as routes, how they read a
// body, and that an answer waits until what it shows is durable. No decisions.
#pragma once

#include "master/api/api.hpp"

#include <nlohmann/json_fwd.hpp>

namespace methos::master {

/// One line of a part's table of routes; whoever calls it needs a token.
struct ApiRoute {
    const char* method;
    const char* pattern;
    awaitable<http::Response> (*handler)(ApiContext&, http::Request);
};

void add_route(http::Router& router, ApiContext& context, const ApiRoute& route);

template <std::size_t count>
void add_routes(http::Router& router, ApiContext& context, const ApiRoute (&routes)[count]) {
    for (const auto& route : routes) {
        add_route(router, context, route);
    }
}

[[nodiscard]] http::Response reply(const nlohmann::json& document);

/// The document as it is now, sent when everything that it shows is durable.
[[nodiscard]] awaitable<http::Response> reply_when_durable(ApiContext& context,
                                                           const nlohmann::json& document);

/// The body's document. Throws InvalidInput when it is no JSON.
[[nodiscard]] nlohmann::json read_body(const http::Request& request);

} // namespace methos::master
