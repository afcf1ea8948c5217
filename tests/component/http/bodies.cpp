#include "tests/component/http/bodies.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace methos::http::test {

awaitable<std::optional<std::string>> Pieces::read() {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    if (pieces_.empty()) {
        if (failure_) {
            throw Failure(*failure_);
        }
        co_return std::nullopt;
    }
    auto piece = std::move(pieces_.front());
    pieces_.pop_front();
    co_return piece;
}

awaitable<std::optional<std::string>> Endless::read() {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    pulled_bytes += piece_bytes_;
    co_return std::string(piece_bytes_, 'x');
}

std::string pattern(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint32_t state = 1;
    for (auto& c : text) {
        state = state * 1664525U + 1013904223U;
        c = static_cast<char>(state >> 24U);
    }
    return text;
}

std::list<std::string> cut(const std::string& whole, std::size_t piece_bytes) {
    std::list<std::string> pieces;
    for (std::size_t at = 0; at < whole.size(); at += piece_bytes) {
        pieces.push_back(whole.substr(at, piece_bytes));
    }
    return pieces;
}

Handler streams(std::shared_ptr<BodyReader> body, std::optional<std::uint64_t> length) {
    return [body, length](Request) -> awaitable<Response> {
        Response response;
        response.stream = body;
        response.stream_length = length;
        co_return response;
    };
}

Route upload_route(std::string path, Handler handler) {
    Route route;
    route.method = "PUT";
    route.pattern = std::move(path);
    route.auth = Auth::Public;
    route.body_mode = BodyMode::Streamed;
    route.body_bytes_max = std::size_t{1} << 40U;
    route.handler = std::move(handler);
    return route;
}

awaitable<Response> count_upload(Request request) {
    std::size_t total = 0;
    while (auto piece = co_await request.body_stream->read()) {
        total += piece->size();
    }
    co_return Response(200, "text/plain", std::to_string(total));
}

awaitable<std::optional<Code>> code_of_reading(std::shared_ptr<ClientStream> stream) {
    try {
        while (auto piece = co_await stream->read()) {
        }
    } catch (const Failure& failure) {
        co_return failure.code();
    }
    co_return std::nullopt;
}

} // namespace methos::http::test
