// The runner's doors: its construction, what the master says, what others ask, and the clockwork.
// What Docker says is in runner_docker.cpp, what the lifecycles ask for in runner_actions.cpp.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

constexpr std::size_t inspects_max = 16;
constexpr std::size_t creates_max = 8;
constexpr std::size_t removes_max = 4;
constexpr std::size_t pending_kills_max = 10'000;
constexpr Duration pump_longest = std::chrono::seconds(60);

} // namespace

TaskRunner::TaskRunner(asio::any_io_executor executor,
                       docker::Engine& engine,
                       ImagePuller& images,
                       RunnerOptions options,
                       RunnerHandlers handlers)
    : engine_(engine), images_(images), options_(std::move(options)),
      handlers_(std::move(handlers)), calls_(engine),
      watch_(engine,
             options_.plan.host,
             DockerHandlers{
                 [this](const auto& version, const auto& info, ContainerList list) {
                     docker_up(version, info, std::move(list));
                 },
                 [this](const std::string& why) { docker_down(why); },
                 [this](const docker::Event& event) { docker_event(event); },
                 [this](ContainerList list) {
                     reconcile(list);
                     kill_lost_processes();
                 },
             }),
      starts_(executor, options_.starts_max), inspects_(executor, inspects_max),
      creates_(executor, creates_max), removes_(executor, removes_max), pump_(executor),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("a part of the executor ended unexpectedly", error, {{"part", child}});
      }) {}

TaskRunner::~TaskRunner() = default;

void TaskRunner::start() {
    group_.spawn("docker watch", watch_.run());
    group_.spawn("timers and updates", run_pump());
}

awaitable<> TaskRunner::stop() {
    group_.stop();
    co_await group_.join();
}

// ---- what the master says ------------------------------------------------------------------

void TaskRunner::launch(std::shared_ptr<const TaskSpec> spec, TaskLaunch launch) {
    const auto name = launch.name;
    if (const auto known = tasks_.find(name); known != tasks_.end()) {
        auto& life = known->second.life;
        life.set_number(launch.number);
        outbox_.set_number(name, launch.number);
        if (outbox_.outstanding(name) == nullptr) {
            const auto& last = life.last_status();
            outbox_.add(last, last.state == TaskState::Running || is_terminal(last.state));
        }
        pump_.notify();
        return;
    }
    auto planned = plan_container(*spec, launch, options_.plan);
    if (!planned) {
        const bool denied = planned.error().code == Code::Forbidden;
        refuse(launch,
               TaskState::Error,
               denied ? Reason::PolicyDenied : Reason::InvalidSpec,
               planned.error().to_string());
        return;
    }
    TaskIdentity identity;
    identity.number = launch.number;
    identity.name = name;
    identity.app = spec->app;
    identity.host = options_.plan.host;
    identity.spec_hash = spec->hash;
    identity.attempt = launch.attempt;
    identity.kill_grace = spec->kill_grace;
    Task task{Lifecycle::launched(std::move(identity), docker_.up),
              std::move(spec),
              std::move(launch),
              container_name_of(name)};
    log::info("launching",
              {{"task", name.value},
               {"image", task.spec->image},
               {"request", task.launch.request.value}});
    tasks_.emplace(name, std::move(task));
    deliver(name, event::Begin());
}

void TaskRunner::refuse(const TaskLaunch& launch,
                        TaskState state,
                        Reason reason,
                        std::string message) {
    if (outbox_.outstanding(launch.name) != nullptr) {
        return; // said already
    }
    log::warning("refused a task", {{"task", launch.name.value}, {"why", message}});
    TaskStatus status;
    status.number = launch.number;
    status.name = launch.name;
    status.state = state;
    status.reason = reason;
    status.message = std::move(message);
    status.time = clock_.now().wall;
    outbox_.add(std::move(status), true);
    pump_.notify();
}

void TaskRunner::kill(TaskNumber number, TaskName name, std::optional<Duration> grace) {
    if (name.empty()) {
        name = name_of(number).value_or(TaskName());
    }
    if (tasks_.contains(name)) {
        if (!number.empty()) {
            tasks_.at(name).life.set_number(number);
            outbox_.set_number(name, number);
        }
        deliver(name, event::Kill{grace});
        return;
    }
    if (outbox_.outstanding(name) != nullptr) {
        return; // refused; the master will hear
    }
    if (!listed_) {
        if (pending_kills_.size() < pending_kills_max && !name.empty()) {
            pending_kills_[name] = PendingKill{number, grace};
        }
        return;
    }
    TaskStatus status;
    status.number = number;
    status.name = name;
    status.state = TaskState::Dropped;
    status.reason = Reason::Reconciliation;
    status.message = "no such task on this host";
    status.time = clock_.now().wall;
    outbox_.add(std::move(status), false);
    pump_.notify();
}

void TaskRunner::acknowledge(TaskNumber number, const TaskName& name, std::uint64_t stamp) {
    const auto acked = outbox_.ack(number, name, stamp);
    if (!acked) {
        return;
    }
    pump_.notify();
    if (!acked->terminal) {
        return;
    }
    if (tasks_.contains(acked->name)) {
        deliver(acked->name, event::TerminalAcked());
    } else {
        outbox_.forget(acked->name);
    }
}

void TaskRunner::session_opened(const std::string& cluster) {
    options_.plan.cluster = cluster;
    outbox_.session_opened();
    pump_.notify();
}

void TaskRunner::session_closed() {
    outbox_.session_closed();
}

// ---- the clockwork -------------------------------------------------------------------------

/// The clockwork: due timers of the lifecycles, and due updates to the master.
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
    std::vector<TaskName> due;
    std::optional<MonoTime> next;
    for (const auto& [name, task] : tasks_) {
        const auto wake_at = task.life.wake_at();
        if (wake_at && *wake_at <= now.mono) {
            due.push_back(name);
        } else if (wake_at) {
            next = next ? std::min(*next, *wake_at) : *wake_at;
        }
    }
    for (const auto& name : due) {
        deliver(name, event::Timer());
    }
    auto updates = outbox_.take_due(now.mono);
    if (!updates.empty()) {
        handlers_.send(std::move(updates));
    }
    if (const auto resend = outbox_.next_due()) {
        next = next ? std::min(*next, *resend) : *resend;
    }
    return next;
}

// ---- what others ask -----------------------------------------------------------------------

std::vector<TaskStatus> TaskRunner::inventory() const {
    std::vector<TaskStatus> statuses;
    statuses.reserve(tasks_.size());
    for (const auto& [name, task] : tasks_) {
        const auto* outstanding = outbox_.outstanding(name);
        statuses.push_back(outstanding == nullptr ? task.life.last_status() : *outstanding);
    }
    return statuses;
}

std::string TaskRunner::container_of(const TaskName& name) const {
    const auto found = tasks_.find(name);
    return found == tasks_.end() ? std::string() : found->second.life.container_id();
}

std::optional<TaskName> TaskRunner::name_of(TaskNumber number) const {
    for (const auto& [name, task] : tasks_) {
        if (task.life.identity().number == number) {
            return name;
        }
    }
    return std::nullopt;
}

} // namespace methos::executor
