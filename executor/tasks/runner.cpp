#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"
#include "executor/tasks/labels.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr std::size_t inspects_max = 16;
constexpr std::size_t creates_max = 8;
constexpr std::size_t removes_max = 4;
constexpr std::size_t pending_kills_max = 10'000;
constexpr Duration adopt_retry = std::chrono::milliseconds(500);
constexpr int adopt_tries_max = 6; // then the list's row must do
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

// ---- what Docker says ----------------------------------------------------------------------

void TaskRunner::docker_up(const docker::EngineVersion& version,
                           const docker::EngineInfo& info,
                           ContainerList list) {
    docker_ = DockerState{true, version.engine, version.api.to_string(), info.root_dir};
    options_.plan.policy.forbidden_paths =
        forbidden_host_paths(engine_.socket_path(), info.root_dir);
    log::info("Docker is there", {{"version", docker_.version}, {"api", docker_.api}});
    handlers_.docker_changed();
    ++adopting_; // so that adoption_ended() is called at least once, after all of them
    reconcile(list);
    deliver_all(event::DockerUp());
    adoption_ended();
}

void TaskRunner::docker_down(const std::string& why) {
    log::warning("Docker is away; containers may live on", {{"why", why}});
    docker_.up = false;
    deliver_all(event::DockerDown());
    handlers_.docker_changed();
}

void TaskRunner::docker_event(const docker::Event& event) {
    const auto task = event.attributes.find(label::task);
    if (task == event.attributes.end()) {
        return;
    }
    const TaskName name(task->second);
    const auto found = tasks_.find(name);
    if (found != tasks_.end() && found->second.life.container_id() == event.id) {
        deliver(name, event::Hint{event.exit_code()});
    }
}

/// Compares what Docker lists with what is known: unknown containers are adopted, known ones that
/// differ are looked at.
void TaskRunner::reconcile(const ContainerList& list) {
    std::map<std::string, docker::ContainerStatus> rows;
    for (const auto& row : list) {
        rows.emplace(row.id, row.status);
        const auto identity = identity_of(row.labels);
        if (!identity || identity->host != options_.plan.host) {
            continue;
        }
        const auto known = tasks_.find(identity->name);
        if (known == tasks_.end()) {
            adopt(row);
            continue;
        }
        const auto& life = known->second.life;
        if (life.seen_status() && life.container_id() != row.id &&
            !adopting_ids_.contains(row.id)) {
            log::warning("a second container of one task; removing it",
                         {{"task", identity->name.value}, {"container", row.id}});
            auto remove = calls_.remove(row.id);
            group_.spawn("remove " + row.id, run_limited(TaskName(), removes_, std::move(remove)));
        }
    }
    std::vector<TaskName> changed;
    for (const auto& [name, task] : tasks_) {
        const auto seen = task.life.seen_status();
        const auto row = rows.find(task.life.container_id());
        if (seen && (row == rows.end() || status_of(row->second) != *seen)) {
            changed.push_back(name);
        }
    }
    for (const auto& name : changed) {
        deliver(name, event::Hint());
    }
}

/// A kill makes dockerd notice that the process is gone; then it ends as any other.
void TaskRunner::kill_lost_processes() {
    for (const auto& lost : processes_.check(clock_.now().mono)) {
        log::warning("Docker has missed the end of a task's process; killing the container",
                     {{"task", lost.name.value}, {"container", lost.container_id}});
        auto call = calls_.force_kill(lost.container_id);
        group_.spawn("kill", run_call(lost.name, std::move(call)));
    }
}

void TaskRunner::adopt(const docker::ContainerSummary& row) {
    if (adopting_ids_.insert(row.id).second) {
        ++adopting_;
        group_.spawn("adopt " + row.id, run_adopt(row));
    }
}

awaitable<> TaskRunner::run_adopt(docker::ContainerSummary row) {
    // An inventory without this container would be a lie, so there is no giving it up; and one
    // container that Docker cannot inspect (its files are damaged) must not keep the inventory of
    // all others back, so in the end what the list said of it must do.
    Event answer = event::InspectFailed();
    int tries = 0;
    while (docker_.up && std::holds_alternative<event::InspectFailed>(answer)) {
        if (tries == adopt_tries_max) {
            log::warning("Docker lists a container but cannot inspect it; going by the list",
                         {{"container", row.id}});
            answer = event::Seen{facts_of(row)};
            break;
        }
        if (tries++ > 0) {
            co_await sleep_for(adopt_retry);
        }
        const auto permit = co_await inspects_.acquire();
        answer = co_await calls_.inspect(row.id);
    }
    adopting_ids_.erase(row.id);
    const auto* seen = std::get_if<event::Seen>(&answer);
    if (seen != nullptr && !tasks_.contains(TaskName(seen->facts.task))) {
        const auto& facts = seen->facts;
        TaskIdentity identity;
        identity.name = TaskName(facts.task);
        identity.app = facts.app;
        identity.host = facts.host;
        identity.spec_hash = facts.spec_hash;
        identity.attempt = facts.attempt;
        identity.kill_grace = facts.kill_grace.value_or(identity.kill_grace);
        const auto name = identity.name;
        log::info("found a task's container again",
                  {{"task", name.value}, {"container", facts.id}});
        Task task{Lifecycle::adopted(std::move(identity)), nullptr, TaskLaunch(), ""};
        tasks_.emplace(name, std::move(task));
        deliver(name, answer);
    }
    adoption_ended();
}

void TaskRunner::adoption_ended() {
    if (--adopting_ > 0 || !docker_.up) {
        return;
    }
    listed_ = true;
    const auto kills = std::exchange(pending_kills_, {});
    for (const auto& [name, pending] : kills) {
        kill(pending.number, name, pending.grace);
    }
    handlers_.inventory_due();
}

