// What the task book asks for, done: each call to the Engine in a coroutine of its own and in its
// lane, its outcome fed back as the next event. No decisions.
#include "executor/tasks/runner.hpp"

#include "core/observe/log.hpp"
#include "executor/checks/check_label.hpp"
#include "executor/fetch/sandbox_names.hpp"

#include <set>
#include <utility>

namespace methos::executor {

namespace {

event::PlanFailed plan_failure(const Error& error) {
    if (error.code == Code::Forbidden) {
        return {TaskState::Error, Reason::PolicyDenied, error.to_string()};
    }
    return {TaskState::Failed, Reason::LaunchFailed, error.to_string()};
}

/// The sandbox has a host path too, but it is ours, and there.
bool is_host_path_of_task(const docker::Mount& mount) {
    return mount.kind == docker::Mount::Kind::Bind && mount.create_source;
}

} // namespace

void TaskRunner::deliver(const TaskName& name, const Event& event) {
    if (std::holds_alternative<event::DockerDoubted>(event)) {
        watch_.doubt();
    }
    if (const auto* seen = std::get_if<event::Seen>(&event)) {
        processes_.saw(name, seen->facts);
    }
    carry_out(book_.deliver(name, event, clock_.now()));
}

/// In order, also when carrying one out brings the next event, and with it orders, at once.
void TaskRunner::carry_out(Orders orders) {
    std::move(orders.begin(), orders.end(), std::back_inserter(orders_));
    if (std::exchange(carrying_out_, true)) {
        return;
    }
    try {
        while (!orders_.empty()) {
            const auto order = std::move(orders_.front());
            orders_.pop_front();
            std::visit([this](const auto& what) { follow(what); }, order);
        }
        carrying_out_ = false;
    } catch (const std::exception&) {
        // A task waits for what was not done, and nothing more is: the next process finds its way.
        handlers_.broke(error_of_current_exception());
    }
    pump_.notify();
}

void TaskRunner::follow(const order::Perform& wanted) {
    std::visit([this, &wanted](const auto& action) { perform(wanted.task, action); },
               wanted.action);
}

void TaskRunner::follow(const order::InspectFound& inspect) {
    group_.spawn("inspect " + inspect.container_id, run_inspect_found(inspect.container_id));
}

void TaskRunner::follow(const order::RemoveStray& remove) {
    if (!strays_.insert(remove.container_id).second) {
        return; // each list names it until it is gone
    }
    log::warning("a second container of one task; removing it",
                 {{"task", remove.task.value}, {"container", remove.container_id}});
    group_.spawn("remove " + remove.container_id, run_remove_stray(remove.container_id));
}

void TaskRunner::follow(const order::TellInventory&) {
    std::set<std::string> sandboxes; // an earlier executor may have died with others
    for (const auto& status : book_.inventory()) {
        sandboxes.insert(sandbox_name_of(status.name));
    }
    files_.collect(sandboxes);
    handlers_.inventory_due();
}

void TaskRunner::follow(const order::Note& note) {
    if (note.warning) {
        log::warning(note.text, {{"task", note.task.value}, {"container", note.container_id}});
    } else {
        log::info(note.text, {{"task", note.task.value}, {"container", note.container_id}});
    }
}

// ---- the actions of one lifecycle ----------------------------------------------------------

/// First what the task wants fetched: the image's credentials may be part of it.
void TaskRunner::perform(const TaskName& name, const action::EnsureImage&) {
    const auto* task = book_.find(name);
    if (task == nullptr || task->spec->fetch.empty()) {
        ensure_image(name, "");
        return;
    }
    FetchWaiter waiter;
    waiter.progress = [this, name](std::string text) {
        deliver(name, event::PullProgress{std::move(text), std::nullopt});
    };
    waiter.ready = [this, name](const std::string& docker_config) {
        ensure_image(name, docker_config);
    };
    waiter.failed = [this, name](std::string why) {
        deliver(name, event::ImageFailed{Reason::LaunchFailed, std::move(why)});
    };
    files_.fetch(sandbox_name_of(name), task->spec->fetch, std::move(waiter));
}

void TaskRunner::ensure_image(const TaskName& name, const std::string& docker_config) {
    ImageWaiter waiter;
    waiter.progress = [this, name](std::string text, std::optional<ImageProgress> figures) {
        deliver(name, event::PullProgress{std::move(text), figures});
    };
    waiter.ready = [this, name](std::string id) {
        deliver(name, event::ImageReady{std::move(id)});
    };
    waiter.failed = [this, name](Reason reason, std::string message) {
        deliver(name, event::ImageFailed{reason, std::move(message)});
    };
    if (const auto* task = book_.find(name); task != nullptr) {
        images_.ensure(name.value,
                       task->spec->image,
                       task->spec->force_pull,
                       std::move(waiter),
                       docker_config);
    }
}

void TaskRunner::perform(const TaskName& name, const action::AbandonImage&) {
    files_.abandon(sandbox_name_of(name));
    images_.abandon(name.value);
}

void TaskRunner::perform(const TaskName& name, const action::Create& create) {
    const auto* task = book_.find(name);
    if (task == nullptr) {
        return;
    }
    auto planned = plan_container(*task->spec, task->launch, options_.plan);
    if (!planned) { // the policy has changed since the launch was accepted
        deliver(name, plan_failure(planned.error()));
        return;
    }
    set_image(*planned, create.image_id);
    group_.spawn("create", run_create(name, std::move(*planned), task->container_name));
}

void TaskRunner::perform(const TaskName& name, const action::Start& start) {
    group_.spawn("start", run_start(name, start.container_id));
}

void TaskRunner::perform(const TaskName& name, const action::Inspect& inspect) {
    auto container = inspect.container_id;
    if (const auto* task = book_.find(name); container.empty() && task != nullptr) {
        container = task->container_name;
    }
    auto call = calls_.inspect(std::move(container));
    group_.spawn("inspect", run_limited(name, inspects_, std::move(call)));
}

void TaskRunner::perform(const TaskName& name, const action::Stop& stop) {
    auto call = calls_.stop(stop.container_id, stop.grace);
    group_.spawn("stop", run_call(name, std::move(call)));
}

void TaskRunner::perform(const TaskName& name, const action::ForceKill& kill) {
    auto call = calls_.force_kill(kill.container_id);
    group_.spawn("kill", run_call(name, std::move(call)));
}

void TaskRunner::perform(const TaskName& name, const action::Remove& remove) {
    auto call = remove.may_run ? calls_.remove_with_processes(remove.container_id)
                               : calls_.remove(remove.container_id);
    group_.spawn("remove", run_limited(name, removes_, std::move(call)));
}

void TaskRunner::perform(const TaskName& name, const action::ProveDocker&) {
    auto call = calls_.prove_docker();
    group_.spawn("prove docker", run_limited(name, inspects_, std::move(call)));
}

void TaskRunner::perform(const TaskName&, const action::Report& report) {
    const auto& status = report.status;
    check_health(status);
    if (report.needs_ack) {
        log::info("task is",
                  {{"task", status.name.value},
                   {"state", to_string(status.state)},
                   {"message", status.message}});
    }
}

/// Checks what runs, and nothing else: not what is paused, and not what is on its way out.
void TaskRunner::check_health(const TaskStatus& status) {
    const auto* task = book_.find(status.name);
    if (task == nullptr || task->life.container().health_checks.empty()) {
        return;
    }
    const auto& container = task->life.container();
    if (status.state != TaskState::Running || container.status != ContainerFacts::Status::Running) {
        health_.forget(status.name);
        return;
    }
    auto settled = parse_health_label(container.health_checks);
    if (!settled) {
        log::failure("a task's health is not checked",
                     settled.error(),
                     {{"task", status.name.value}, {"container", container.id}});
        return;
    }
    CheckedTask checked;
    checked.checks = std::move(settled->checks);
    checked.host_network = settled->host_network;
    checked.container_id = container.id;
    checked.ip_addresses = container.ip_addresses;
    checked.age = clock_.now().wall - container.started_at;
    health_.watch(status.name, checked);
}

void TaskRunner::perform(const TaskName& name, const action::Forget&) {
    processes_.forget(name);
    health_.forget(name);
    files_.remove(sandbox_name_of(name));
}

// ---- the calls -----------------------------------------------------------------------------

awaitable<> TaskRunner::run_call(TaskName name, awaitable<Event> call) {
    auto event = co_await std::move(call);
    deliver(name, event);
}

awaitable<> TaskRunner::run_limited(TaskName name, Semaphore& lane, awaitable<Event> call) {
    std::optional<Event> event;
    {
        const auto permit = co_await lane.acquire();
        event = co_await std::move(call);
    }
    deliver(name, *event);
}

/// What the task wants mounted is looked at as late as can be: links may change while an image is
/// pulled. Docker is told the path that was judged.
awaitable<>
TaskRunner::run_create(TaskName name, docker::ContainerConfig config, std::string container_name) {
    for (auto& mount : config.mounts) {
        if (!is_host_path_of_task(mount)) {
            continue;
        }
        auto real = co_await host_paths_.resolve(options_.plan.policy, mount.source);
        if (!real) {
            deliver(name, plan_failure(real.error()));
            co_return;
        }
        mount.source = std::move(*real);
    }
    auto call = calls_.create(std::move(config), std::move(container_name));
    auto limited = run_limited(std::move(name), creates_, std::move(call));
    co_await std::move(limited);
}

awaitable<> TaskRunner::run_start(TaskName name, std::string container) {
    std::optional<Event> event;
    {
        const auto permit = co_await starts_.acquire();
        if (book_.may_start(name)) {
            event = co_await calls_.start(std::move(container));
            const auto* failed = std::get_if<event::StartFailed>(&*event);
            if (failed != nullptr && failed->failure == CallFailure::NotSent) {
                watch_.doubt(); // it takes no connections
            }
        } else {
            event = event::StartFailed{CallFailure::NotSent, ""};
        }
    }
    deliver(name, *event);
}

/// Refused or not: the next list tells whether it is there still.
awaitable<> TaskRunner::run_remove_stray(std::string container) {
    {
        const auto permit = co_await removes_.acquire();
        (void)co_await calls_.remove(container);
    }
    strays_.erase(container);
}

awaitable<> TaskRunner::run_inspect_found(std::string container) {
    std::optional<Event> answer;
    {
        const auto permit = co_await inspects_.acquire();
        answer = co_await calls_.inspect(container);
    }
    carry_out(book_.inspected(container, *answer, clock_.now()));
    if (const auto* seen = std::get_if<event::Seen>(&*answer)) {
        const TaskName name(seen->facts.task);
        const auto* task = book_.find(name);
        if (task != nullptr && task->life.container_id() == container) {
            processes_.saw(name, seen->facts);
        }
    }
}

} // namespace methos::executor
