// What Docker says of this host's containers, told to their tasks: connections that come and go,
// events, the regular list. Containers that carry our labels and belong to no known task are
// adopted; until all that Docker listed are, no inventory is due.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"
#include "executor/tasks/labels.hpp"

#include <utility>

namespace methos::executor {

namespace {

constexpr Duration adopt_retry = std::chrono::milliseconds(500);
constexpr int adopt_tries_max = 6; // then the list's row must do

} // namespace

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

} // namespace methos::executor
