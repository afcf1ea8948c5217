// The task lifecycle: what it does at each point of a life, by hand, and that its promises hold
// when events come in any order, twice or not at all (thousands of seeds against a small model of
// Docker).
#include "executor/tasks/lifecycle.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/executor/tasks/model_docker.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

/// One task under test with a clock that moves when told.
struct Bench {
    Bench() : life(Lifecycle::launched(identity(), true)) {
        now.mono = MonoTime(100s);
        now.wall = WallTime(1'700'000'000s);
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
        facts.finished_at = WallTime(1'700'000'000s);
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

std::vector<TaskState> states(const Actions& actions) {
    std::vector<TaskState> seen;
    for (const auto& action : actions) {
        if (const auto* report = std::get_if<action::Report>(&action)) {
            seen.push_back(report->status.state);
        }
    }
    return seen;
}

const TaskStatus& report_of(const Actions& actions) {
    const auto* report = find<action::Report>(actions);
    REQUIRE(report != nullptr);
    return report->status;
}

using Status = ContainerFacts::Status;

} // namespace

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
    }
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
                              Row{137, false, false, TaskState::Failed, Reason::CommandExited},
                              Row{137, false, true, TaskState::Failed, Reason::DockerDown},
                              Row{143, false, true, TaskState::Failed, Reason::DockerDown},
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

SCENARIO("a connection cut during start does not start the container twice") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::StartFailed{CallFailure::NoAnswer, "cut"});
    bench.now.mono += 1s;
    REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);

    WHEN("it runs all the same") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
        CHECK(states(seen) == std::vector{TaskState::Running});
    }
    WHEN("it has run and ended") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Exited, 1)});
        CHECK(states(seen) == std::vector{TaskState::Running, TaskState::Failed});
    }
    WHEN("it was still created, and the answer that says so waited for us") {
        bench.now.mono += 15s;
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        THEN("it may have been started meanwhile: nothing is removed before a fresh look") {
            CHECK(find<action::Remove>(seen) == nullptr);
            bench.now.mono += 1s;
            REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
            const auto fresh = bench.feed(event::Seen{Bench::facts(Status::Running)});
            CHECK(states(fresh) == std::vector{TaskState::Running});
        }
    }
    WHEN("it is still created") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        CHECK(find<action::Start>(seen) == nullptr);
        THEN("in the end it is removed, and another one is made") {
            bench.now.mono += 15s;
            (void)bench.feed(event::Timer());
            const auto late = bench.feed(event::Seen{Bench::facts(Status::Created)});
            REQUIRE(find<action::Remove>(late) != nullptr);
            CHECK(find<action::Create>(bench.feed(event::Removed())) != nullptr);
            const auto created = bench.feed(event::Created{"c2"});
            REQUIRE(find<action::Start>(created) != nullptr);
            CHECK(find<action::Start>(created)->container_id == "c2");
        }
        THEN("a kill removes it") {
            (void)bench.feed(event::Kill{1s});
            bench.now.mono += 1s;
            (void)bench.feed(event::Timer());
            const auto late = bench.feed(event::Seen{Bench::facts(Status::Created)});
            REQUIRE(find<action::Remove>(late) != nullptr);
            CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Killed});
        }
    }
}

SCENARIO("a containerd that is away fails a task only when it stays away") {
    Bench bench;
    bench.to_started();
    const auto away_since = bench.now.mono;
    const Duration outage = GENERATE(20s, 600s);
    int starts = 1;
    Actions actions = bench.feed(event::StartFailed{CallFailure::Retryable, "unavailable"});
    // STARTING is reported again with what Docker says meanwhile.
    REQUIRE(states(actions) == std::vector{TaskState::Starting});
    const auto is_starting = [&bench] {
        return bench.life.last_status().state == TaskState::Starting;
    };
    for (int turn = 0; turn < 200 && is_starting(); ++turn) {
        if (find<action::Inspect>(actions) != nullptr) {
            auto refused = Bench::facts(Status::Created);
            refused.error = "unavailable";
            actions = bench.feed(event::Seen{refused});
        } else if (find<action::Remove>(actions) != nullptr) {
            actions = bench.feed(event::Removed());
        } else if (find<action::Create>(actions) != nullptr) {
            actions = bench.feed(event::Created{"c2"});
            ++starts;
            // Created reports STARTING; what matters is what becomes of the start.
            REQUIRE(find<action::Start>(actions) != nullptr);
            if (bench.now.mono - away_since > outage) {
                (void)bench.feed(event::Started());
                auto running = Bench::facts(Status::Running);
                running.id = "c2";
                actions = bench.feed(event::Seen{running});
            } else {
                actions = bench.feed(event::StartFailed{CallFailure::Retryable, "unavailable"});
            }
        } else {
            REQUIRE(bench.life.wake_at());
            bench.now.mono = *bench.life.wake_at();
            actions = bench.feed(event::Timer());
        }
    }
    const bool came_back = outage == 20s;
    const auto expected = came_back ? TaskState::Running : TaskState::Failed;
    CHECK(states(actions) == std::vector{expected});
    CHECK(bench.now.mono - away_since >= std::min<Duration>(outage, 60s));
    CHECK(bench.now.mono - away_since <= 70s);
    CHECK(starts >= 3);
    CHECK(starts <= 25); // the pauses grow, though what is around a start goes well
}

