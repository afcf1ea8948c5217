#include "executor/docker/dialer.hpp"

#include "core/runtime/timeout.hpp"
#include "executor/docker/decode.hpp"

#include <algorithm>
#include <utility>

namespace methos::docker {

namespace {

/// What this client was written for and tested with.
constexpr ApiVersion our_api_min{1, 41};
constexpr ApiVersion our_api_max{1, 52};

constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024; ///< a list of 10,000 containers
constexpr std::size_t refusal_bytes_max = 64 * 1024;

/// 400 "client version 1.52 is too new. Maximum supported API version is 1.41", or "... too old".
/// Nothing was done.
bool is_version_refused(int status, const std::string& body) {
    return status == 400 && body.find("client version") != std::string::npos &&
           body.find("API version") != std::string::npos;
}

EngineVersion agree(const VersionAnswer& answer, const http::Headers& headers) {
    const auto api = std::min(our_api_max, answer.api_max);
    if (api < our_api_min) {
        throw Failure(Code::Unimplemented,
                      "Docker " + answer.engine + " speaks API " + answer.api_max.to_string() +
                          " at most; " + our_api_min.to_string() +
                          " (Docker 20.10) or newer is needed");
    }
    if (api < answer.api_min) {
        throw Failure(Code::Unimplemented,
                      "Docker " + answer.engine + " wants API " + answer.api_min.to_string() +
                          " or newer; this program speaks up to " + our_api_max.to_string() +
                          ": a newer methos is needed");
    }
    EngineVersion version;
    version.api = api;
    version.api_max = answer.api_max;
    version.api_min = answer.api_min;
    version.engine = answer.engine;
    version.server = headers.get("Server").value_or("");
    version.os = answer.os;
    version.arch = answer.arch;
    version.kernel = answer.kernel;
    return version;
}

} // namespace

Dialer::Dialer(http::Client& client, std::string socket_path, EngineLimits limits)
    : client_(client), socket_path_(std::move(socket_path)), limits_(limits) {}

http::ClientRequest Dialer::make_request(const Call& call, const std::string& prefix) {
    http::ClientRequest request;
    request.method = call.method;
    request.url = "http://d" + prefix + call.path;
    request.unix_socket = socket_path_;
    request.headers = call.headers;
    request.body = call.body;
    request.upload = call.upload;
    if (call.upload) {
        request.headers.set("Content-Type", "application/x-tar");
    } else if (!call.body.empty()) {
        request.headers.set("Content-Type", "application/json");
    }
    request.connect_limit = limits_.connect;
    request.total_limit = call.limit;
    request.body_bytes_max = answer_bytes_max;
    request.fresh_connection = fresh_connections_ || !call.repeatable;
    return request;
}

Failure Dialer::in_context(const Failure& failure, const std::string& what) const {
    auto error = failure.error();
    return Failure(std::move(error).with_context("while asking the Docker Engine at " +
                                                 socket_path_ + ": " + what));
}

/// Another version or build in an answer: the daemon was replaced, so ask again before the next
/// call.
void Dialer::note_answer(const http::Headers& headers) {
    fresh_connections_ = false;
    if (!version_) {
        return;
    }
    const auto api = headers.get("Api-Version");
    const auto server = headers.get("Server");
    const bool is_other =
        (api && *api != version_->api_max.to_string()) || (server && *server != version_->server);
    if (is_other) {
        version_.reset();
    }
}

void Dialer::forget_connections() {
    fresh_connections_ = true;
    version_.reset();
}

awaitable<http::ClientResponse> Dialer::send_once(http::ClientRequest request) {
    const auto what = request.method + " " + request.url.substr(std::string("http://d").size());
    try {
        auto response = co_await client_.send(std::move(request));
        note_answer(response.headers);
        co_return response;
    } catch (const Failure& failure) {
        throw in_context(failure, what);
    }
}

awaitable<std::shared_ptr<http::ClientStream>> Dialer::open_once(http::ClientRequest request,
                                                                 Duration limit) {
    const auto what = request.method + " " + request.url.substr(std::string("http://d").size());
    request.total_limit.reset();
    try {
        auto opening = client_.open(std::move(request));
        auto stream = co_await with_timeout(std::move(opening), limit, "the Engine's answer");
        note_answer(stream->headers());
        co_return stream;
    } catch (const Failure& failure) {
        throw in_context(failure, what);
    }
}

awaitable<void> Dialer::ping() {
    Call call;
    call.path = "/_ping";
    call.repeatable = false;
    call.limit = limits_.ping;
    auto request = make_request(call, "");
    const auto response = co_await send_once(std::move(request));
    if (response.status != 200) {
        auto error = classify(EngineCall::Other, response.status, decode_message(response.body));
        throw Failure(error.to_error());
    }
}

awaitable<EngineVersion> Dialer::negotiate() {
    Call call;
    call.path = "/version";
    call.limit = limits_.inspect;
    auto request = make_request(call, "");
    const auto response = co_await send_once(std::move(request));
    if (response.status != 200) {
        auto error = classify(EngineCall::Other, response.status, decode_message(response.body));
        throw Failure(error.to_error());
    }
    auto version = agree(decode_version(response.body), response.headers);
    version_ = version;
    co_return version;
}

awaitable<std::string> Dialer::version_prefix() {
    if (version_) {
        co_return "/v" + version_->api.to_string();
    }
    const auto version = co_await negotiate();
    co_return "/v" + version.api.to_string();
}

awaitable<http::ClientResponse> Dialer::send(Call call) {
    const auto prefix = co_await version_prefix();
    auto request = make_request(call, prefix);
    auto response = co_await send_once(std::move(request));
    const bool is_refused = is_version_refused(response.status, response.body);
    if (!is_refused || call.upload) {
        co_return response;
    }
    version_.reset();
    const auto other_prefix = co_await version_prefix();
    auto repeated = make_request(call, other_prefix);
    co_return co_await send_once(std::move(repeated));
}

awaitable<Answer<std::shared_ptr<http::ClientStream>>> Dialer::open(Call call, EngineCall kind) {
    constexpr int attempts_max = 2;
    for (int attempt = 1;; ++attempt) {
        const auto prefix = co_await version_prefix();
        auto request = make_request(call, prefix);
        auto stream = co_await open_once(std::move(request), call.limit);
        if (stream->status() < 300) {
            co_return stream;
        }
        const int status = stream->status();
        auto reading = http::read_all(std::move(stream), refusal_bytes_max);
        const auto body =
            co_await with_timeout(std::move(reading), limits_.inspect, "the Engine's refusal");
        if (attempt == attempts_max || !is_version_refused(status, body)) {
            co_return classify(kind, status, decode_message(body));
        }
        version_.reset();
    }
}

} // namespace methos::docker
