// What health checks do to a task's life: changes are told as RUNNING with `healthy`, and a task
// that failed too often is ended like one that is killed, but says why.
#include "executor/tasks/lifecycle.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Status = ContainerFacts::Status;

ContainerFacts facts(Status status, int exit_code = 0) {
    ContainerFacts facts;
    facts.id = "c1";
    facts.status = status;
    facts.exit_code = exit_code;
    facts.task = "demo.1";
    facts.host = "h1";
    return facts;
}

/// A task that was found running, and what it has reported since.
struct Running {
    Running() : life(Lifecycle::adopted(identity())) {
        feed(event::Seen{facts(Status::Running)});
        reports.clear();
    }

    static TaskIdentity identity() {
        TaskIdentity identity;
        identity.name = TaskName("demo.1");
        identity.host = "h1";
        return identity;
    }

    void feed(const Event& event) {
        for (auto& action : life.step(event, now)) {
            if (auto* report = std::get_if<action::Report>(&action)) {
                reports.push_back(std::move(*report));
            } else if (const auto* stop = std::get_if<action::Stop>(&action)) {
                stops.push_back(stop->grace);
            }
        }
    }

    /// Looked at again, as after an event of its container.
    void seen(const ContainerFacts& what) {
        feed(event::Hint());
        feed(event::Seen{what});
    }

    Now now{MonoTime(100s), WallTime(1'700'000'000s)};
    Lifecycle life;
    std::vector<action::Report> reports;
    std::vector<Duration> stops;
};

} // namespace

SCENARIO("a change of health is told once, and until the master knows") {
    Running task;
    CHECK_FALSE(task.life.last_status().healthy);

    task.feed(event::Health{true, false, ""});
    REQUIRE(task.reports.size() == 1);
    CHECK(task.reports[0].needs_ack);
    CHECK(task.reports[0].status.state == TaskState::Running);
    CHECK(task.reports[0].status.healthy == true);
    CHECK(task.reports[0].status.reason == Reason::None);

    task.feed(event::Health{true, false, ""});
    task.seen(facts(Status::Running));
    CHECK(task.reports.size() == 1);

    task.feed(event::Health{false, false, "HTTP 503"});
    REQUIRE(task.reports.size() == 2);
    CHECK(task.reports[1].status.healthy == false);
    CHECK(task.reports[1].status.reason == Reason::HealthCheckFailed);
    CHECK(task.reports[1].status.message == "HTTP 503");
    CHECK(task.stops.empty());
    CHECK(task.life.last_status().healthy == false); // what an inventory says

    task.seen(facts(Status::Running)); // looking at it changes nothing
    CHECK(task.reports.size() == 2);
}

SCENARIO("where a task can be asked is told when it becomes known or changes") {
    Running task; // found by a list's row, which has no addresses
    auto known = facts(Status::Running);
    known.ip_addresses = {"172.17.0.2"};
    task.seen(known);
    REQUIRE(task.reports.size() == 1);
    CHECK(task.reports[0].status.ip_addresses == known.ip_addresses);
    task.seen(known);
    CHECK(task.reports.size() == 1);
    task.seen(facts(Status::Running)); // not known is no news
    CHECK(task.reports.size() == 1);
    known.ip_addresses = {"172.17.0.3"}; // restarted by hand
    task.seen(known);
    CHECK(task.reports.size() == 2);
}

SCENARIO("a task whose checks failed too often is stopped with its grace, and says why") {
    Running task;
    task.feed(event::Health{false, true, "HTTP 503 (3 failures in a row)"});
    REQUIRE(task.stops == std::vector<Duration>{10s});
    REQUIRE(task.reports.back().status.state == TaskState::Killing);
    CHECK(task.life.kill_wanted());

    WHEN("it goes") {
        task.feed(event::StopEnded());
        task.feed(event::Seen{facts(Status::Exited, 143)});
        const auto& status = task.reports.back().status;
        CHECK(status.state == TaskState::Killed);
        CHECK(status.reason == Reason::HealthCheckFailed);
        CHECK(status.healthy == false);
        CHECK_THAT(status.message, Catch::Contains("HTTP 503 (3 failures in a row)"));
    }
    WHEN("its last probe succeeds after all") {
        task.feed(event::Health{true, false, ""});
        THEN("it ends all the same: the stop is on its way") {
            CHECK(task.life.kill_wanted());
            CHECK(task.stops.size() == 1);
        }
    }
    WHEN("somebody kills it at once meanwhile") {
        task.feed(event::Kill{Duration(0s)});
        task.feed(event::StopEnded());
        task.feed(event::Seen{facts(Status::Exited, 137)});
        CHECK(task.reports.back().status.reason == Reason::HealthCheckFailed);
    }
}

SCENARIO("a result that comes too late for a task changes nothing") {
    Running task;
    task.seen(facts(Status::Exited, 0));
    REQUIRE(task.reports.back().status.state == TaskState::Finished);
    task.feed(event::Health{false, true, "HTTP 503"});
    CHECK(task.reports.size() == 1);
    CHECK(task.stops.empty());
}

SCENARIO("a kill for its health waits for a Docker that is away") {
    Running task;
    task.feed(event::DockerDown());
    task.feed(event::Health{false, true, "HTTP 503"});
    CHECK(task.stops.empty());
    task.feed(event::DockerUp());
    task.feed(event::Seen{facts(Status::Running)});
    CHECK(task.stops.size() == 1);
}

} // namespace methos::executor
