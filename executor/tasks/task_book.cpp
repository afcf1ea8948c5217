#include "executor/tasks/task_book.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr std::size_t kept_without_app_max = 16; // and the one that ended last
constexpr std::size_t pending_kills_max = 10'000;

} // namespace

// ---- what the master says ------------------------------------------------------------------

Orders TaskBook::launch(std::shared_ptr<const TaskSpec> spec, TaskLaunch launch, const Now& now) {
    Orders orders;
    const auto name = launch.name;
    if (const auto known = tasks_.find(name); known != tasks_.end()) {
        auto& life = known->second.life;
        life.set_number(launch.number);
        outbox_.set_number(name, launch.number);
        if (outbox_.outstanding(name) == nullptr) {
            const auto& last = life.last_status();
            outbox_.add(last, last.state == TaskState::Running || is_terminal(last.state));
        }
        return orders;
    }
    TaskIdentity identity;
    identity.number = launch.number;
    identity.name = name;
    identity.app = spec->app;
    identity.host = host_;
    identity.spec_hash = spec->hash;
    identity.attempt = launch.attempt;
    identity.kill_grace = spec->kill_grace;
    Task task{Lifecycle::launched(std::move(identity), docker_up_),
              std::move(spec),
              std::move(launch),
              container_name_of(name)};
    tasks_.emplace(name, std::move(task));
    step(name, event::Begin(), now, orders);
    return orders;
}

void TaskBook::refuse(
    const TaskLaunch& launch, TaskState state, Reason reason, std::string message, const Now& now) {
    if (outbox_.outstanding(launch.name) != nullptr) {
        return; // said already
    }
    TaskStatus status;
    status.number = launch.number;
    status.name = launch.name;
    status.state = state;
    status.reason = reason;
    status.message = std::move(message);
    status.time = now.wall;
    outbox_.add(std::move(status), true);
}

Orders
TaskBook::kill(TaskNumber number, TaskName name, std::optional<Duration> grace, const Now& now) {
    Orders orders;
    if (name.empty()) {
        name = name_of(number).value_or(TaskName());
    }
    if (const auto known = tasks_.find(name); known != tasks_.end()) {
        if (!number.empty()) {
            known->second.life.set_number(number);
            outbox_.set_number(name, number);
        }
        step(name, event::Kill{grace}, now, orders);
        return orders;
    }
    if (outbox_.outstanding(name) != nullptr) {
        return orders; // refused; the master will hear
    }
    if (!listed_) {
        if (pending_kills_.size() < pending_kills_max && !name.empty()) {
            pending_kills_[name] = PendingKill{number, grace};
        }
        return orders;
    }
    TaskStatus status;
    status.number = number;
    status.name = name;
    status.state = TaskState::Dropped;
    status.reason = Reason::Reconciliation;
    status.message = "no such task on this host";
    status.time = now.wall;
    outbox_.add(std::move(status), false);
    return orders;
}

Orders TaskBook::acknowledge(TaskNumber number,
                             const TaskName& name,
                             std::uint64_t stamp,
                             const Now& now) {
    Orders orders;
    const auto acked = outbox_.ack(number, name, stamp);
    if (!acked || !acked->terminal) {
        return orders;
    }
    if (tasks_.contains(acked->name)) {
        step(acked->name, event::TerminalAcked(), now, orders);
    } else {
        outbox_.forget(acked->name);
    }
    return orders;
}

// ---- what Docker says ----------------------------------------------------------------------

Orders TaskBook::docker_up(const std::vector<ContainerFacts>& list, const Now& now) {
    Orders orders;
    docker_up_ = true;
    compare(list, now, orders);
    step_all(event::DockerUp(), now, orders);
    adoption_ended(now, orders);
    return orders;
}

Orders TaskBook::docker_down(const Now& now) {
    Orders orders;
    docker_up_ = false;
    // The next list names them again. An inspect that is under way will be answered.
    std::erase_if(adoptions_, [](const auto& entry) {
        return entry.second.again_at.has_value() || entry.second.known;
    });
    step_all(event::DockerDown(), now, orders);
    return orders;
}

