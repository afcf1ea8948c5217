#include "executor/tasks/container_calls.hpp"

#include "core/http/connect_failure.hpp"
#include "core/observe/log.hpp"
#include "executor/tasks/container_plan.hpp"
#include "executor/tasks/orphans.hpp"

namespace methos::executor {

namespace {

using docker::EngineFault;

CallFailure failure_of(EngineFault fault) {
    switch (fault) {
    case EngineFault::NameConflict:
        return CallFailure::NameConflict;
    case EngineFault::NoSuchImage:
        return CallFailure::ImageMissing;
    case EngineFault::PortConflict:
        return CallFailure::PortConflict;
    case EngineFault::NoSpace: // another host may have some
        return CallFailure::Permanent;
    case EngineFault::NoSuchContainer:
        return CallFailure::ContainerGone;
    case EngineFault::RemovalInProgress:
        return CallFailure::Retryable;
    default:
        return docker::is_retryable(fault) ? CallFailure::Retryable : CallFailure::Permanent;
    }
}

/// In a catch block: no answer came. Rethrows a cancellation.
Error why_no_answer(const char* call) {
    auto error = error_of_current_exception();
    if (error.code == Code::Cancelled) {
        throw;
    }
    log::limited(call, "no answer from Docker", {{"call", call}, {"why", error.to_string()}});
    return error;
}

} // namespace

awaitable<Event> ContainerCalls::create(docker::ContainerConfig config, std::string name) {
    std::string why;
    try {
        const auto made = co_await engine_.create_container(std::move(config), std::move(name));
        if (made) {
            for (const auto& warning : made->warnings) {
                log::limited("create-warning",
                             "Docker makes a container otherwise than it was asked to",
                             {{"container", made->id}, {"warning", warning}});
            }
            co_return event::Created{made->id};
        }
        co_return event::CreateFailed{failure_of(made.error().fault), made.error().message};
    } catch (const std::exception&) {
        why = why_no_answer("create").to_string();
    }
    co_return event::CreateFailed{CallFailure::NoAnswer, why};
}

awaitable<Event> ContainerCalls::start(std::string container) {
    event::StartFailed failed;
    try {
        const auto started = co_await engine_.start_container(std::move(container));
        if (started) {
            co_return event::Started();
        }
        failed.failure = failure_of(started.error().fault);
        failed.message = started.error().message;
    } catch (const std::exception&) {
        const auto why = why_no_answer("start");
        // A start has a connection of its own.
        failed.failure =
            http::is_connect_failure(why) ? CallFailure::NotSent : CallFailure::NoAnswer;
        failed.message = why.to_string();
    }
    co_return failed;
}

awaitable<Event> ContainerCalls::inspect(std::string container) {
    try {
        const auto seen = co_await engine_.inspect_container(std::move(container));
        if (seen) {
            auto facts = facts_of(*seen);
            witness_.testify(facts);
            co_return event::Seen{std::move(facts)};
        }
        if (seen.error().fault == EngineFault::NoSuchContainer) {
            co_return event::Missing();
        }
    } catch (const std::exception&) {
        why_no_answer("inspect");
    }
    co_return event::InspectFailed();
}

awaitable<Event> ContainerCalls::stop(std::string container, Duration grace) {
    try {
        const auto stopped = co_await engine_.stop_container(container, grace);
        if (!stopped) {
            log::warning("Docker could not stop a container; trying again",
                         {{"container", container}, {"why", stopped.error().message}});
        }
    } catch (const std::exception&) {
        why_no_answer("stop");
    }
    co_return event::StopEnded();
}

awaitable<Event> ContainerCalls::force_kill(std::string container) {
    try {
        const auto killed = co_await engine_.kill_container(container, "SIGKILL");
        if (!killed) {
            log::warning("Docker could not kill a container; trying again",
                         {{"container", container}, {"why", killed.error().message}});
        }
    } catch (const std::exception&) {
        why_no_answer("kill");
    }
    co_return event::Hint();
}

awaitable<Event> ContainerCalls::remove(std::string container) {
    try {
        const auto removed = co_await engine_.remove_container(container, true);
        if (removed && *removed != docker::RemoveOutcome::InProgress) {
            co_return event::Removed();
        }
        if (!removed) {
            log::limited("remove",
                         "Docker could not remove a container; trying again",
                         {{"container", container}, {"why", removed.error().message}});
        }
    } catch (const std::exception&) {
        why_no_answer("remove");
    }
    co_return event::RemoveFailed();
}

awaitable<Event> ContainerCalls::remove_with_processes(std::string container) {
    const auto kills = kill_processes_of(container);
    if (kills.killed > 0) {
        log::warning("ended what ran of a container that Docker takes for never started",
                     {{"container", container}, {"processes", kills.killed}});
    }
    if (kills.refused > 0) { // without the container nobody would know of them any more
        log::limited("orphans",
                     "a container that Docker takes for never started runs, and the kernel does "
                     "not let the executor end it; does its unit leave it CAP_KILL?",
                     {{"container", container}, {"processes", kills.refused}});
        co_return event::RemoveFailed();
    }
    auto removing = remove(std::move(container));
    auto event = co_await std::move(removing);
    co_return event;
}

awaitable<Event> ContainerCalls::prove_docker() {
    try {
        co_await engine_.ping();
        co_return event::DockerProven();
    } catch (const std::exception&) {
        why_no_answer("ping");
    }
    co_return event::DockerDoubted();
}

} // namespace methos::executor
