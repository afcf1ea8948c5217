// One task's lifecycle on a bench: events go in by hand under a clock that moves when told, and
// what it orders is looked at.
#pragma once

#include "executor/tasks/lifecycle.hpp"
#include "tests/support/catch.hpp"

#include <vector>

namespace methos::executor {

/// One task under test with a clock that moves when told.
struct Bench {
    Bench() : life(Lifecycle::launched(identity(), true)) {
        now.mono = MonoTime(std::chrono::seconds(100));
        now.wall = WallTime(std::chrono::seconds(1'700'000'000));
    }

    static TaskIdentity identity() {
        TaskIdentity identity;
        identity.number = TaskNumber(1);
        identity.name = TaskName("demo.1");
        identity.host = "h1";
        identity.app = "/demo";
        identity.spec_hash = "abc";
        return identity;
    }

    static ContainerFacts facts(ContainerFacts::Status status, int exit_code = 0) {
        ContainerFacts facts;
        facts.id = "c1";
        facts.status = status;
        facts.exit_code = exit_code;
        facts.task = "demo.1";
        facts.host = "h1";
        facts.spec_hash = "abc";
        facts.attempt = 1;
        facts.host_ports = {31000};
        facts.ip_addresses = {"172.17.0.2"};
        if (status != ContainerFacts::Status::Created) {
            facts.started_at = WallTime(std::chrono::seconds(1'699'999'000));
        }
        facts.finished_at = WallTime(std::chrono::seconds(1'700'000'000));
        return facts;
    }

    Actions feed(const Event& event) { return life.step(event, now); }

    void to_started() {
        (void)feed(event::Begin());
        (void)feed(event::ImageReady{"sha256:1"});
        (void)feed(event::Created{"c1"});
    }

    Actions to_running() {
        to_started();
        (void)feed(event::Started());
        return feed(event::Seen{facts(ContainerFacts::Status::Running)});
    }

    Lifecycle life;
    Now now;
};

template <class Wanted>
const Wanted* find(const Actions& actions) {
    for (const auto& action : actions) {
        if (const auto* found = std::get_if<Wanted>(&action)) {
            return found;
        }
    }
    return nullptr;
}

inline std::vector<TaskState> states(const Actions& actions) {
    std::vector<TaskState> seen;
    for (const auto& action : actions) {
        if (const auto* report = std::get_if<action::Report>(&action)) {
            seen.push_back(report->status.state);
        }
    }
    return seen;
}

inline const TaskStatus& report_of(const Actions& actions) {
    const auto* report = find<action::Report>(actions);
    REQUIRE(report != nullptr);
    return report->status;
}

using Status = ContainerFacts::Status;

} // namespace methos::executor