// ---- the lifecycles ------------------------------------------------------------------------

void TaskRunner::deliver_all(const Event& event) {
    std::vector<TaskName> names;
    names.reserve(tasks_.size());
    for (const auto& [name, task] : tasks_) {
        names.push_back(name);
    }
    for (const auto& name : names) {
        deliver(name, event);
    }
}

/// Steps in order, also when performing an action brings the next event at once.
void TaskRunner::deliver(const TaskName& name, Event event) {
    events_.emplace_back(name, std::move(event));
    if (std::exchange(draining_, true)) {
        return;
    }
    while (!events_.empty()) {
        const auto [to, next] = std::move(events_.front());
        events_.pop_front();
        const auto found = tasks_.find(to);
        if (found == tasks_.end()) {
            continue;
        }
        if (const auto* seen = std::get_if<event::Seen>(&next)) {
            processes_.saw(to, seen->facts);
        }
        const auto actions = found->second.life.step(next, clock_.now());
        for (const auto& action : actions) {
            perform(to, action);
        }
    }
    draining_ = false;
    pump_.notify();
}

void TaskRunner::perform(const TaskName& name, const Action& action) {
    const auto found = tasks_.find(name);
    if (found != tasks_.end()) {
        std::visit([this, &found](const auto& wish) { do_action(found->second, wish); }, action);
    }
}

void TaskRunner::do_action(Task& task, const action::EnsureImage&) {
    const auto name = task.life.identity().name;
    ImageWaiter waiter;
    waiter.progress = [this, name](std::string text) {
        deliver(name, event::PullProgress{std::move(text)});
    };
    waiter.ready = [this, name](std::string id) {
        deliver(name, event::ImageReady{std::move(id)});
    };
    waiter.failed = [this, name](Reason reason, std::string message) {
        deliver(name, event::ImageFailed{reason, std::move(message)});
    };
    images_.ensure(name.value, task.spec->image, task.spec->force_pull, std::move(waiter));
}

void TaskRunner::do_action(Task& task, const action::AbandonImage&) {
    images_.abandon(task.life.identity().name.value);
}

void TaskRunner::do_action(Task& task, const action::Create& create) {
    const auto name = task.life.identity().name;
    auto planned = plan_container(*task.spec, task.launch, options_.plan);
    if (!planned) { // the policy has changed since the launch was accepted
        deliver(name, event::CreateFailed{CallFailure::Permanent, planned.error().to_string()});
        return;
    }
    planned->image = create.image_id;
    task.container_name = container_name_of(name) + create.name_suffix;
    auto call = calls_.create(std::move(*planned), task.container_name);
    group_.spawn("create", run_limited(name, creates_, std::move(call)));
}

void TaskRunner::do_action(Task& task, const action::Start& start) {
    group_.spawn("start", run_start(task.life.identity().name, start.container_id));
}

void TaskRunner::do_action(Task& task, const action::Inspect& inspect) {
    auto call =
        calls_.inspect(inspect.container_id.empty() ? task.container_name : inspect.container_id);
    group_.spawn("inspect", run_limited(task.life.identity().name, inspects_, std::move(call)));
}

void TaskRunner::do_action(Task& task, const action::Stop& stop) {
    auto call = calls_.stop(stop.container_id, stop.grace);
    group_.spawn("stop", run_call(task.life.identity().name, std::move(call)));
}

void TaskRunner::do_action(Task& task, const action::ForceKill& kill) {
    auto call = calls_.force_kill(kill.container_id);
    group_.spawn("kill", run_call(task.life.identity().name, std::move(call)));
}

void TaskRunner::do_action(Task& task, const action::Remove& remove) {
    auto call = calls_.remove(remove.container_id);
    group_.spawn("remove", run_limited(task.life.identity().name, removes_, std::move(call)));
}

void TaskRunner::do_action(Task& task, const action::Report& report) {
    const auto& status = report.status;
    if (report.needs_ack) {
        log::info("task is",
                  {{"task", status.name.value},
                   {"state", to_string(status.state)},
                   {"message", status.message}});
    }
    const bool kept = status.state == TaskState::Failed || status.state == TaskState::Finished;
    if (kept && !status.container_id.empty()) {
        for (const auto& [name, other] : tasks_) {
            const auto& app = task.life.identity().app;
            const bool same_app = !app.empty() && other.life.identity().app == app;
            if (same_app && other.life.ended() && name != status.name) {
                events_.emplace_back(name, event::Superseded()); // delivered after this step
            }
        }
    }
    outbox_.add(status, report.needs_ack);
}

void TaskRunner::do_action(Task& task, const action::Forget&) {
    const auto name = task.life.identity().name;
    outbox_.forget(name);
    processes_.forget(name);
    tasks_.erase(name);
}

// ---- the coroutines ------------------------------------------------------------------------

awaitable<> TaskRunner::run_call(TaskName name, awaitable<Event> call) {
    auto event = co_await std::move(call);
    deliver(name, std::move(event));
}

awaitable<> TaskRunner::run_limited(TaskName name, Semaphore& lane, awaitable<Event> call) {
    std::optional<Event> event;
    {
        const auto permit = co_await lane.acquire();
        event = co_await std::move(call);
    }
    deliver(name, std::move(*event));
}

awaitable<> TaskRunner::run_start(TaskName name, std::string container) {
    std::optional<Event> event;
    {
        const auto permit = co_await starts_.acquire();
        const auto found = tasks_.find(name);
        if (found == tasks_.end() || found->second.life.kill_wanted()) {
            event = event::StartFailed{CallFailure::NotSent, ""};
        } else {
            event = co_await calls_.start(std::move(container));
        }
    }
    deliver(name, std::move(*event));
}

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
