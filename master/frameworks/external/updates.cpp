// Status updates: what changes of a task are told, kept until they are acknowledged, in order, and
// repeated until then.
#include "master/frameworks/external/external.hpp"
#include "master/frameworks/external/publish.hpp"
#include "master/frameworks/external/stored.hpp"

#include <algorithm>

namespace methos::external {

namespace {

constexpr std::size_t updates_per_turn = 256; ///< that are repeated; the next turn goes on

/// The 16 bytes of "b6ff1234-...".
std::string bytes_of_uuid(const std::string& text) {
    std::string bytes;
    unsigned digits = 0;
    unsigned byte = 0;
    for (const char c : text) {
        if (c == '-') {
            continue;
        }
        byte = byte << 4U | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
        if (++digits % 2 == 0) {
            bytes += static_cast<char>(byte & 0xffU);
        }
    }
    return bytes;
}

/// Of a state that no executor reported: Mesos's master makes such updates, without a uuid.
bool by_master(TaskState state) {
    return state == TaskState::Unreachable || state == TaskState::Killing;
}

} // namespace

Update External::update_of(const ForeignFramework& framework,
                           const ForeignTask& mine,
                           const cluster::Task& task) const {
    Update update;
    update.task_id = mine.id;
    update.agent_id = mine.latest.agent_id;
    update.state = task.state();
    if (update.state == TaskState::Killing && !framework.info.can("TASK_KILLING_STATE")) {
        update.state = task.reported;
    }
    const bool decided_here =
        is_terminal(task.reported) &&
        (task.reason == Reason::Reconciliation || task.reason == Reason::HostGone);
    update.source =
        by_master(update.state) || decided_here ? StatusSource::Master : StatusSource::Executor;
    const bool killed = update.state == TaskState::Killing || update.state == TaskState::Killed;
    update.reason = mesos_reason(killed && task.kill_wanted ? task.kill_reason : task.reason);
    update.message = task.message;
    update.time = task.changed_at;
    update.healthy = task.healthy;
    update.container_id = task.container_id;
    update.ip_addresses = task.ip_addresses;
    if (update.state == TaskState::Unreachable) {
        update.reason = mesos_reason(Reason::HostUnreachable);
        if (const auto* host = cluster_.find_host(task.host)) {
            update.unreachable_since = host->lost_at;
        }
    }
    return update;
}

void External::task_changed(const FrameworkId& id,
                            const cluster::Task& task,
                            TaskState before,
                            cluster::Step& step) {
    auto& framework = frameworks_.at(id);
    const bool over = is_terminal(task.reported);
    if (over) {
        release_spec(framework, task.spec, step);
    }
    const auto known = framework.ids.find(task.number);
    if (known == framework.ids.end()) {
        return;
    }
    auto& mine = framework.tasks.at(known->second);
    if (over) {
        framework.ids.erase(known);
        mine.number = TaskNumber();
    }
    if (framework.over_for_good()) {
        if (over) {
            forget(framework, mine, step);
            step.more = step.more || framework.tasks.empty();
        }
        return;
    }
    const bool same_state = task.state() == before;
    if (same_state &&
        (task.reported != TaskState::Running || task.healthy == mine.latest.healthy)) {
        return; // progress within a state: nothing that Mesos would tell
    }
    auto update = update_of(framework, mine, task);
    if (same_state) {
        update.reason = mesos_reason(Reason::HealthCheckFailed); // Mesos's word for both ways
    }
    if (before == TaskState::Unreachable && !over) {
        update.reason = mesos_reason(Reason::HostReturned);
    }
    if (!by_master(task.state())) {
        keep(framework, mine, std::move(update), step);
    } else if (task.state() == update.state) { // else it is a KILLING that is not to be seen
        mine.latest = update;
        publish(framework, std::move(update), step);
    }
}

void External::keep(ForeignFramework& framework,
                    ForeignTask& task,
                    Update update,
                    cluster::Step& step) {
    update.uuid = bytes_of_uuid(cluster_.new_uuid(step));
    if (task.pending.size() < limits_.unacknowledged_per_task_max) {
        task.pending.push_back({next_update_key_++, {}});
        ++framework.unacknowledged;
    } // else the newest takes the place of the last, which has not been sent
    auto& last = task.pending.back();
    last.update = std::move(update);
    task.latest = last.update;
    step.put(state::Table::Update, last.key, stored_update(task.key, last.update));
    if (task.pending.size() == 1) {
        task.retry_after = Duration::zero();
        send_first(framework, task, step);
    }
}

void External::send_first(ForeignFramework& framework, ForeignTask& task, cluster::Step& step) {
    if (!framework.subscribed()) {
        schedule(task, MonoTime::max()); // until it is back
        return;
    }
    publish(framework, task.pending.front().update, step);
    task.retry_after =
        std::clamp(task.retry_after * 2, limits_.update_retry_min, limits_.update_retry_max);
    schedule(task, step.now.mono + task.retry_after);
}

void External::schedule(ForeignTask& task, MonoTime at) {
    retries_.erase({task.retry_at, task.key});
    task.retry_at = at;
    if (at != MonoTime::max()) {
        retries_.emplace(at, task.key);
    }
}

void External::repeat_updates(cluster::Step& step) {
    for (std::size_t sent = 0; !retries_.empty() && retries_.begin()->first <= step.now.mono;
         ++sent) {
        if (sent == updates_per_turn) {
            step.more = true;
            return;
        }
        auto& [framework, id] = task_by_key_.at(retries_.begin()->second);
        send_first(*framework, framework->tasks.at(id), step);
    }
}

void External::acknowledge(ForeignFramework& framework,
                           const Acknowledge& call,
                           cluster::Step& step) {
    const auto found = framework.tasks.find(call.task_id);
    if (found == framework.tasks.end()) {
        return; // acknowledged before: a repeated update crossed with its acknowledgement
    }
    auto& task = found->second;
    if (task.pending.empty() || task.pending.front().update.uuid != call.uuid) {
        return;
    }
    step.erase(state::Table::Update, task.pending.front().key);
    task.pending.pop_front();
    --framework.unacknowledged;
    if (!task.pending.empty()) {
        task.retry_after = Duration::zero();
        send_first(framework, task, step);
        return;
    }
    schedule(task, MonoTime::max());
    if (task.number.empty()) {
        remember_over(framework, task);
        forget(framework, task, step);
    }
}

void External::drop_pending(ForeignFramework& framework, ForeignTask& task, cluster::Step& step) {
    for (const auto& pending : task.pending) {
        step.erase(state::Table::Update, pending.key);
    }
    framework.unacknowledged -= task.pending.size();
    task.pending.clear();
    schedule(task, MonoTime::max());
}

void External::forget(ForeignFramework& framework, ForeignTask& task, cluster::Step& step) {
    drop_pending(framework, task, step);
    names_.lay_to_rest({task.key, task.name, step.now.mono});
    step.put(state::Table::Update, task.key, stored_resting_name(task.name, step.now.wall));
    task_by_key_.erase(task.key);
    const auto id = task.id; // it goes with its task
    framework.tasks.erase(id);
}

void External::free_rested_names(cluster::Step& step) {
    while (step.has_room()) {
        const auto rested = names_.take_rested(step.now.mono);
        if (!rested) {
            return;
        }
        step.erase(state::Table::Update, rested->key);
    }
    step.more = true;
}

void External::remember_over(ForeignFramework& framework, const ForeignTask& task) {
    const bool full = framework.over.size() >= limits_.completed_tasks_max ||
                      over_tasks_ >= limits_.completed_tasks_all_max;
    if (full && framework.over.empty()) {
        return;
    }
    if (full) {
        framework.over.pop_front();
    } else {
        ++over_tasks_;
    }
    framework.over.push_back({task.definition, task.latest});
}

void External::tell_not_launched(const ForeignFramework& framework,
                                 const TaskRequest& request,
                                 TaskState state,
                                 const std::string& reason,
                                 const std::string& message,
                                 cluster::Step& step) const {
    Update update;
    update.task_id = request.task_id;
    update.agent_id = request.agent_id;
    update.state = state;
    update.reason = reason;
    update.message = message;
    update.time = step.now.wall;
    publish(framework, std::move(update), step);
}

} // namespace methos::external
