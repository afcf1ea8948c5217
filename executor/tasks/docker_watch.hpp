// Keeps in touch with Docker: connects, subscribes to events before it lists, lists every 30 s,
// pings, and starts over with a short backoff for ever when the daemon goes away. A dockerd that
// ends takes no new connections and goes on telling what it does to its containers: it counts as
// away then, and is heard to its end. Tells what it saw and decides nothing. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/docker/engine.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace methos::executor {

using ContainerList = std::vector<docker::ContainerSummary>;

struct DockerHandlers {
    std::function<void(const docker::EngineVersion&, const docker::EngineInfo&, ContainerList)> up;
    std::function<void(const std::string& why)> down; ///< once per outage, also when never up
    std::function<void(const docker::Event&)> event;
    std::function<void(ContainerList)> listed;
};

/// How often it looks by itself, whatever events say.
struct WatchIntervals {
    Duration list = std::chrono::seconds(30);
    Duration ping = std::chrono::seconds(5);
};

class DockerWatch {
  public:
    /// Watches the containers that carry `host_id`. `engine` must outlive it.
    DockerWatch(const asio::any_io_executor& executor,
                docker::Engine& engine,
                std::string host_id,
                DockerHandlers handlers,
                WatchIntervals intervals = WatchIntervals());

    /// Runs until cancelled.
    [[nodiscard]] awaitable<> run();

    /// Something looks as if Docker were about to end: pings it at once.
    void doubt() { doubts_.notify(); }

  private:
    enum class Sign : std::uint8_t { Answers, Silent, Unreachable };

    [[nodiscard]] awaitable<> connect_and_follow();
    [[nodiscard]] awaitable<> hear_past_events(docker::EventQuery query);
    [[nodiscard]] awaitable<> follow(docker::EventStream& events);
    [[nodiscard]] awaitable<> list_regularly();
    [[nodiscard]] awaitable<> ping_regularly();
    [[nodiscard]] awaitable<> hear_last_words();
    [[nodiscard]] awaitable<Sign> ping();
    void tell_down(const std::string& why);
    [[nodiscard]] docker::EventQuery our_events() const;
    [[nodiscard]] docker::ListQuery ours() const;

    docker::Engine& engine_;
    std::string host_id_;
    DockerHandlers handlers_;
    WatchIntervals intervals_;
    SystemClock clock_;
    Signal doubts_;
    bool up_ = false;   ///< connected, as far as is known
    bool told_ = false; ///< that it is down
    WallTime alive_at_; ///< its last sign of life; epoch: none yet
};

} // namespace methos::executor
