// The task lifecycle: what it does at each point of a life, by hand, and that its promises hold
// when events come in any order, twice or not at all (thousands of seeds against a small model of
// Docker). What it makes of an Engine in trouble is in lifecycle_trouble_test.cpp.
#include "tests/unit/executor/tasks/lifecycle_bench.hpp"
#include "tests/unit/executor/tasks/model_docker.hpp"

namespace methos::executor {

using namespace std::chrono_literals;

SCENARIO("a task is launched, runs and ends by itself") {
    Bench bench;
    const auto begun = bench.feed(event::Begin());
    REQUIRE(find<action::EnsureImage>(begun) != nullptr);
    const auto ready = bench.feed(event::ImageReady{"sha256:1"});
    REQUIRE(find<action::Create>(ready)->image_id == "sha256:1");
    const auto created = bench.feed(event::Created{"c1"});
    REQUIRE(find<action::Start>(created)->container_id == "c1");
    REQUIRE(find<action::Inspect>(bench.feed(event::Started())) != nullptr);

    const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
    REQUIRE(states(seen) == std::vector{TaskState::Running});
    CHECK(find<action::Report>(seen)->needs_ack);
    CHECK(report_of(seen).host_ports == std::vector<std::uint16_t>{31000});
    CHECK(report_of(seen).ip_addresses == std::vector<std::string>{"172.17.0.2"});

    REQUIRE(find<action::Inspect>(bench.feed(event::Hint{3})) != nullptr);
    const auto ended = bench.feed(event::Seen{Bench::facts(Status::Exited, 3)});
    REQUIRE(states(ended) == std::vector{TaskState::Failed});
    CHECK(report_of(ended).reason == Reason::CommandExited);
    CHECK(report_of(ended).exit_code == 3);
    CHECK(report_of(ended).message == "exited with code 3");

    THEN("its container is kept for a while after the ACK, for `logs --previous`") {
        CHECK(find<action::Remove>(bench.feed(event::TerminalAcked())) == nullptr);
        bench.now.mono += 10min;
        CHECK(find<action::Remove>(bench.feed(event::Timer())) != nullptr);
        CHECK(find<action::Forget>(bench.feed(event::Removed())) != nullptr);
    }
    THEN("a newer ended container of the app takes that place") {
        (void)bench.feed(event::TerminalAcked());
        CHECK(find<action::Remove>(bench.feed(event::Superseded())) != nullptr);
    }
}

SCENARIO("a container that somebody starts again does not run beside its replacement") {
    Bench bench;
    (void)bench.to_running();

    WHEN("its task is known to have ended") {
        (void)bench.feed(event::Hint{0});
        REQUIRE(states(bench.feed(event::Seen{Bench::facts(Status::Exited)})) ==
                std::vector{TaskState::Finished});
        const auto runs_again = [&bench] {
            REQUIRE(find<action::Inspect>(bench.feed(event::Runs())) != nullptr);
            return bench.feed(event::Seen{Bench::facts(Status::Running)});
        };
        THEN("it is removed at once, though it was to be kept for its logs") {
            (void)bench.feed(event::TerminalAcked());
            const auto again = runs_again();
            REQUIRE(find<action::Remove>(again) != nullptr);
            CHECK(states(again).empty());
            CHECK(find<action::Forget>(bench.feed(event::Removed())) != nullptr);
        }
        THEN("it is removed before the ACK, and the task waits for that") {
            CHECK(find<action::Remove>(runs_again()) != nullptr);
            CHECK(find<action::Forget>(bench.feed(event::Removed())) == nullptr);
            CHECK(find<action::Forget>(bench.feed(event::TerminalAcked())) != nullptr);
        }
        THEN("a removal that fails is tried again") {
            (void)runs_again();
            CHECK(find<action::Remove>(bench.feed(event::RemoveFailed())) == nullptr);
            bench.now.mono += 1s;
            CHECK(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
            const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
            CHECK(find<action::Remove>(seen) != nullptr);
        }
        THEN("the late event of its own start does not take its logs away") {
            (void)bench.feed(event::TerminalAcked());
            REQUIRE(find<action::Inspect>(bench.feed(event::Runs())) != nullptr);
            CHECK(bench.feed(event::Seen{Bench::facts(Status::Exited)}).empty());
            bench.now.mono += 10min;
            CHECK(find<action::Remove>(bench.feed(event::Timer())) != nullptr);
        }
    }
    WHEN("its end was not seen yet") {
        (void)bench.feed(event::Hint{0}); // the inspect that this asks for is under way
        (void)bench.feed(event::Runs());
        THEN("what that inspect says of its end is looked at again, and the task goes on") {
            const auto ended = bench.feed(event::Seen{Bench::facts(Status::Exited)});
            CHECK(states(ended).empty());
            REQUIRE(find<action::Inspect>(ended) != nullptr);
            CHECK(bench.feed(event::Seen{Bench::facts(Status::Running)}).empty());
            CHECK_FALSE(bench.life.ended());
        }
        THEN("where it answers now is told, and since when") {
            (void)bench.feed(event::Seen{Bench::facts(Status::Exited)});
            auto again = Bench::facts(Status::Running);
            again.started_at += 5s;
            again.ip_addresses = {"172.17.0.3"};
            const auto told = bench.feed(event::Seen{again});
            REQUIRE(states(told) == std::vector{TaskState::Running});
            CHECK(report_of(told).ip_addresses == again.ip_addresses);
            CHECK(report_of(told).started_at == again.started_at);
            (void)bench.feed(event::Hint());
            CHECK(states(bench.feed(event::Seen{again})).empty());
        }
    }
}

SCENARIO("a task that lost a process for want of memory says so while it runs") {
    Bench bench;
    (void)bench.to_running();
    (void)bench.feed(event::Hint()); // an "oom" event
    auto facts = Bench::facts(Status::Running);
    facts.oom_killed = true;
    const auto told = bench.feed(event::Seen{facts});
    REQUIRE(states(told) == std::vector{TaskState::Running});
    CHECK(report_of(told).message.find("ran out of memory") != std::string::npos);
    (void)bench.feed(event::Hint());
    CHECK(states(bench.feed(event::Seen{facts})).empty());
}

SCENARIO("a container that somebody pauses says so until it goes on") {
    Bench bench;
    (void)bench.to_running();
    REQUIRE(find<action::Inspect>(bench.feed(event::Hint())) != nullptr);
    const auto paused = bench.feed(event::Seen{Bench::facts(Status::Paused)});
    REQUIRE(states(paused) == std::vector{TaskState::Running});
    CHECK(report_of(paused).message.find("docker unpause") != std::string::npos);
    (void)bench.feed(event::Hint());
    CHECK(states(bench.feed(event::Seen{Bench::facts(Status::Paused)})).empty());
    (void)bench.feed(event::Hint());
    const auto goes_on = bench.feed(event::Seen{Bench::facts(Status::Running)});
    REQUIRE(states(goes_on) == std::vector{TaskState::Running});
    CHECK(report_of(goes_on).message.empty());
}

SCENARIO("the start of a task's own container is no news") {
    Bench bench;
    bench.to_started();
    CHECK(bench.feed(event::Runs()).empty()); // usually before the start call's answer
    CHECK(find<action::Inspect>(bench.feed(event::Started())) != nullptr);
    CHECK(bench.feed(event::Runs()).empty());
    const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
    CHECK(states(seen) == std::vector{TaskState::Running});
    CHECK(find<action::Inspect>(seen) == nullptr);
}

SCENARIO("a task that ends before it was inspected says RUNNING first") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::Hint{0}); // die comes before the start call's answer
    (void)bench.feed(event::Started());
    const auto seen = bench.feed(event::Seen{Bench::facts(Status::Exited)});
    CHECK(states(seen) == std::vector{TaskState::Running, TaskState::Finished});
}

