// The runner's doors: its construction, what the master says, what others ask, and the clockwork.
// What Docker says is in runner_docker.cpp, what the task book asks for in runner_actions.cpp.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

constexpr std::size_t inspects_max = 16;
constexpr std::size_t creates_max = 8;
constexpr std::size_t removes_max = 4;
constexpr Duration pump_longest = std::chrono::seconds(60);

} // namespace

TaskRunner::TaskRunner(const asio::any_io_executor& executor,
                       docker::Engine& engine,
                       ImagePuller& images,
                       Fetcher& files,
                       RunnerOptions options,
                       RunnerHandlers handlers)
    : engine_(engine), images_(images), files_(files), options_(std::move(options)),
      handlers_(std::move(handlers)), calls_(engine, witness_),
      host_paths_(executor, options_.host_paths),
      watch_(executor,
             engine,
             options_.plan.host,
             DockerHandlers{
                 [this](const auto& version, const auto& info, const ContainerList& list) {
                     docker_up(version, info, list);
                 },
                 [this](const std::string& why) { docker_down(why); },
                 [this](const docker::Event& event) { docker_event(event); },
                 [this](const ContainerList& list) {
                     carry_out(book_.listed(facts_of(list), clock_.now()));
                     kill_lost_processes();
                 },
             },
             options_.watch),
      book_(options_.plan.host, options_.keeps_ended), processes_(options_.processes),
      health_(executor,
              engine,
              [this](const TaskName& task, const HealthVerdict& verdict) {
                  deliver(task, event::Health{verdict.healthy, verdict.kill, verdict.message});
              }),
      starts_(executor, options_.starts_max), inspects_(executor, inspects_max),
      creates_(executor, creates_max), removes_(executor, removes_max), pump_(executor),
      lasting_(executor,
               [this](const std::string&, const Error& error) { handlers_.broke(error); }),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("a part of the executor ended unexpectedly", error, {{"part", child}});
      }) {}

TaskRunner::~TaskRunner() = default;

void TaskRunner::start() {
    lasting_.spawn("docker watch", watch_.run());
    lasting_.spawn("timers and updates", run_pump());
    lasting_.spawn("health checks", health_.run());
}

awaitable<> TaskRunner::stop() {
    lasting_.stop();
    group_.stop();
    co_await health_.stop();
    co_await lasting_.join();
    co_await group_.join();
}

// ---- what the master says ------------------------------------------------------------------

void TaskRunner::launch(std::shared_ptr<const TaskSpec> spec, TaskLaunch launch) {
    if (book_.find(launch.name) == nullptr) {
        const auto planned = plan_container(*spec, launch, options_.plan);
        const auto fetchable = files_.check(spec->fetch);
        if (!planned || !fetchable) {
            const auto& error = planned ? fetchable.error() : planned.error();
            const bool denied = error.code == Code::Forbidden;
            refuse(launch,
                   TaskState::Error,
                   denied ? Reason::PolicyDenied : Reason::InvalidSpec,
                   error.to_string());
            return;
        }
        const auto trouble = options_.trouble ? options_.trouble() : std::string();
        if (!trouble.empty()) { // the LAUNCH was on its way when the master was told
            refuse(launch,
                   TaskState::Dropped,
                   Reason::LaunchFailed,
                   "this host takes no new tasks: " + trouble);
            return;
        }
        log::info("launching",
                  {{"task", launch.name.value},
                   {"image", spec->image},
                   {"request", launch.request.value}});
    }
    carry_out(book_.launch(std::move(spec), std::move(launch), clock_.now()));
}

void TaskRunner::refuse(const TaskLaunch& launch,
                        TaskState state,
                        Reason reason,
                        std::string message) {
    log::warning("refused a task", {{"task", launch.name.value}, {"why", message}});
    book_.refuse(launch, state, reason, std::move(message), clock_.now());
    pump_.notify();
}

void TaskRunner::kill(TaskNumber number, TaskName name, std::optional<Duration> grace) {
    carry_out(book_.kill(number, std::move(name), grace, clock_.now()));
}

void TaskRunner::acknowledge(TaskNumber number, const TaskName& name, std::uint64_t stamp) {
    carry_out(book_.acknowledge(number, name, stamp, clock_.now()));
}

void TaskRunner::session_opened(const std::string& cluster) {
    options_.plan.cluster = cluster;
    book_.session_opened();
    pump_.notify();
}

void TaskRunner::session_closed() {
    book_.session_closed();
}

// ---- the clockwork -------------------------------------------------------------------------

/// Due timers of the book, and due updates to the master.
awaitable<> TaskRunner::run_pump() {
    for (;;) {
        const auto now = clock_.now();
        const auto next = turn(now);
        const auto pause = next ? std::clamp<Duration>(*next - now.mono,
                                                       Duration(std::chrono::milliseconds(1)),
                                                       pump_longest)
                                : pump_longest;
        co_await pump_.wait_for(pause);
    }
}

std::optional<MonoTime> TaskRunner::turn(const Now& now) {
    auto orders = book_.tick(now);
    if (!orders.empty()) { // carrying out nothing would wake the pump for ever
        carry_out(std::move(orders));
    }
    auto updates = book_.take_updates(now);
    if (!updates.empty()) {
        handlers_.send(std::move(updates));
    }
    return book_.next_due();
}

// ---- what others ask -----------------------------------------------------------------------

std::string TaskRunner::container_of(const TaskName& name) const {
    const auto* task = book_.find(name);
    return task == nullptr ? std::string() : task->life.container_id();
}

} // namespace methos::executor
