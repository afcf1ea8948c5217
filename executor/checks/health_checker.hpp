// Runs the health checks of this host's tasks: asks its HealthBook what is due, probes with bounded
// concurrency, and hands on what the results mean. Owned by the TaskRunner, which tells it what
// runs. Decides nothing. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/checks/health_book.hpp"
#include "executor/checks/prober.hpp"

#include <functional>

namespace methos::executor {

class HealthChecker {
  public:
    using Teller = std::function<void(const TaskName& task, const HealthVerdict& verdict)>;

    /// `engine` must outlive it; `tell` is called from its coroutines only.
    HealthChecker(const asio::any_io_executor& executor, docker::Engine& engine, Teller tell);

    /// Probes until cancelled.
    [[nodiscard]] awaitable<> run();
    /// Ends all probes. Before it is destroyed.
    [[nodiscard]] awaitable<> stop();

    void watch(const TaskName& name, const CheckedTask& task);

    void forget(const TaskName& name) { book_.forget(name); }

  private:
    [[nodiscard]] Semaphore& lane_of(const DueProbe& probe);
    [[nodiscard]] awaitable<> run_probe(DueProbe probe);

    HealthBook book_;
    Prober prober_;
    Teller tell_;
    SystemClock clock_;
    Semaphore requests_;
    Semaphore commands_;
    Semaphore slow_commands_;
    Signal wake_;
    TaskGroup group_; ///< last: its children use all of the above
};

} // namespace methos::executor