SCENARIO("how a container ended is told apart") {
    struct Row {
        int exit_code;
        bool oom;
        bool outage;
        TaskState state;
        Reason reason;
    };

    const auto row = GENERATE(Row{0, false, false, TaskState::Finished, Reason::CommandExited},
                              Row{0, true, false, TaskState::Finished, Reason::CommandExited},
                              Row{137, true, false, TaskState::Failed, Reason::ContainerOom},
                              Row{1, true, false, TaskState::Failed, Reason::CommandExited},
                              Row{143, true, true, TaskState::Failed, Reason::DockerDown},
                              Row{137, true, true, TaskState::Failed, Reason::ContainerOom},
                              Row{137, false, true, TaskState::Failed, Reason::DockerDown},
                              Row{143, false, true, TaskState::Failed, Reason::DockerDown},
                              Row{0, false, true, TaskState::Finished, Reason::CommandExited},
                              Row{7, false, true, TaskState::Failed, Reason::CommandExited});
    Bench bench;
    (void)bench.to_running();
    if (row.outage) {
        (void)bench.feed(event::DockerDown());
        (void)bench.feed(event::DockerUp());
    } else {
        (void)bench.feed(event::Hint());
    }
    auto facts = Bench::facts(Status::Exited, row.exit_code);
    facts.oom_killed = row.oom;
    const auto ended = bench.feed(event::Seen{facts});
    CHECK(report_of(ended).state == row.state);
    CHECK(report_of(ended).reason == row.reason);
    if (row.oom && row.exit_code != 0) {
        CHECK(report_of(ended).message.find("out of memory") != std::string::npos);
    }
}

