// Does one probe of a task: an HTTP request, a connection, or a command in its container. What it
// answers is about the task alone: when Docker is the one that does not answer, the result is Void.
// Owned by HealthChecker; loop thread only. Knows nothing of what results mean.
#pragma once

#include "core/http/client.hpp"
#include "core/runtime/async.hpp"
#include "executor/checks/health_book.hpp"
#include "executor/docker/engine.hpp"

namespace methos::executor {

class Prober {
  public:
    /// `engine` must outlive it.
    Prober(const asio::any_io_executor& executor, docker::Engine& engine);

    /// Ends within its limit and a little. Throws nothing but Cancelled.
    [[nodiscard]] awaitable<ProbeResult> probe(DueProbe what);

  private:
    [[nodiscard]] awaitable<ProbeResult> ask_http(DueProbe what);
    [[nodiscard]] awaitable<ProbeResult> connect(DueProbe what);
    [[nodiscard]] awaitable<ProbeResult> run_command(DueProbe what);
    [[nodiscard]] awaitable<bool> docker_answers();

    http::Client client_;
    docker::Engine& engine_;
};

} // namespace methos::executor
