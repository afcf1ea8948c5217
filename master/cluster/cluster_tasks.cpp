// Tasks: what their executors report, killing, and comparing lists with a host that joined.
#include "master/cluster/cluster.hpp"

#include "core/base/units.hpp"

#include <algorithm>

namespace methos::cluster {

namespace {

// What is kept of a status: little beside what a step reserves for one.
constexpr std::size_t message_bytes_max = 4096;
constexpr std::size_t ip_addresses_max = 16;
constexpr std::size_t kills_per_turn = 1000;

/// Then nobody knows what runs there, whatever its executor last heard of it; only ends are news.
bool speaks_of_lost_docker(const Host& host) {
    return host.state == HostState::Lost && !host.info.docker_up;
}

/// Whether there are figures, and others than before. They are for who looks at the moment.
bool take_image_progress(Task& task, const TaskStatus& status) {
    if (!status.image || status.state != TaskState::Staging) {
        task.image.reset();
        return false;
    }
    if (task.image && *task.image == *status.image) {
        return false;
    }
    task.image = std::make_shared<const ImageProgress>(*status.image);
    return true;
}

} // namespace

Task* Cluster::task_of(const TaskStatus& status) {
    if (!status.number.empty()) {
        const auto found = tasks_.find(status.number);
        return found == tasks_.end() ? nullptr : &found->second;
    }
    const auto found = task_by_name_.find(status.name.value);
    return found == task_by_name_.end() ? nullptr : &tasks_.at(found->second);
}

void Cluster::notify(const Task& task, TaskState before, Step& step) {
    if (step.watched) {
        step.publications.push_back(std::make_shared<TaskChanged>(task, false));
    }
    if (const auto member = members_.find(task.framework); member != members_.end()) {
        member->second.listener->task_changed(task, before, step);
    }
}

std::size_t
Cluster::statuses(SessionNumber session, std::span<const TaskStatus> tasks, Step& step) {
    auto* host = host_of(session);
    if (host == nullptr) {
        return tasks.size();
    }
    host->last_heard = step.now.mono;
    std::size_t taken = 0;
    while (taken < tasks.size() && (taken == 0 || step.has_room())) {
        apply(*host, tasks[taken++], step);
    }
    return taken;
}

void Cluster::apply(Host& host, const TaskStatus& status, Step& step) {
    auto* task = task_of(status);
    const bool ours = task != nullptr && task->host == host.number;
    if (ours && speaks_of_lost_docker(host) && !is_terminal(status.state)) {
        return; // not acknowledged either: it is told again, and taken once Docker has answered
    }
    if (status.stamp != 0) {
        step.send(
            host.session,
            SendAck{status.number, status.number.empty() ? status.name : TaskName(), status.stamp});
    }
    if (!ours) {
        // Not ours, or over for us: whatever still runs there under that name must go.
        if (is_terminal(status.state)) {
            unknown_tasks_.forget(host.number, status.name);
        } else if (task != nullptr || !spares_unknown(host, status, step)) {
            step.send(host.session, SendKill{status.number, status.name, Duration(-1)});
        }
        return;
    }
    task->confirmed = true;
    const auto before = task->state();
    const bool late_progress =
        status.state == TaskState::Staging && task->reported != TaskState::Staging;
    if (late_progress && !task->unreachable) {
        return;
    }
    // An executor that has just found the task again cannot say yet whether it is healthy.
    const bool health_changed = status.healthy && status.healthy != task->healthy;
    const bool durable = health_changed || status.state != task->reported ||
                         status.container_id != task->container_id ||
                         status.ip_addresses != task->ip_addresses;
    task->reported = status.state == TaskState::Killing || status.state == TaskState::Unknown
                         ? task->reported
                         : status.state;
    if (std::exchange(task->unreachable, false)) {
        charge(*task);
    }
    task->message = status.message.substr(0, message_bytes_max);
    const bool image_moved = take_image_progress(*task, status);
    task->changed_at = step.now.wall;
    if (health_changed) {
        task->healthy = status.healthy;
    }
    if (status.reason != Reason::None || health_changed) {
        task->reason = status.reason;
    }
    if (!status.container_id.empty()) {
        task->container_id = status.container_id;
        task->ip_addresses = status.ip_addresses;
        task->ip_addresses.resize(std::min(task->ip_addresses.size(), ip_addresses_max));
    }
    if (task->reported == TaskState::Running) {
        task->started_at =
            status.started_at.time_since_epoch().count() > 0 ? status.started_at : step.now.wall;
    }
    if (is_terminal(task->reported)) {
        finish(*task, before, step);
        return;
    }
    if (durable) {
        save_task(*task, step);
    }
    if (task->state() != before || durable) {
        notify(*task, before, step);
    } else if (image_moved && step.watched) {
        step.publications.push_back(std::make_shared<TaskChanged>(*task, false));
    }
}

void Cluster::finish(Task& task, TaskState before, Step& step) {
    auto& host = hosts_.at(task.host);
    if (!task.unreachable) {
        refund(task);
    }
    host.used -= specs_.at(task.spec)->resources;
    host.tasks.erase(task.number);
    for (const auto port : task.host_ports) {
        if (host.info.resources.ports.contains(port)) {
            host.free_ports.insert(port);
        }
    }
    improved(host);
    task.unreachable = false;
    step.erase(state::Table::Task, task.number.value);
    if (const auto uses = spec_uses_.find(task.spec); --uses->second == 0) {
        spec_uses_.erase(uses);
    }
    task_by_name_.erase(task.name.value); // whose text is the name's own
    const auto over = std::move(task);
    tasks_.erase(over.number);
    notify(over, before, step);
}

std::size_t Cluster::inventory(SessionNumber session,
                               std::span<const TaskStatus> tasks,
                               bool last,
                               Step& step) {
    auto* host = host_of(session);
    if (host == nullptr) {
        return tasks.size();
    }
    host->last_heard = step.now.mono;
    if (speaks_of_lost_docker(*host)) {
        return tasks.size(); // another one follows when Docker has answered
    }
    auto& seen = inventory_seen_[session];
    const auto unknown_before = unknown_tasks_.size();
    std::size_t taken = 0;
    while (taken < tasks.size() && (taken == 0 || step.has_room())) {
        const auto& status = tasks[taken++];
        if (const auto* task = task_of(status); task != nullptr) {
            seen.insert(task->number);
        }
        apply(*host, status, step);
    }
    if (const auto unknown = unknown_tasks_.size(); unknown > unknown_before) {
        step.warn("host " + host->info.hostname +
                  " runs tasks that the restored state does not know (" +
                  std::to_string(unknown - unknown_before) + "): they are killed in " +
                  format_duration(UnknownTasks::grace));
    }
    if (!last || taken < tasks.size()) {
        return taken;
    }
    for (const auto number : host->tasks) {
        auto& task = tasks_.at(number);
        if (seen.contains(number)) {
            if (task.kill_wanted) {
                send_kill(task, step);
            }
        } else if (task.launched_in == session && !task.confirmed) {
            // Its LAUNCH and this list crossed on the way: the executor tells when it has it.
            continue;
        } else {
            missing_.push_back(number);
        }
    }
    inventory_seen_.erase(session);
    if (host->state == HostState::Lost) {
        // What it named became reachable status by status; the rest is about to end as missing.
        set_found(*host, step);
    }
    host->inventoried = true;
    improved(*host);
    step.more = true;
    return taken;
}

/// Ends a task of which its executor has not told the end.
void Cluster::end_as(Task& task, TaskState state, Reason reason, std::string message, Step& step) {
    const auto before = task.state();
    task.reported = state;
    task.reason = reason;
    task.message = std::move(message);
    task.changed_at = step.now.wall;
    finish(task, before, step);
}

void Cluster::end_missing(TaskNumber number, Step& step) {
    const auto found = tasks_.find(number);
    if (found == tasks_.end()) {
        return;
    }
    auto& task = found->second;
    const bool never_ran =
        task.reported == TaskState::Staging || task.reported == TaskState::Starting;
    const auto ended = never_ran ? TaskState::Dropped : TaskState::Gone;
    end_as(task,
           task.kill_wanted ? TaskState::Killed : ended,
           Reason::Reconciliation,
           never_ran ? "the host does not know this task: its launch never arrived"
                     : "the host no longer has this task's container",
           step);
}

void Cluster::give_up(TaskNumber number, std::string why, Step& step) {
    const auto found = tasks_.find(number);
    if (found != tasks_.end() && found->second.unreachable) {
        end_as(found->second, TaskState::Gone, Reason::HostGone, std::move(why), step);
    }
}

void Cluster::kill(TaskNumber number, Duration grace, Reason reason, Step& step) {
    const auto found = tasks_.find(number);
    if (found == tasks_.end()) {
        return;
    }
    auto& task = found->second;
    if (task.kill_wanted && grace >= task.kill_grace) {
        return;
    }
    const auto before = task.state();
    task.kill_wanted = true;
    task.kill_grace = grace;
    task.kill_reason = reason;
    save_task(task, step);
    send_kill(task, step);
    notify(task, before, step);
}

void Cluster::send_kill(Task& task, Step& step) {
    const auto& host = hosts_.at(task.host);
    task.kill_sent_at = step.now.mono;
    kills_.emplace_back(task.kill_sent_at, task.number);
    if (!host.session.empty()) {
        step.send(host.session, SendKill{task.number, task.name, task.kill_grace});
    }
}

bool Cluster::spares_unknown(const Host& host, const TaskStatus& status, const Step& step) {
    return status.number.value < restored_from_number_ &&
           step.now.wall < restored_at_ + UnknownTasks::window &&
           unknown_tasks_.spares(host.number, status, step.now.mono);
}

void Cluster::kill_unknown(Step& step) {
    for (const auto& due : unknown_tasks_.take_due(step.now.mono, kills_per_turn)) {
        const auto* host = find_host(due.host);
        if (host != nullptr && !host->session.empty()) {
            step.note("task " + due.name.value + " on host " + host->info.hostname +
                      " is killed: the restored state does not know it");
            step.send(host->session, SendKill{due.number, due.name, Duration(-1)});
        }
    }
}

void Cluster::retry_kills(Step& step) {
    for (std::size_t looks = 0; looks < kills_per_turn; ++looks) {
        if (kills_.empty() || kills_.front().first + policy_.kill_retry >= step.now.mono) {
            return; // the rest is due at the next tick
        }
        const auto [sent_at, number] = kills_.front();
        kills_.pop_front();
        const auto found = tasks_.find(number);
        if (found != tasks_.end() && found->second.kill_sent_at == sent_at) {
            send_kill(found->second, step);
        }
    }
}

} // namespace methos::cluster
