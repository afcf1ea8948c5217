#include "executor/checks/health_checker.hpp"

#include "core/observe/log.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t requests_max = 64; // at once
constexpr std::size_t commands_max = 8; // in each lane; one is 100 ms of CPU (docker-engine.md 1.6)
constexpr Duration pause_min = 1ms;
constexpr Duration pause_max = 60s;

} // namespace

HealthChecker::HealthChecker(const asio::any_io_executor& executor,
                             docker::Engine& engine,
                             Teller tell)
    : book_(system_uniform()), prober_(executor, engine), tell_(std::move(tell)),
      requests_(executor, requests_max), commands_(executor, commands_max),
      slow_commands_(executor, commands_max), wake_(executor),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("a health check ended unexpectedly", error, {{"part", child}});
      }) {}

awaitable<> HealthChecker::run() {
    for (;;) {
        const auto now = clock_.now().mono;
        for (auto& probe : book_.take_due(now)) {
            group_.spawn("probe", run_probe(std::move(probe)));
        }
        auto pause = pause_max;
        if (const auto next = book_.next_due()) {
            pause = std::clamp<Duration>(*next - now, pause_min, pause_max);
        }
        co_await wake_.wait_for(pause);
    }
}

awaitable<> HealthChecker::stop() {
    group_.stop();
    co_await group_.join();
}

void HealthChecker::watch(const TaskName& name, const CheckedTask& task) {
    book_.watch(name, task, clock_.now().mono);
    wake_.notify();
}

/// Commands that hang have a lane of their own, where they wait for each other only.
Semaphore& HealthChecker::lane_of(const DueProbe& probe) {
    if (probe.check.kind != ProbeKind::Command) {
        return requests_;
    }
    return probe.slow ? slow_commands_ : commands_;
}

awaitable<> HealthChecker::run_probe(DueProbe probe) {
    auto& lane = lane_of(probe);
    ProbeResult result;
    {
        const auto permit = co_await lane.acquire();
        result = co_await prober_.probe(probe);
    }
    const auto verdict = book_.take(probe, result, clock_.now().mono);
    wake_.notify();
    if (verdict) {
        tell_(probe.task, *verdict);
    }
}

} // namespace methos::executor