SCENARIO("a name conflict is resolved by looking at who has the name") {
    Bench bench;
    (void)bench.feed(event::Begin());
    (void)bench.feed(event::ImageReady{"sha256:1"});
    const auto conflict = bench.feed(event::CreateFailed{CallFailure::NameConflict, "taken"});
    REQUIRE(find<action::Inspect>(conflict) != nullptr);

    WHEN("it is ours and was created only") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        CHECK(find<action::Start>(seen) != nullptr);
    }
    WHEN("it is ours and runs") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
        CHECK(states(seen) == std::vector{TaskState::Running});
    }
    WHEN("it is an earlier attempt") {
        auto facts = Bench::facts(Status::Exited, 1);
        facts.attempt = 0;
        REQUIRE(find<action::Remove>(bench.feed(event::Seen{facts})) != nullptr);
        CHECK(find<action::Create>(bench.feed(event::Removed())) != nullptr);
    }
    WHEN("it is somebody else's") {
        auto facts = Bench::facts(Status::Running);
        facts.host = "other";
        const auto seen = bench.feed(event::Seen{facts});
        CHECK(states(seen) == std::vector{TaskState::Failed});
        CHECK(find<action::Remove>(bench.feed(event::TerminalAcked())) == nullptr);
    }
    WHEN("nobody has it (a phantom)") {
        (void)bench.feed(event::Missing());
        bench.now.mono += 1s;
        const auto again = bench.feed(event::Timer());
        REQUIRE(find<action::Create>(again) != nullptr);
        CHECK(find<action::Create>(again)->name_suffix.empty());
    }
}

SCENARIO("what an earlier executor left behind is found again") {
    auto life = Lifecycle::adopted(Bench::identity());
    Bench bench;
    bench.life = std::move(life);

    WHEN("it runs") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
        CHECK(states(seen) == std::vector{TaskState::Running});
        CHECK(find<action::Start>(seen) == nullptr);
    }
    WHEN("it has ended") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Exited)});
        CHECK(states(seen) == std::vector{TaskState::Finished});
    }
    WHEN("it was never started") {
        CHECK(states(bench.feed(event::Seen{Bench::facts(Status::Created)})).empty());
        bench.now.mono += 3s;
        (void)bench.feed(event::Timer());
        const auto later = bench.feed(event::Seen{Bench::facts(Status::Created)});
        REQUIRE(find<action::Remove>(later) != nullptr);
        CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Dropped});
    }
    WHEN("its start had failed") {
        auto facts = Bench::facts(Status::Created, 128);
        facts.error = "Bind for 0.0.0.0:80 failed: port is already allocated";
        const auto seen = bench.feed(event::Seen{facts});
        CHECK(report_of(seen).state == TaskState::Failed);
        CHECK(report_of(seen).reason == Reason::PortConflict);
    }
}

SCENARIO("while Docker is away nothing is said to have ended") {
    Bench bench;
    (void)bench.to_running();
    CHECK(bench.feed(event::DockerDown()).empty());
    CHECK(bench.feed(event::Kill{1s}).empty());
    const auto up = bench.feed(event::DockerUp());
    CHECK(find<action::Inspect>(up) != nullptr);
    CHECK(find<action::Stop>(up) != nullptr);
    CHECK(states(up) == std::vector{TaskState::Killing});
}

TEST_CASE("the lifecycle's promises hold for any order of events") {
    constexpr std::uint64_t seeds = 20'000;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        test::ModelDocker docker(seed);
        docker.run();
        const bool holds = docker.starts_of_one_container_max <= 1 && docker.running_reports <= 1 &&
                           docker.terminal_reports == 1 && docker.reports_after_terminal == 0 &&
                           docker.forgotten && !docker.terminal_while_running &&
                           !docker.left_behind;
        if (!holds) {
            INFO("seed " << seed << ": " << docker.trace);
            CHECK(docker.starts_of_one_container_max <= 1);
            CHECK(docker.running_reports <= 1);
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