SCENARIO("whether Docker stopped a container is asked of Docker itself") {
    Bench bench;
    (void)bench.to_running();
    (void)bench.feed(event::Hint());
    auto facts = Bench::facts(Status::Exited, 143);
    const bool handles_signals = GENERATE(false, true);
    if (handles_signals) {
        facts.exit_code = 0;
        // Docker tells of a signal when it has been delivered, so that the end may be older.
        facts.signalled_at = facts.finished_at + GENERATE(-10s, 1s);
    }
    const auto asked = bench.feed(event::Seen{facts});
    REQUIRE(find<action::ProveDocker>(asked) != nullptr);
    CHECK(states(asked).empty());
    THEN("a Docker that answers did not do it") {
        const auto ended = bench.feed(event::DockerProven());
        CHECK(report_of(ended).reason == Reason::CommandExited);
    }
    THEN("a Docker that is about to end did") {
        const auto ended = bench.feed(event::DockerDoubted());
        CHECK(report_of(ended).state == TaskState::Failed);
        CHECK(report_of(ended).reason == Reason::DockerDown);
        CHECK(report_of(ended).exit_code == facts.exit_code);
    }
    THEN("who was started again meanwhile goes on") {
        (void)bench.feed(event::Runs());
        const auto proven = bench.feed(event::DockerProven());
        REQUIRE(find<action::Inspect>(proven) != nullptr);
        CHECK(states(proven).empty());
        CHECK(states(bench.feed(event::Seen{Bench::facts(Status::Running)})).empty());
    }
    THEN("one that is lost while it is asked did") {
        CHECK(states(bench.feed(event::DockerDown())).empty());
        CHECK(states(bench.feed(event::DockerProven())).empty());
        CHECK(find<action::Inspect>(bench.feed(event::DockerUp())) != nullptr);
        CHECK(report_of(bench.feed(event::Seen{facts})).reason == Reason::DockerDown);
    }
    THEN("a kill that comes meanwhile is what it is told as") {
        (void)bench.feed(event::Kill{1s});
        CHECK(report_of(bench.feed(event::DockerDoubted())).state == TaskState::Killed);
    }
}

SCENARIO("a signal of long ago, and one that came after the end, have not ended it") {
    Bench bench;
    (void)bench.to_running();
    (void)bench.feed(event::DockerDown());
    (void)bench.feed(event::DockerUp());
    auto facts = Bench::facts(Status::Exited, 7);
    facts.signalled_at =
        facts.finished_at + GENERATE(std::chrono::seconds(-1h), std::chrono::seconds(10s));
    CHECK(report_of(bench.feed(event::Seen{facts})).reason == Reason::CommandExited);
}

SCENARIO("what a new executor finds ended was Docker's doing when Docker began after that") {
    struct Row {
        int exit_code;
        std::chrono::seconds after; ///< the socket was made
        Reason reason;
    };

    const auto row = GENERATE(Row{137, -1h, Reason::DockerDown},
                              Row{143, 10s, Reason::DockerDown},  // stopped as it started
                              Row{255, 1s, Reason::DockerDown},   // nobody knows: a power loss
                              Row{7, -1h, Reason::CommandExited}, // by itself
                              Row{255, 1h, Reason::CommandExited});
    Bench bench;
    bench.life = Lifecycle::adopted(Bench::identity());
    auto facts = Bench::facts(Status::Exited, row.exit_code);
    facts.docker_since = facts.finished_at - row.after;
    CHECK(report_of(bench.feed(event::Seen{facts})).reason == row.reason);
}

SCENARIO("what a new executor found running is judged as any other") {
    Bench bench;
    bench.life = Lifecycle::adopted(Bench::identity());
    (void)bench.feed(event::Seen{Bench::facts(Status::Running)});
    (void)bench.feed(event::Hint());
    auto facts = Bench::facts(Status::Exited, 143);
    facts.docker_since = facts.finished_at - 1s;
    CHECK(find<action::ProveDocker>(bench.feed(event::Seen{facts})) != nullptr);
    CHECK(report_of(bench.feed(event::DockerProven())).reason == Reason::CommandExited);
}

