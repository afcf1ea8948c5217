// A server and a client on one loop, and raw sockets for what a client would not do. Shared by the
// tests of this folder. Every test has its own loop, port and files; run() ends a test that hangs.
#pragma once

#include "core/http/client.hpp"
#include "core/http/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::http::test {

class RawConnection {
  public:
    explicit RawConnection(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

    [[nodiscard]] awaitable<> send(std::string text);
    /// Reads until `text` has been seen or the peer closes; returns all since the last call.
    [[nodiscard]] awaitable<std::string> read_until(std::string text);
    /// Reads until the peer closes or resets.
    [[nodiscard]] awaitable<std::string> read_rest();
    void shut_down_sending();
    void close();

    [[nodiscard]] asio::ip::tcp::socket& socket() { return socket_; }

  private:
    asio::ip::tcp::socket socket_;
};

class World {
  public:
    World();

    /// Adds a public route.
    void route(std::string method, std::string pattern, Handler handler);
    void route(Route route);
    void start();
    /// Runs `body` on the loop until it ends; its failure becomes the test's. 60 s at most.
    void run(awaitable<> body);

    [[nodiscard]] std::string url(const std::string& path) const;
    [[nodiscard]] ClientRequest get(const std::string& path) const;
    [[nodiscard]] awaitable<std::shared_ptr<RawConnection>> connect();

    asio::io_context context;
    asio::any_io_executor executor = context.get_executor();
    ServerOptions options;
    Router router;
    std::optional<Server> server;
    Client client;
    std::string address; ///< "127.0.0.1:41234"
    std::vector<AccessRecord> records;

  private:
    bool started_ = false;
};

/// A handler that answers a constant text.
[[nodiscard]] Handler says(std::string text);

/// Lets everything that is ready on the loop run, some turns long.
[[nodiscard]] awaitable<> settle();
/// Settles until it holds. A test whose condition never does is ended by run().
[[nodiscard]] awaitable<> wait_until(std::function<bool()> condition);

} // namespace methos::http::test
