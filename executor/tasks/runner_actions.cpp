// The lifecycles stepped, and what they ask for done: each call to the Engine in a coroutine of its
// own and in its lane, its outcome fed back as the next event. No decisions.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"

namespace methos::executor {

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

// ---- the calls -----------------------------------------------------------------------------

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

} // namespace methos::executor
