// A server and a client on one loop, and raw sockets for what a client would not do. Shared by the
// tests of this folder. Every test has its own loop, port and files; run() ends a test that hangs.
#pragma once

#include "core/http/client.hpp"
#include "core/http/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::http::test {

/// A body made of given pieces; counts what was read, and can break at its end.
class Pieces final : public BodyReader {
  public:
    explicit Pieces(std::list<std::string> pieces, std::optional<Error> failure = std::nullopt)
        : pieces_(std::move(pieces)), failure_(std::move(failure)) {}

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    void abandon() noexcept override { abandoned = true; }

    bool abandoned = false;

  private:
    std::list<std::string> pieces_;
    std::optional<Error> failure_;
};

/// A body without end, that counts how much of it was pulled.
class Endless final : public BodyReader {
  public:
    explicit Endless(std::size_t piece_bytes) : piece_bytes_(piece_bytes) {}

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    void abandon() noexcept override { abandoned = true; }

    std::size_t pulled_bytes = 0;
    bool abandoned = false;

  private:
    std::size_t piece_bytes_;
};

/// Bytes that differ everywhere, so that a lost or doubled piece shows.
[[nodiscard]] std::string pattern(std::size_t bytes);

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

} // namespace methos::http::test
