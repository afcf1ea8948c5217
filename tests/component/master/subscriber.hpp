// A client of a SUBSCRIBE answer that reads its chunks one by one from the socket, as they were
// sent: some real clients take each for one record. Made for tests; MasterLab::run() ends one that
// waits for ever.
#pragma once

#include "core/runtime/async.hpp"

#include <nlohmann/json_fwd.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <optional>
#include <string>

namespace methos::test {

class Subscriber {
  public:
    /// Sends the POST with a chunked body, as mesos-framework does, and reads the answer's head.
    [[nodiscard]] static awaitable<std::shared_ptr<Subscriber>>
    open(std::string url, std::string path, std::string body);

    explicit Subscriber(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int status() const;
    /// A header of the answer; empty when it has none.
    [[nodiscard]] std::string header(const std::string& name) const;
    /// The data of the next chunk; nothing at the body's proper end. Throws Unavailable when the
    /// connection was cut before it.
    [[nodiscard]] awaitable<std::optional<std::string>> chunk();
    /// The next event but HEARTBEAT, whose chunk must be exactly one record; null at the end.
    [[nodiscard]] awaitable<nlohmann::json> event();
    /// The next event of that type; others before it are dropped. Throws at the end.
    [[nodiscard]] awaitable<nlohmann::json> next(std::string type);

    void close() { socket_.close(); }

  private:
    [[nodiscard]] awaitable<std::string> take_until(std::string mark);
    [[nodiscard]] awaitable<std::string> take(std::size_t bytes);
    [[nodiscard]] awaitable<> fill();

    asio::ip::tcp::socket socket_;
    std::string head_;
    std::string input_;
};

} // namespace methos::test
