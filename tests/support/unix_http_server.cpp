#include "tests/support/unix_http_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace methos::test {

using Socket = asio::local::stream_protocol::socket;

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

/// Reads from a socket through a buffer that keeps what was read too far.
class Input {
  public:
    explicit Input(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}

    /// Through the end of `mark`; nothing when the peer closed.
    awaitable<std::optional<std::string>> read_through(std::string mark) {
        for (;;) {
            const auto end = buffer_.find(mark);
            if (end != std::string::npos) {
                co_return take(end + mark.size());
            }
            const bool more = co_await fill();
            if (!more) {
                co_return std::nullopt;
            }
        }
    }

    awaitable<std::string> read_exactly(std::size_t bytes) {
        while (buffer_.size() < bytes) {
            const bool more = co_await fill();
            if (!more) {
                throw Failure(Code::Protocol, "the client closed within a body");
            }
        }
        co_return take(bytes);
    }

  private:
    std::string take(std::size_t bytes) {
        auto taken = buffer_.substr(0, bytes);
        buffer_.erase(0, bytes);
        return taken;
    }

    awaitable<bool> fill() {
        std::string piece(piece_bytes, '\0');
        boost::system::error_code error;
        const auto target = asio::buffer(piece);
        const auto bytes = co_await socket_->async_read_some(
            target, asio::redirect_error(asio::use_awaitable, error));
        buffer_.append(piece, 0, bytes);
        co_return !error;
    }

    std::shared_ptr<Socket> socket_;
    std::string buffer_;
};

UnixRequest parse_head(const std::string& head) {
    UnixRequest request;
    const auto line_end = head.find("\r\n");
    const auto first = head.find(' ');
    const auto second = head.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos || second > line_end) {
        throw Failure(Code::Protocol, "not a request: " + head.substr(0, line_end));
    }
    request.method = head.substr(0, first);
    request.target = head.substr(first + 1, second - first - 1);
    const auto question = request.target.find('?');
    request.path = http::percent_decode(request.target.substr(0, question));
    if (question != std::string::npos) {
        request.query = http::parse_query(std::string_view(request.target).substr(question + 1));
    }
    auto start = line_end + 2;
    while (start < head.size()) {
        const auto end = head.find("\r\n", start);
        const auto line = head.substr(start, end - start);
        const auto colon = line.find(':');
        if (colon == std::string::npos) {
            break;
        }
        const auto value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
        request.headers.add(line.substr(0, colon), line.substr(value));
        start = end + 2;
    }
    return request;
}

awaitable<std::string> read_chunks(Input& input) {
    std::string body;
    for (;;) {
        auto line = co_await input.read_through("\r\n");
        if (!line) {
            throw Failure(Code::Protocol, "the client closed within a chunked body");
        }
        const auto size = std::stoul(*line, nullptr, 16);
        const auto chunk = co_await input.read_exactly(size + 2);
        if (size == 0) {
            co_return body;
        }
        body.append(chunk, 0, size);
    }
}

std::string hex(std::size_t number) {
    char text[24];
    std::snprintf(text, sizeof text, "%zx", number);
    return text;
}

} // namespace

std::string UnixRequest::parameter(const std::string& name) const {
    const auto found = std::find_if(
        query.begin(), query.end(), [&name](const auto& pair) { return pair.first == name; });
    return found == query.end() ? std::string() : found->second;
}

std::vector<std::string> UnixRequest::parameters(const std::string& name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : query) {
        if (key == name) {
            values.push_back(value);
        }
    }
    return values;
}

UnixExchange::UnixExchange(std::shared_ptr<Socket> socket,
                           UnixRequest asked,
                           bool split_bytes,
                           bool keep_alive)
    : request(std::move(asked)), socket_(std::move(socket)), split_bytes_(split_bytes),
      keep_alive_(keep_alive) {}

std::string UnixExchange::head_of(int status, const http::Headers& headers) const {
    auto head = "HTTP/1.1 " + std::to_string(status) + " Status\r\n";
    for (const auto& [name, value] : headers.fields()) {
        head += name + ": " + value + "\r\n";
    }
    if (!keep_alive_) {
        head += "Connection: close\r\n";
    }
    return head;
}

awaitable<void> UnixExchange::send(std::string bytes) {
    const bool is_cut = bytes_left_ && bytes.size() > *bytes_left_;
    if (is_cut) {
        bytes.resize(*bytes_left_);
    }
    if (bytes_left_) {
        *bytes_left_ -= bytes.size();
    }
    const auto source = asio::buffer(bytes);
    co_await asio::async_write(*socket_, source, asio::use_awaitable);
    if (is_cut) {
        close();
        on_cut_();
        throw Failure(Code::Cancelled, "the test has cut the answer");
    }
}

void UnixExchange::cut_after(std::size_t bytes, std::function<void()> on_cut) {
    bytes_left_ = bytes;
    on_cut_ = std::move(on_cut);
}