Orders TaskBook::listed(const std::vector<ContainerFacts>& list, const Now& now) {
    Orders orders;
    compare(list, now, orders);
    return orders;
}

Orders TaskBook::container_event(const TaskName& task,
                                 const std::string& container_id,
                                 const Event& event,
                                 const Now& now) {
    Orders orders;
    const auto found = tasks_.find(task);
    if (found == tasks_.end() || found->second.life.container_id() != container_id) {
        return orders;
    }
    step(task, event, now, orders);
    return orders;
}

void TaskBook::compare(const std::vector<ContainerFacts>& list, const Now& now, Orders& orders) {
    std::map<std::string, ContainerFacts::Status> rows;
    for (const auto& row : list) {
        rows.emplace(row.id, row.status);
        if (row.task.empty() || row.host != host_) {
            continue;
        }
        const TaskName name(row.task);
        const auto known = tasks_.find(name);
        if (known == tasks_.end()) {
            adopt(row, orders);
            continue;
        }
        const auto& life = known->second.life;
        if (life.seen_status() && life.container_id() != row.id && !adoptions_.contains(row.id)) {
            orders.emplace_back(order::RemoveStray{name, row.id});
        }
    }
    std::vector<TaskName> changed;
    for (const auto& [name, task] : tasks_) {
        const auto seen = task.life.seen_status();
        const auto row = rows.find(task.life.container_id());
        if (seen && (row == rows.end() || row->second != *seen)) {
            changed.push_back(name);
        }
    }
    for (const auto& name : changed) {
        step(name, event::Hint(), now, orders);
    }
    tell_the_blind(list, now, orders);
}

/// A damaged container is listed, and can be stopped and removed; only inspect fails, for ever.
void TaskBook::tell_the_blind(const std::vector<ContainerFacts>& list,
                              const Now& now,
                              Orders& orders) {
    std::map<TaskName, event::Listed> told;
    for (const auto& [name, task] : tasks_) {
        if (task.life.is_blind(now)) {
            told.emplace(name, event::Listed());
        }
    }
    for (const auto& row : list) {
        const auto found = told.find(TaskName(row.task));
        if (found == told.end() || row.host != host_) {
            continue;
        }
        const auto& id = tasks_.at(found->first).life.container_id();
        if (row.id == id || (id.empty() && !found->second.row)) {
            found->second.row = row;
        }
    }
    for (const auto& [name, listed] : told) {
        orders.emplace_back(
            order::Note{true,
                        "Docker cannot inspect a task's container; going by its list",
                        name,
                        listed.row ? listed.row->id : std::string()});
        step(name, listed, now, orders);
    }
}

// ---- the lifecycles ------------------------------------------------------------------------

Orders TaskBook::deliver(const TaskName& task, const Event& event, const Now& now) {
    Orders orders;
    step(task, event, now, orders);
    return orders;
}

void TaskBook::step_all(const Event& event, const Now& now, Orders& orders) {
    std::vector<TaskName> names;
    names.reserve(tasks_.size());
    for (const auto& [name, task] : tasks_) {
        names.push_back(name);
    }
    for (const auto& name : names) {
        step(name, event, now, orders);
    }
}

void TaskBook::step(const TaskName& name, const Event& event, const Now& now, Orders& orders) {
    const auto found = tasks_.find(name);
    if (found == tasks_.end()) {
        return;
    }
    auto& task = found->second;
    auto actions = task.life.step(event, now);
    std::vector<TaskName> superseded;
    bool forgotten = false;
    for (auto& action : actions) {
        if (const auto* report = std::get_if<action::Report>(&action)) {
            outbox_.add(report->status, report->needs_ack);
            superseded = superseded_by(task, report->status);
        } else if (const auto* create = std::get_if<action::Create>(&action)) {
            task.container_name = container_name_of(name) + create->name_suffix;
        } else if (std::holds_alternative<action::Remove>(action)) {
            note_if_it_runs_on(task.life, orders);
        } else if (std::holds_alternative<action::Forget>(action)) {
            forgotten = true;
        }
        orders.emplace_back(order::Perform{name, std::move(action)});
    }
    for (const auto& other : superseded) {
        step(other, event::Superseded(), now, orders);
    }
    if (forgotten) {
        outbox_.forget(name);
        tasks_.erase(found);
    }
}

