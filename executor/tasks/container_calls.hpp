// The lifecycle's wishes as calls to the Engine, and what came of them as its events. Every call
// ends in exactly one event, whatever the Engine or the connection does; only a cancelled one
// (shutdown) throws. Owns nothing.
#pragma once

#include "executor/docker/engine.hpp"
#include "executor/tasks/stop_witness.hpp"
#include "executor/tasks/task_event.hpp"

namespace methos::executor {

class ContainerCalls {
  public:
    /// `engine` and `witness` must outlive it.
    ContainerCalls(docker::Engine& engine, const StopWitness& witness)
        : engine_(engine), witness_(witness) {}

    [[nodiscard]] awaitable<Event> create(docker::ContainerConfig config, std::string name);
    [[nodiscard]] awaitable<Event> start(std::string container);
    [[nodiscard]] awaitable<Event> inspect(std::string container);
    [[nodiscard]] awaitable<Event> stop(std::string container, Duration grace);
    [[nodiscard]] awaitable<Event> force_kill(std::string container);
    [[nodiscard]] awaitable<Event> remove(std::string container);
    /// For one that may run although Docker does not know of it.
    [[nodiscard]] awaitable<Event> remove_with_processes(std::string container);
    [[nodiscard]] awaitable<Event> prove_docker();

  private:
    docker::Engine& engine_;
    const StopWitness& witness_;
};

} // namespace methos::executor