awaitable<void> UnixExchange::answer(int status, std::string body, http::Headers headers) {
    auto text = head_of(status, headers);
    const bool has_body = status != 204 && status != 304;
    if (has_body) {
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    text += "\r\n";
    if (has_body && !split_bytes_) {
        text += body;
    }
    co_await send(std::move(text));
    if (has_body && split_bytes_) {
        for (const char byte : body) {
            std::string one(1, byte);
            co_await send(std::move(one));
        }
    }
}

awaitable<void> UnixExchange::answer_cut(int status, std::string body, http::Headers headers) {
    auto text = head_of(status, headers);
    text += "Content-Length: " + std::to_string(body.size() + 1) + "\r\n\r\n";
    text += body.substr(0, body.size() / 2);
    co_await send(std::move(text));
    close();
}

awaitable<void> UnixExchange::begin(int status, http::Headers headers) {
    chunked_ = true;
    co_await send(head_of(status, headers) + "Transfer-Encoding: chunked\r\n\r\n");
}

awaitable<void> UnixExchange::begin_until_close(int status, http::Headers headers) {
    keep_alive_ = false;
    co_await send(head_of(status, headers) + "\r\n");
}

awaitable<void> UnixExchange::write(std::string bytes) {
    const std::size_t step = split_bytes_ ? 1 : std::max<std::size_t>(bytes.size(), 1);
    for (std::size_t i = 0; i < bytes.size(); i += step) {
        auto piece = bytes.substr(i, step);
        if (chunked_) {
            piece = hex(piece.size()) + "\r\n" + piece + "\r\n";
        }
        co_await send(std::move(piece));
    }
}

awaitable<void> UnixExchange::end() {
    co_await send("0\r\n\r\n");
}

void UnixExchange::close() {
    boost::system::error_code ignored;
    socket_->close(ignored);
}

bool UnixExchange::is_open() const {
    return socket_->is_open();
}

awaitable<bool> UnixExchange::wait(Signal& signal) {
    return wait_while_there(signal.wait());
}

awaitable<bool> UnixExchange::wait(Gate& gate) {
    return wait_while_there(gate.wait());
}

awaitable<bool> UnixExchange::wait_while_there(awaitable<void> event) {
    using namespace asio::experimental::awaitable_operators;
    boost::system::error_code error;
    auto gone =
        socket_->async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    auto race = std::move(event) || std::move(gone);
    const auto first = co_await std::move(race);
    co_return first.index() == 0;
}

struct UnixHttpServer::State : std::enable_shared_from_this<State> {
    State(asio::any_io_executor executor_, std::string path_, Handler handler_)
        : executor(std::move(executor_)), path(std::move(path_)), handler(std::move(handler_)),
          acceptor(executor) {}

    asio::any_io_executor executor;
    std::string path;
    Handler handler;
    asio::local::stream_protocol::acceptor acceptor;
    std::list<std::weak_ptr<Socket>> sockets;

    struct Manners {
        bool split = false;
        bool keep_alive = true;
    };

    Manners manners;

    void spawn(awaitable<void> child) {
        // What ends a connection of a test server is the test's business.
        auto ignore = [](const std::exception_ptr& /*unused*/) {};
        asio::co_spawn(executor, std::move(child), std::move(ignore));
    }
};

namespace {

template <class Manners>
awaitable<void> serve(std::shared_ptr<Socket> socket,
                      UnixHttpServer::Handler handler,
                      std::shared_ptr<Manners> manners) {
    Input input(socket);
    while (socket->is_open()) {
        const auto head = co_await input.read_through("\r\n\r\n");
        if (!head) {
            co_return;
        }
        auto request = parse_head(*head);
        if (http::iequals(request.headers.get("Expect").value_or(""), "100-continue")) {
            static const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            const auto source = asio::buffer(go_on);
            co_await asio::async_write(*socket, source, asio::use_awaitable);
        }
        if (request.headers.has("Transfer-Encoding")) {
            request.body = co_await read_chunks(input);
        } else if (const auto length = request.headers.get("Content-Length")) {
            request.body = co_await input.read_exactly(std::stoul(*length));
        }
        const bool keep_alive = manners->keep_alive;
        auto exchange =
            std::make_shared<UnixExchange>(socket, std::move(request), manners->split, keep_alive);
        auto answering = handler(std::move(exchange));
        co_await std::move(answering);
        if (!keep_alive) {
            co_return;
        }
    }
}

} // namespace

UnixHttpServer::UnixHttpServer(asio::any_io_executor executor, std::string path, Handler handler)
    : state_(std::make_shared<State>(std::move(executor), std::move(path), std::move(handler))) {}

UnixHttpServer::~UnixHttpServer() {
    stop();
}

const std::string& UnixHttpServer::path() const noexcept {
    return state_->path;
}

void UnixHttpServer::split_bytes(bool on) {
    state_->manners.split = on;
}

void UnixHttpServer::keep_alive(bool on) {
    state_->manners.keep_alive = on;
}

namespace {

template <class State>
awaitable<void> accept_all(std::shared_ptr<State> state) {
    for (;;) {
        auto socket = std::make_shared<Socket>(state->executor);
        boost::system::error_code error;
        co_await state->acceptor.async_accept(*socket,
                                              asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            co_return;
        }
        state->sockets.remove_if([](const auto& weak) { return weak.expired(); });
        state->sockets.push_back(socket);
        const std::shared_ptr<typename State::Manners> manners(state, &state->manners);
        state->spawn(serve(std::move(socket), state->handler, manners));
    }
}

} // namespace

void UnixHttpServer::listen() {
    ::unlink(state_->path.c_str());
    const asio::local::stream_protocol::endpoint endpoint(state_->path);
    state_->acceptor = asio::local::stream_protocol::acceptor(state_->executor, endpoint);
    state_->spawn(accept_all(state_));
}

void UnixHttpServer::stop_listening() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    ::unlink(state_->path.c_str());
}

void UnixHttpServer::stop() {
    stop_listening();
    boost::system::error_code ignored;
    for (const auto& weak : state_->sockets) {
        if (const auto socket = weak.lock()) {
            socket->close(ignored);
        }
    }
    state_->sockets.clear();
}

} // namespace methos::test
