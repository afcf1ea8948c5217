// What Docker says of this host's containers, put into the task book's words: connections that
// come and go, events, and processes whose end dockerd has missed. Decides nothing.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"
#include "executor/tasks/docker_age.hpp"
#include "executor/tasks/labels.hpp"

namespace methos::executor {

namespace {

constexpr int lost_kills_max = 3; // one with each list

} // namespace

void TaskRunner::docker_up(const docker::EngineVersion& version,
                           const docker::EngineInfo& info,
                           const ContainerList& list) {
    witness_.docker_listens_since(docker_listens_since(engine_.socket_path()));
    docker_ = DockerState{true, version.engine, version.api.to_string(), info.root_dir};
    options_.plan.policy.forbidden_paths =
        forbidden_host_paths(engine_.socket_path(), info.root_dir);
    options_.plan.cpus = info.cpus;
    log::info("Docker is there", {{"version", docker_.version}, {"api", docker_.api}});
    handlers_.docker_changed();
    carry_out(book_.docker_up(facts_of(list), clock_.now()));
}

void TaskRunner::docker_down(const std::string& why) {
    log::warning("Docker is away; containers may live on", {{"why", why}});
    docker_.up = false;
    carry_out(book_.docker_down(clock_.now()));
    handlers_.docker_changed();
}

void TaskRunner::docker_event(const docker::Event& event) {
    const auto task = event.attributes.find(label::task);
    if (task != event.attributes.end()) {
        const TaskName name(task->second);
        if (event.action == "kill") {
            docker_signalled(name, event);
            return;
        }
        if (event.action == "destroy") {
            witness_.forget(event.id);
        }
        Event what = event::Hint{event.exit_code()};
        if (event.action == "start") {
            what = event::Runs();
        }
        carry_out(book_.container_event(name, event.id, what, clock_.now()));
    }
}

/// Not by us: then it may be dockerd's own doing, which is about to end, and the host is of no use
/// from now on.
void TaskRunner::docker_signalled(const TaskName& name, const docker::Event& event) {
    const auto* task = book_.find(name);
    const bool is_ours = task != nullptr && task->life.container_id() == event.id &&
                         (task->life.kill_wanted() || task->life.ended());
    if (is_ours) {
        return;
    }
    witness_.signalled(event.id, wall_of(event.time));
    if (docker_.up) {
        watch_.doubt();
    }
}

/// A kill makes dockerd notice that the process is gone; then it ends as any other. A dockerd that
/// ignores kills is believed no longer.
void TaskRunner::kill_lost_processes() {
    for (const auto& lost : processes_.check(clock_.now().mono)) {
        if (lost.times > lost_kills_max) {
            deliver(lost.name, event::ProcessLost());
            continue;
        }
        log::warning("Docker has missed the end of a task's process; killing the container",
                     {{"task", lost.name.value}, {"container", lost.container_id}});
        auto call = calls_.force_kill(lost.container_id);
        group_.spawn("kill", run_call(lost.name, std::move(call)));
    }
}

} // namespace methos::executor
