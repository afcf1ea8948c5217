// A loop with bus ends on 127.0.0.1 and a free port, driven by the test: run_until() turns the loop
// until a condition holds, and fails the test when a generous limit passes without it.
#pragma once

#include "core/bus/bus.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace methos::bus::testing {

class Loop {
  public:
    [[nodiscard]] asio::any_io_executor executor() { return context_.get_executor(); }

    void run_until(const std::function<bool()>& condition) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!condition()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            context_.restart();
            context_.run_one_for(std::chrono::milliseconds(100));
        }
    }

    /// Runs what is ready now.
    void poll() {
        context_.restart();
        context_.poll();
    }

  private:
    asio::io_context context_;
};

/// A server that records what happens.
struct Server {
    explicit Server(Loop& loop,
                    CurveKeys keys_ = make_curve_keys(),
                    std::string bind = "tcp://127.0.0.1:0",
                    std::function<void(ServerOptions&)> tune = {})
        : keys(std::move(keys_)) {
        ServerOptions options;
        options.bind = std::move(bind);
        options.keys = keys;
        if (tune) {
            tune(options);
        }
        BusServer::Handlers handlers;
        handlers.on_frame = [this](const PeerId& peer, std::string frame) {
            frames.emplace_back(peer, std::move(frame));
            if (on_frame) {
                on_frame(peer, frames.back().second);
            }
        };
        handlers.on_closed = [this](const PeerId& peer) { closed.push_back(peer); };
        handlers.on_trouble = [this](const std::string& what) { troubles.push_back(what); };
        bus = std::make_unique<BusServer>(loop.executor(), options, std::move(handlers));
    }

    CurveKeys keys;
    std::unique_ptr<BusServer> bus;
    std::vector<std::pair<PeerId, std::string>> frames;
    std::vector<PeerId> closed;
    std::vector<std::string> troubles;
    std::function<void(const PeerId&, const std::string&)> on_frame;
};

/// A client that records what happens.
struct Client {
    Client(Loop& loop,
           const std::string& address,
           const std::string& server_key,
           std::function<void(ClientOptions&)> tune = {}) {
        ClientOptions options;
        options.address = address;
        options.server_key = server_key;
        options.keys = make_curve_keys();
        if (tune) {
            tune(options);
        }
        BusClient::Handlers handlers;
        handlers.on_frame = [this](std::string frame) {
            frames.push_back(std::move(frame));
            if (on_frame) {
                on_frame(frames.back());
            }
        };
        handlers.on_connected = [this] { ++connected; };
        handlers.on_disconnected = [this](const std::string& why) { disconnected.push_back(why); };
        bus = std::make_unique<BusClient>(loop.executor(), options, std::move(handlers));
    }

    std::unique_ptr<BusClient> bus;
    std::vector<std::string> frames;
    std::size_t connected = 0;
    std::vector<std::string> disconnected;
    std::function<void(const std::string&)> on_frame;
};

} // namespace methos::bus::testing
