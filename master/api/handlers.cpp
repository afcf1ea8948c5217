#include "master/api/handlers.hpp"

#include "master/api/print.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

using nlohmann::json;

namespace {

awaitable<http::Response> when_durable(ApiContext& context, http::Response response) {
    co_await context.shell.committed();
    co_return response;
}

} // namespace

void add_route(http::Router& router, ApiContext& context, const ApiRoute& route) {
    http::Route added;
    added.method = route.method;
    added.pattern = route.pattern;
    added.auth = http::Auth::Token;
    added.handler = [&context, handler = route.handler](http::Request request) {
        return handler(context, std::move(request));
    };
    router.add(std::move(added));
}

http::Response reply(const json& document) {
    return http::Response(200, "application/json", to_text(document));
}

awaitable<http::Response> reply_when_durable(ApiContext& context, const json& document) {
    return when_durable(context, reply(document));
}

json read_body(const http::Request& request) {
    const auto body = services::parse_document(request.body);
    if (!body) {
        throw Failure(Code::InvalidInput, "the body is not a JSON document");
    }
    return *body;
}

} // namespace methos::master
