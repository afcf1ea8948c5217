// A small HTTP/1.1 server on a Unix socket for tests: one loop, keep-alive, answers that stream,
// and every way to answer badly (cut, split at every byte, never). Owned by the fake that uses it.
// Not for production: it trusts its clients.
#pragma once

#include "core/http/message.hpp"
#include "core/runtime/async.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::test {

struct UnixRequest {
    std::string method;
    std::string target; ///< "/v1.41/info?x=1": as sent
    std::string path;   ///< decoded, without the query
    std::vector<std::pair<std::string, std::string>> query;
    http::Headers headers;
    std::string body;

    /// The query's value of that name, or empty.
    [[nodiscard]] std::string parameter(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> parameters(const std::string& name) const;
};

/// One request and the way to answer it.
class UnixExchange {
  public:
    UnixExchange(std::shared_ptr<asio::local::stream_protocol::socket> socket,
                 UnixRequest asked,
                 bool split_bytes,
                 bool keep_alive);

    const UnixRequest request;

    /// A whole answer with its length.
    [[nodiscard]] awaitable<void> answer(int status, std::string body, http::Headers headers);
    /// The length of the whole, half of it, and a closed connection.
    [[nodiscard]] awaitable<void> answer_cut(int status, std::string body, http::Headers headers);
    /// A chunked answer: begin, write..., end.
    [[nodiscard]] awaitable<void> begin(int status, http::Headers headers);
    /// An answer without length that ends with the connection: write..., then close().
    [[nodiscard]] awaitable<void> begin_until_close(int status, http::Headers headers);
    [[nodiscard]] awaitable<void> write(std::string bytes);
    [[nodiscard]] awaitable<void> end();
    /// Closes the connection now; what was begun is cut.
    void close();
    /// Of the answer, its head and the marks of its chunks included, only so many bytes are sent;
    /// before the next one the connection closes and `on_cut` is called. What answers meanwhile
    /// finds out by an exception.
    void cut_after(std::size_t bytes, std::function<void()> on_cut);

    /// Waits for the signal; false when the client went away instead.
    [[nodiscard]] awaitable<bool> wait(Signal& signal);
    [[nodiscard]] awaitable<bool> wait(Gate& gate);

    [[nodiscard]] bool is_open() const;

  private:
    [[nodiscard]] std::string head_of(int status, const http::Headers& headers) const;
    [[nodiscard]] awaitable<void> send(std::string bytes);
    [[nodiscard]] awaitable<bool> wait_while_there(awaitable<void> event);

    std::shared_ptr<asio::local::stream_protocol::socket> socket_;
    bool split_bytes_;
    bool keep_alive_;
    bool chunked_ = false;
    std::optional<std::size_t> bytes_left_; ///< until the cut; none: there is none
    std::function<void()> on_cut_;
};

class UnixHttpServer {
  public:
    using Handler = std::function<awaitable<void>(std::shared_ptr<UnixExchange>)>;

    /// `handler` is called for each request, on the loop; its exceptions close the connection.
    UnixHttpServer(asio::any_io_executor executor, std::string path, Handler handler);
    UnixHttpServer(const UnixHttpServer&) = delete;
    UnixHttpServer& operator=(const UnixHttpServer&) = delete;
    ~UnixHttpServer(); ///< closes everything; coroutines that still run hold what they need

    void listen();
    /// No more connections; those that are there go on. listen() begins again.
    void stop_listening();
    /// And the existing ones are cut.
    void stop();
    /// Each byte of an answer's body is a chunk and a write of its own.
    void split_bytes(bool on);
    /// Without it, each answer says that it is the connection's last.
    void keep_alive(bool on);

    [[nodiscard]] const std::string& path() const noexcept;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace methos::test
