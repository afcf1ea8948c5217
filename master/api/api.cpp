#include "master/api/api.hpp"

#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "master/api/mesos_media.hpp"
#include "master/api/mesos_print.hpp"
#include "master/shell/secrets.hpp"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

namespace methos::master {

namespace {

using nlohmann::json;

/// The password of "Basic base64(user:password)"; empty when malformed.
std::string basic_password(const std::string& encoded) {
    std::string decoded(encoded.size() + 4, '\0');
    const auto* in = reinterpret_cast<const unsigned char*>(encoded.data());
    auto* out = reinterpret_cast<unsigned char*>(decoded.data());
    const int length = EVP_DecodeBlock(out, in, static_cast<int>(encoded.size()));
    if (length < 0) {
        return {};
    }
    decoded.resize(static_cast<std::size_t>(length));
    while (!decoded.empty() && decoded.back() == '\0') {
        decoded.pop_back(); // the block decoder keeps what the padding stood for
    }
    const auto colon = decoded.find(':');
    return colon == std::string::npos ? std::string() : decoded.substr(colon + 1);
}

/// The token a request carries, however it carries it.
std::string token_of(const http::Request& request) {
    constexpr std::size_t header_bytes_max = 4096;
    const auto header = request.headers.get("Authorization").value_or("");
    const auto space = header.find(' ');
    if (space == std::string::npos || header.size() > header_bytes_max) {
        return {};
    }
    const auto scheme = header.substr(0, space);
    auto value = header.substr(header.find_first_not_of(' ', space) == std::string::npos
                                   ? header.size()
                                   : header.find_first_not_of(' ', space));
    if (http::iequals(scheme, "Bearer")) {
        return value;
    }
    return http::iequals(scheme, "Basic") ? basic_password(value) : std::string();
}

/// A browser says where a request comes from. A page of somebody else must not deploy containers
/// here with a password that the browser keeps, or on a master that asks for none.
bool is_cross_site(const http::Request& request) {
    if (request.method == "GET" || request.method == "HEAD") {
        return false;
    }
    const auto site = request.headers.get("Sec-Fetch-Site").value_or("same-origin");
    const auto origin = request.headers.get("Origin").value_or("");
    const auto scheme = origin.find("://");
    const bool foreign =
        !origin.empty() && (scheme == std::string::npos ||
                            origin.substr(scheme + 3) != request.headers.get("Host").value_or(""));
    return foreign || (site != "same-origin" && site != "none");
}

void add_process_routes(http::Router& router, ApiContext& context) {
    http::Route ping;
    ping.method = "GET";
    ping.pattern = "/ping";
    ping.auth = http::Auth::Public;
    ping.handler = [](http::Request request) -> awaitable<http::Response> {
        const auto accept = request.headers.get("Accept").value_or("");
        const bool wants_json = accept.find("application/json") != std::string::npos;
        co_return http::Response(
            200, wants_json ? "application/json" : "text/plain", wants_json ? "\"pong\"" : "pong");
    };
    router.add(std::move(ping));

    auto* metrics = &context.metrics;
    http::Route route;
    route.method = "GET";
    route.pattern = "/metrics";
    route.auth = http::Auth::Token;
    route.handler = [metrics](http::Request request) -> awaitable<http::Response> {
        const auto accept = request.headers.get("Accept");
        if (Metrics::wants_prometheus(accept ? &*accept : nullptr)) {
            co_return http::Response(
                200, "text/plain; version=0.0.4; charset=utf-8", metrics->prometheus_text());
        }
        co_return http::Response(200, "application/json", metrics->dropwizard_json());
    };
    router.add(route);
    route.pattern = "/metrics/prometheus";
    route.handler = [metrics](http::Request) -> awaitable<http::Response> {
        co_return http::Response(
            200, "text/plain; version=0.0.4; charset=utf-8", metrics->prometheus_text());
    };
    router.add(std::move(route));
}

http::Response challenged(http::Response response, const Error& error) {
    if (error.code == Code::Unauthorized) {
        response.headers.set("WWW-Authenticate", "Bearer realm=\"methos\", Basic realm=\"methos\"");
    }
    return response;
}

/// Mesos's errors are lines of text. Its clients try again after 503, and after nothing else.
http::Response render_for_mesos(const Error& error) {
    const int status =
        error.code == Code::ResourceExhausted ? 503 : traits_of(error.code).http_status;
    return challenged(mesos_refusal(status, error.message), error);
}

/// Contracts that no code keeps yet say so, instead of looking like a wrong address.
void add_unimplemented_routes(http::Router& router) {
    for (const auto* pattern :
         {"/v2/{rest*}", "/v1/{rest*}", "/api/{rest*}", "/methos/v1/{rest*}"}) {
        http::Route route;
        route.method = "*";
        route.pattern = pattern;
        route.auth = http::Auth::Token;
        route.handler = [](http::Request request) -> awaitable<http::Response> {
            throw Failure(
                Code::Unimplemented,
                request.method + " " + request.path +
                    " is not available in this version of Methos; README.md lists what is");
            co_return http::Response();
        };
        router.add(std::move(route));
    }
}

} // namespace

http::Authenticator make_authenticator(std::string admin_token) {
    return [token =
                std::move(admin_token)](const http::Request& request) -> Result<http::Principal> {
        if (is_cross_site(request)) {
            return Error(Code::Forbidden, "a page of another site may not change anything here");
        }
        if (token.empty()) {
            return http::Principal{anonymous_name, true};
        }
        const auto given = token_of(request);
        if (given.empty()) {
            return Error(Code::Unauthorized,
                         "a token is needed: send 'Authorization: Bearer TOKEN'; the first one is "
                         "in admin.token in the master's data directory");
        }
        if (!equal_secrets(given, token)) {
            return Error(Code::Unauthorized, "this token is not valid here");
        }
        return http::Principal{"admin", true};
    };
}

external::MasterInfo make_master_info(const heart::Heart& heart, const std::string& http_address) {
    const auto scheme = http_address.find("://");
    const auto rest = scheme == std::string::npos ? http_address : http_address.substr(scheme + 3);
    const auto address = parse_host_port(rest.substr(0, rest.find('/')));
    external::MasterInfo info;
    info.id = heart.cluster().id() + "-" + std::to_string(heart.cluster().epoch());
    info.hostname = address ? address->host : rest;
    info.ip = info.hostname;
    info.port = address ? address->port : std::uint16_t{0};
    info.version = mesos::mesos_version;
    return info;
}

http::ErrorRenderer make_error_renderer() {
    return [](const http::Request& request, const Error& error) {
        const auto& traits = traits_of(error.code);
        if (request.path.rfind("/api/", 0) == 0) {
            return render_for_mesos(error);
        }
        json body;
        if (request.path.rfind("/methos/", 0) == 0) {
            body["error"] = {
                {"code", traits.name}, {"message", error.message}, {"details", error.context}};
        } else {
            body["message"] = error.message;
        }
        const auto text = dump_json(body);
        return challenged(http::Response(traits.http_status, "application/json", text + "\n"),
                          error);
    };
}

http::Router make_router(ApiContext& context) {
    http::Router router;
    add_process_routes(router, context);
    add_marathon_routes(router, context);
    add_queue_routes(router, context);
    add_methos_routes(router, context);
    add_host_routes(router, context);
    add_role_routes(router, context);
    add_image_routes(router, context);
    add_log_routes(router, context);
    add_snapshot_routes(router, context);
    add_mesos_scheduler_routes(router, context);
    add_mesos_operator_routes(router, context);
    add_mesos_state_routes(router, context);
    add_unimplemented_routes(router);
    return router;
}

} // namespace methos::master