SCENARIO("a kill while the image is pulled abandons the pull and makes no container") {
    Bench bench;
    (void)bench.feed(event::Begin());
    const auto killed = bench.feed(event::Kill{5s});
    CHECK(find<action::AbandonImage>(killed) != nullptr);
    CHECK(states(killed) == std::vector{TaskState::Killed});
    CHECK(bench.feed(event::ImageReady{"sha256:1"}).empty());
    CHECK(find<action::Forget>(bench.feed(event::TerminalAcked())) != nullptr);
}

SCENARIO("a kill while create is in flight waits for it and removes what it made") {
    Bench bench;
    (void)bench.feed(event::Begin());
    (void)bench.feed(event::ImageReady{"sha256:1"});
    CHECK(bench.feed(event::Kill{5s}).empty());
    const auto created = bench.feed(event::Created{"c1"});
    CHECK(find<action::Start>(created) == nullptr);
    REQUIRE(find<action::Remove>(created) != nullptr);
    CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Killed});
}

SCENARIO("a kill after a cut create is not over while the create may still take effect") {
    Bench bench;
    (void)bench.feed(event::Begin());
    (void)bench.feed(event::ImageReady{"sha256:1"});
    (void)bench.feed(event::CreateFailed{CallFailure::NoAnswer, "cut"});
    (void)bench.feed(event::Kill{5s});
    CHECK(states(bench.feed(event::Missing())).empty());
    bench.now.mono += 5s;
    REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
    WHEN("it does") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        THEN("what it made is removed first") {
            CHECK(states(seen).empty());
            REQUIRE(find<action::Remove>(seen) != nullptr);
            CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Killed});
        }
    }
    WHEN("it did not in ten seconds") {
        CHECK(states(bench.feed(event::Missing())).empty());
        bench.now.mono += 6s;
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        THEN("the task has ended") {
            CHECK(states(bench.feed(event::Missing())) == std::vector{TaskState::Killed});
        }
    }
}

SCENARIO("a running task is stopped with its grace, and killed when that does not help") {
    Bench bench;
    (void)bench.to_running();
    const auto killed = bench.feed(event::Kill{10s});
    REQUIRE(find<action::Stop>(killed)->grace == 10s);
    CHECK(states(killed) == std::vector{TaskState::Killing});

    WHEN("stop hangs") {
        bench.now.mono += 12s;
        REQUIRE(find<action::ForceKill>(bench.feed(event::Timer())) != nullptr);
        THEN("the kill is repeated until it is true, and no terminal status comes before") {
            (void)bench.feed(event::Hint());
            CHECK(states(bench.feed(event::Seen{Bench::facts(Status::Running)})).empty());
            bench.now.mono += 2s;
            CHECK(find<action::ForceKill>(bench.feed(event::Timer())) != nullptr);
        }
    }
    WHEN("it ends") {
        (void)bench.feed(event::StopEnded());
        const auto ended = bench.feed(event::Seen{Bench::facts(Status::Exited, 143)});
        CHECK(states(ended) == std::vector{TaskState::Killed});
        THEN("its container is removed as soon as the master knows") {
            CHECK(find<action::Remove>(bench.feed(event::TerminalAcked())) != nullptr);
        }
    }
}

SCENARIO("a shorter grace escalates a stop that is in progress") {
    Bench bench;
    (void)bench.to_running();
    (void)bench.feed(event::Kill{60s});
    bench.now.mono += 1s;
    CHECK(find<action::ForceKill>(bench.feed(event::Kill{0s})) != nullptr);
}

TEST_CASE("the lifecycle's promises hold for any order of events") {
    constexpr std::uint64_t seeds = 20'000;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        test::ModelDocker docker(seed);
        docker.run();
        const bool holds = docker.starts_of_one_container_max <= 1 &&
                           docker.running_reports <= 1 + docker.starts_by_hand &&
                           docker.terminal_reports == 1 && docker.reports_after_terminal == 0 &&
                           docker.forgotten && !docker.terminal_while_running &&
                           !docker.left_behind;
        if (!holds) {
            INFO("seed " << seed << ": " << docker.trace);
            CHECK(docker.starts_of_one_container_max <= 1);
            CHECK(docker.running_reports <= 1 + docker.starts_by_hand);
            CHECK(docker.terminal_reports == 1);
            CHECK(docker.reports_after_terminal == 0);
            CHECK(docker.forgotten);
            CHECK_FALSE(docker.terminal_while_running);
            REQUIRE_FALSE(docker.left_behind);
            FAIL();
        }
    }
    SUCCEED("all seeds hold");
}

} // namespace methos::executor