void TaskBook::note_if_it_runs_on(const Lifecycle& life, Orders& orders) {
    const auto seen = life.seen_status();
    if (life.ended() && seen && has_process(*seen)) {
        orders.emplace_back(order::Note{true,
                                        "somebody started the container of an ended task again; "
                                        "removing it",
                                        life.identity().name,
                                        life.container_id()});
    }
}

/// The ended tasks whose containers are kept no longer: of an app all but the newest, of tasks that
/// belong to no app all but some.
std::vector<TaskName> TaskBook::superseded_by(const Task& task, const TaskStatus& status) const {
    const bool ended = status.state == TaskState::Failed || status.state == TaskState::Finished;
    if (!ended || status.container_id.empty()) {
        return {};
    }
    if (!keeps_ended_) {
        return {status.name};
    }
    const auto& app = task.life.identity().app;
    std::vector<std::pair<WallTime, TaskName>> others;
    for (const auto& [name, other] : tasks_) {
        if (other.life.identity().app == app && other.life.ended() && name != status.name) {
            others.emplace_back(other.life.last_status().time, name);
        }
    }
    std::sort(others.rbegin(), others.rend());
    std::vector<TaskName> names;
    for (auto at = app.empty() ? kept_without_app_max : 0; at < others.size(); ++at) {
        names.push_back(std::move(others[at].second));
    }
    return names;
}

// ---- the clock -----------------------------------------------------------------------------

Orders TaskBook::tick(const Now& now) {
    Orders orders;
    for (auto& [id, adoption] : adoptions_) {
        if (adoption.again_at && *adoption.again_at <= now.mono) {
            adoption.again_at.reset();
            ++adoption.tries;
            orders.emplace_back(order::InspectFound{id});
        }
    }
    std::vector<TaskName> due;
    for (const auto& [name, task] : tasks_) {
        const auto wake_at = task.life.wake_at();
        if (wake_at && *wake_at <= now.mono) {
            due.push_back(name);
        }
    }
    for (const auto& name : due) {
        step(name, event::Timer(), now, orders);
    }
    return orders;
}

std::vector<TaskStatus> TaskBook::take_updates(const Now& now) {
    return outbox_.take_due(now.mono);
}

std::optional<MonoTime> TaskBook::next_due() const {
    auto next = outbox_.next_due();
    const auto consider = [&next](const std::optional<MonoTime>& due) {
        if (due) {
            next = next ? std::min(*next, *due) : *due;
        }
    };
    for (const auto& [id, adoption] : adoptions_) {
        consider(adoption.again_at);
    }
    for (const auto& [name, task] : tasks_) {
        consider(task.life.wake_at());
    }
    return next;
}

// ---- what others ask -----------------------------------------------------------------------

bool TaskBook::may_start(const TaskName& task) const {
    const auto* known = find(task);
    return docker_up_ && known != nullptr && !known->life.kill_wanted();
}

const TaskBook::Task* TaskBook::find(const TaskName& task) const {
    const auto found = tasks_.find(task);
    return found == tasks_.end() ? nullptr : &found->second;
}

std::vector<TaskStatus> TaskBook::inventory() const {
    auto statuses = outbox_.outstanding(); // refused launches are nowhere else
    statuses.reserve(statuses.size() + tasks_.size());
    for (const auto& [name, task] : tasks_) {
        if (outbox_.outstanding(name) == nullptr) {
            statuses.push_back(task.life.last_status());
        }
    }
    return statuses;
}

std::optional<TaskName> TaskBook::name_of(TaskNumber number) const {
    for (const auto& [name, task] : tasks_) {
        if (task.life.identity().number == number) {
            return name;
        }
    }
    return std::nullopt;
}

} // namespace methos::executor
