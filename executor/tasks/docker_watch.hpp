// Keeps in touch with Docker: connects, subscribes to events before it lists, lists every 30 s,
// pings, and starts over with a short backoff for ever when the daemon goes away. Tells what it saw
// and decides nothing. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/docker/engine.hpp"

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

class DockerWatch {
  public:
    /// Watches the containers that carry `host_id`. `engine` must outlive it.
    DockerWatch(docker::Engine& engine, std::string host_id, DockerHandlers handlers);

    /// Runs until cancelled.
    [[nodiscard]] awaitable<> run();

  private:
    [[nodiscard]] awaitable<> connect_and_follow();
    [[nodiscard]] awaitable<> follow(docker::EventStream& events);
    [[nodiscard]] awaitable<> list_regularly();
    [[nodiscard]] awaitable<> ping_regularly();
    [[nodiscard]] docker::ListQuery ours() const;

    docker::Engine& engine_;
    std::string host_id_;
    DockerHandlers handlers_;
    bool up_ = false;
};

} // namespace methos::executor
