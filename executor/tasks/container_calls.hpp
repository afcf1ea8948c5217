// The lifecycle's wishes as calls to the Engine, and what came of them as its events. Every call
// ends in exactly one event, whatever the Engine or the connection does; only a cancelled one
// (shutdown) throws. Owns nothing.
#pragma once

#include "executor/docker/engine.hpp"
#include "executor/tasks/task_event.hpp"

namespace methos::executor {

class ContainerCalls {
  public:
    /// `engine` must outlive it.
    explicit ContainerCalls(docker::Engine& engine) : engine_(engine) {}

    [[nodiscard]] awaitable<Event> create(docker::ContainerConfig config, std::string name);
    [[nodiscard]] awaitable<Event> start(std::string container);
    [[nodiscard]] awaitable<Event> inspect(std::string container);
    [[nodiscard]] awaitable<Event> stop(std::string container, Duration grace);
    [[nodiscard]] awaitable<Event> force_kill(std::string container);
    [[nodiscard]] awaitable<Event> remove(std::string container);

  private:
    docker::Engine& engine_;
};

} // namespace methos::executor
