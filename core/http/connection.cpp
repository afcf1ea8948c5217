// The course of a connection: request after request, each routed, authenticated, handled and
// answered. Reading is in connection_read.cpp, writing in connection_write.cpp.
#include "core/http/connection.hpp"

#include "core/base/ids.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace methos::http {

namespace {

constexpr std::size_t request_id_bytes_max = 64;

bool legal_request_id(std::string_view text) {
    return !text.empty() && text.size() <= request_id_bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '.' || c == '_' || c == '-';
           });
}

/// The path of a request target: without scheme, host and query, doubled slashes folded and the
/// trailing one dropped.
std::string normalized_path(std::string_view target) {
    target = target.substr(0, target.find_first_of("?#"));
    const auto scheme = target.find("://");
    if (scheme != std::string_view::npos && target.front() != '/') { // the absolute form
        const auto path = target.find('/', scheme + 3);
        target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    }
    std::string path;
    for (const char c : target) {
        if (c != '/' || path.empty() || path.back() != '/') {
            path += c;
        }
    }
    if (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    return path;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

} // namespace

Connection::Connection(std::shared_ptr<ServerContext> context,
                       std::unique_ptr<Stream> stream,
                       std::string remote_address)
    : context_(std::move(context)), stream_(std::move(stream)),
      remote_address_(std::move(remote_address)), ahead_done_(context_->executor),
      body_free_(context_->executor) {
    boost::system::error_code unreadable;
    const auto address = asio::ip::make_address(remote_address_, unreadable);
    remote_is_loopback_ = !unreadable && address.is_loopback();
}

Connection::~Connection() = default;

void Connection::enter(Phase phase, std::optional<Duration> limit) noexcept {
    phase_ = phase;
    expired_ = false;
    deadline_ = limit ? std::chrono::steady_clock::now() + *limit : MonoTime::max();
}

void Connection::check_deadline(MonoTime now) noexcept {
    if (now >= write_deadline_) {
        stream_->reset();
        return;
    }
    if (now < deadline_) {
        return;
    }
    deadline_ = MonoTime::max();
    expired_ = true;
    if (phase_ == Phase::Linger) {
        stream_->close();
    } else {
        stream_->cancel();
    }
}

void Connection::drain() noexcept {
    if (phase_ == Phase::Idle) {
        stream_->close();
    } else if (endless_) {
        abort();
    }
}

void Connection::abort() noexcept {
    stream_->close();
    cancel_.emit(asio::cancellation_type::terminal);
}

void Connection::close() noexcept {
    stream_->close();
}

awaitable<> Connection::run(std::shared_ptr<Connection> self) {
    self->enter(Phase::Head, self->context_->options.header_limit);
    co_await self->stream_->handshake();
    bool more = true;
    while (more) {
        more = co_await self->serve_one();
    }
    self->stream_->close();
}

/// Serves one request; false when the connection is to end.
awaitable<bool> Connection::serve_one() {
    forget_request();
    std::optional<Error> malformed;
    bool got_head = false;
    try {
        got_head = co_await read_head();
    } catch (const Failure& failure) {
        malformed = failure.error();
    }
    if (!got_head && !malformed) {
        co_return false;
    }
    enter(Phase::Busy, std::nullopt);
    auto request = make_request();
    current_ = request;
    Response response;
    if (malformed) {
        const int status = malformed->cause ? malformed->cause->number : 400;
        response = refuse(status, std::move(*malformed));
    } else {
        keep_alive_ = parser_->keep_alive();
        response = co_await answer(std::move(request));
    }
    keep_alive_ = keep_alive_ && !context_->draining && rest_is_small();
    const int status = response.status;
    bool sent = false;
    try {
        co_await send(std::move(response));
        sent = true;
    } catch (...) {
        failure_ = error_of_current_exception();
    }
    report(status);
    if (!sent) {
        co_return false;
    }
    co_await release_request_body();
    if (keep_alive_) {
        keep_alive_ = co_await discard_body();
    }
    if (!keep_alive_) {
        co_await linger();
    }
    co_return keep_alive_;
}

void Connection::forget_request() {
    current_ = Request();
    principal_.clear();
    keep_alive_ = false;
    body_bytes_ = 0;
    bytes_sent_ = 0;
    route_ = nullptr;
    continue_wanted_ = false;
    body_error_status_.reset();
    failure_.reset();
}

/// Takes the reader of the body back from whoever still has it, and waits until it is let go.
awaitable<> Connection::release_request_body() {
    if (request_body_) {
        request_body_->detach();
        request_body_.reset();
    }
    while (body_in_use_) {
        co_await body_free_.wait();
    }
}

Request Connection::make_request() {
    Request request;
    request.method = parser_->method();
    request.target = parser_->target();
    request.path = normalized_path(request.target);
    const auto question = request.target.find('?');
    if (question != std::string::npos) {
        request.query = parse_query(std::string_view(request.target).substr(question + 1));
    }
    request.headers = std::move(parser_->headers());
    if (parser_->head_complete()) {
        request.content_length = parser_->content_length();
    }
    request.remote_address = remote_address_;
    const auto caller_id = request.headers.get("X-Request-Id");
    request.request_id = caller_id && legal_request_id(*caller_id) ? *caller_id : random_hex(8);
    request.tls = stream_->is_tls();
    return request;
}

Response Connection::render(const Error& error) {
    try {
        return context_->render_error(current_, error);
    } catch (...) {
        failure_ = error_of_current_exception().with_context("while printing an error");
        return Response(500, "text/plain", "internal error\n");
    }
}

/// An error of the server's own, whose status the table of codes does not have.
Response Connection::refuse(int status, Error error) {
    error.cause = Cause{Cause::Kind::Http, status};
    auto response = render(error);
    response.status = status;
    return response;
}

std::optional<Response> Connection::find_route(Request& request) {
    if (request.path.find("%00") != std::string::npos) {
        return refuse(400, Error(Code::InvalidInput, "the path has a zero byte"));
    }
    auto match = context_->router.match(request.method, request.path);
    if (match.route == nullptr && match.path_known) {
        auto response = refuse(405,
                               Error(Code::InvalidInput,
                                     request.method + " is not possible on " + request.path +
                                         ", only " + joined(match.allowed_methods)));
        response.headers.set("Allow", joined(match.allowed_methods));
        return response;
    }
    if (match.route == nullptr) {
        return refuse(404, Error(Code::NotFound, "there is nothing at " + request.path));
    }
    route_ = match.route;
    request.params = std::move(match.params);
    return std::nullopt;
}

std::optional<Response> Connection::authenticate(Request& request) {
    if (route_->auth == Auth::Public) {
        request.principal.name = principal_ = "anonymous";
        return std::nullopt;
    }
    if (route_->auth == Auth::Loopback) {
        request.principal.name = principal_ = "loopback";
        if (remote_is_loopback_) {
            return std::nullopt;
        }
        return render(Error(Code::Forbidden,
                            request.path + " can be used from the server's own machine only"));
    }
    auto principal = context_->authenticate(request);
    if (!principal) {
        return render(principal.error());
    }
    request.principal = std::move(*principal);
    principal_ = request.principal.name;
    return std::nullopt;
}

/// Finds the route, checks the caller, gets the body, calls the handler. Whatever goes wrong is an
/// answer too.
awaitable<Response> Connection::answer(Request request) {
    try {
        auto refused = find_route(request);
        if (!refused) {
            refused = authenticate(request);
        }
        if (refused) {
            co_return std::move(*refused);
        }
        if (request.content_length.value_or(0) > route_->body_bytes_max) {
            throw broken_body(413,
                              Code::ResourceExhausted,
                              "the body has " + std::to_string(*request.content_length) +
                                  " bytes, and at most " + std::to_string(route_->body_bytes_max) +
                                  " are taken here");
        }
        const auto expect = request.headers.get("Expect");
        continue_wanted_ = expect && iequals(*expect, "100-continue") && !parser_->complete();
        if (route_->body_mode == BodyMode::Buffered) {
            request.body = co_await read_whole_body();
        } else {
            request_body_ = std::make_shared<RequestBody>(shared_from_this());
            request.body_stream = request_body_;
        }
        auto response = co_await route_->handler(std::move(request));
        co_return response;
    } catch (...) {
        failure_ = error_of_current_exception();
    }
    const auto failure = *failure_;
    if (body_error_status_) {
        co_return refuse(*body_error_status_, failure);
    }
    co_return render(failure);
}

void Connection::report(int status) {
    if (!context_->on_access) {
        return;
    }
    AccessRecord record;
    record.method = std::move(current_.method);
    record.target = std::move(current_.target);
    record.route = route_ != nullptr ? route_->pattern : std::string();
    record.remote_address = remote_address_;
    record.request_id = std::move(current_.request_id);
    record.principal = principal_;
    record.status = status;
    record.bytes_sent = bytes_sent_;
    record.took = std::chrono::steady_clock::now() - begun_;
    record.failure = failure_;
    context_->on_access(record);
}

} // namespace methos::http
