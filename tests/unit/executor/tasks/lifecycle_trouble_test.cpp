// The task lifecycle when the Engine's answers are cut, contradict each other or do not come, and
// what it makes of what an earlier executor left behind.
#include "tests/unit/executor/tasks/lifecycle_bench.hpp"

namespace methos::executor {

using namespace std::chrono_literals;

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

SCENARIO("a start that was never sent has not been, and is sent when Docker takes it") {
    Bench bench;
    bench.to_started();
    const bool is_docker_known_to_be_away = GENERATE(false, true);
    if (is_docker_known_to_be_away) {
        (void)bench.feed(event::DockerDown());
    }
    const auto refused = bench.feed(event::StartFailed{CallFailure::NotSent, "cannot connect"});
    CHECK(find<action::Start>(refused) == nullptr); // not at once: it may be refused for long
    if (!is_docker_known_to_be_away) {
        (void)bench.feed(event::DockerDown());
    }
    WHEN("Docker is back") {
        bench.now.mono += 15s;
        REQUIRE(find<action::Inspect>(bench.feed(event::DockerUp())) != nullptr);
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        REQUIRE(find<action::Start>(seen) != nullptr);
        THEN("a cut answer of this start does not count that outage") {
            (void)bench.feed(event::StartFailed{CallFailure::NoAnswer, "cut"});
            bench.now.mono += 10s;
            REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
            const auto late = bench.feed(event::Seen{Bench::facts(Status::Created)});
            REQUIRE(find<action::Remove>(late) != nullptr);
            CHECK(find<action::Create>(bench.feed(event::Removed())) != nullptr);
        }
    }
    WHEN("it is wanted dead meanwhile") {
        (void)bench.feed(event::Kill{1s});
        (void)bench.feed(event::DockerUp());
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        CHECK(find<action::Start>(seen) == nullptr);
        REQUIRE(find<action::Remove>(seen) != nullptr);
        CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Killed});
    }
}

SCENARIO("a start that is refused a connection is tried again, though nobody says Docker is away") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::StartFailed{CallFailure::NotSent, "cannot connect"});
    REQUIRE(bench.life.wake_at());
    bench.now.mono = *bench.life.wake_at();
    CHECK(find<action::Start>(bench.feed(event::Timer())) != nullptr);
}

SCENARIO("what Docker died upon while it started it may have run, and is not made anew") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::StartFailed{CallFailure::NoAnswer, "cut"});
    (void)bench.feed(event::DockerDown());
    bench.now.mono += 15s;
    REQUIRE(find<action::Inspect>(bench.feed(event::DockerUp())) != nullptr);
    WHEN("the new Docker says that it runs") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
        CHECK(states(seen) == std::vector{TaskState::Running});
    }
    WHEN("the new Docker knows nothing of a start") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Created)});
        REQUIRE(find<action::Remove>(seen) != nullptr);
        CHECK(find<action::Remove>(seen)->may_run);
        const auto removed = bench.feed(event::Removed());
        CHECK(find<action::Create>(removed) == nullptr);
        CHECK(states(removed) == std::vector{TaskState::Failed});
        CHECK(report_of(removed).reason == Reason::DockerDown);
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

namespace {

/// Inspect fails until what a list says would do; the next one is under way.
void fail_inspects(Bench& bench) {
    bool is_asked = true;
    for (int turn = 0; turn < 100 && !(is_asked && bench.life.is_blind(bench.now)); ++turn) {
        if (is_asked) {
            (void)bench.feed(event::InspectFailed());
        }
        bench.now.mono = std::max<MonoTime>(bench.now.mono + 1s, bench.life.wake_at().value());
        is_asked = find<action::Inspect>(bench.feed(event::Timer())) != nullptr;
    }
    REQUIRE(is_asked);
    REQUIRE(bench.life.is_blind(bench.now));
}

/// As a list has it: little but the state.
ContainerFacts row_of(Status status, int exit_code = 0) {
    auto row = Bench::facts(status, exit_code);
    row.ip_addresses.clear();
    row.started_at = WallTime(1'699'998'000s);
    return row;
}

} // namespace

SCENARIO("a container that Docker lists and cannot inspect is known by the list") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::Started());
    fail_inspects(bench);
    const bool answer_is_under_way = GENERATE(true, false);
    const auto list = [&](const std::optional<ContainerFacts>& row) {
        if (!answer_is_under_way) {
            (void)bench.feed(event::InspectFailed());
            return bench.feed(event::Listed{row});
        }
        CHECK(states(bench.feed(event::Listed{row})).empty());
        return bench.feed(event::InspectFailed());
    };
    WHEN("it runs") {
        CHECK(states(list(row_of(Status::Running))) == std::vector{TaskState::Running});
        THEN("a kill stops it, and the list says when it is true") {
            REQUIRE(find<action::Stop>(bench.feed(event::Kill{1s})) != nullptr);
            REQUIRE(find<action::Inspect>(bench.feed(event::StopEnded())) != nullptr);
            CHECK_FALSE(bench.life.is_blind(bench.now)); // a list may be older than the stop
            fail_inspects(bench);
            CHECK(states(list(row_of(Status::Exited, 143))) == std::vector{TaskState::Killed});
        }
    }
    WHEN("it has ended") {
        const auto ended = list(row_of(Status::Exited, 3));
        CHECK(states(ended) == std::vector{TaskState::Running, TaskState::Failed});
        CHECK(bench.life.last_status().exit_code == 3);
    }
    WHEN("it is not in the list") {
        CHECK(states(list(std::nullopt)) == std::vector{TaskState::Failed});
    }
}

SCENARIO("a list that may be older than the last failure to inspect says nothing") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::Started());
    (void)bench.feed(event::InspectFailed());
    CHECK(bench.feed(event::Listed{row_of(Status::Created)}).empty());
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
        const bool is_killed = GENERATE(false, true);
        if (is_killed) {
            (void)bench.feed(event::Kill{1s});
        }
        const auto seen = bench.feed(event::Seen{facts});
        const auto state = is_killed ? TaskState::Killed : TaskState::Failed;
        CHECK(states(seen) == std::vector{state});
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

SCENARIO("a name that Docker holds for nobody is given up for another one") {
    Bench bench;
    (void)bench.feed(event::Begin());
    auto actions = bench.feed(event::ImageReady{"sha256:1"});
    for (int round = 0; round < 3; ++round) {
        REQUIRE(find<action::Create>(actions) != nullptr);
        CHECK(find<action::Create>(actions)->name_suffix.empty());
        REQUIRE(find<action::Inspect>(bench.feed(
                    event::CreateFailed{CallFailure::NameConflict, "taken"})) != nullptr);
        CHECK(find<action::Create>(bench.feed(event::Missing())) == nullptr);
        bench.now.mono += 10s;
        actions = bench.feed(event::Timer());
    }
    REQUIRE(find<action::Create>(actions) != nullptr);
    CHECK(find<action::Create>(actions)->name_suffix == "-r3");
}

SCENARIO("of two exit codes the one that inspect says is told") {
    Bench bench;
    (void)bench.to_running();
    const auto looked = bench.feed(event::Hint{255}); // of a killed shim
    REQUIRE(find<action::Inspect>(looked) != nullptr);
    WHEN("inspect has one") {
        (void)bench.feed(event::Seen{Bench::facts(Status::Exited, 143)});
        CHECK(report_of(bench.feed(event::DockerProven())).exit_code == 143);
    }
    WHEN("it goes on, for somebody has restarted it, and is removed later") {
        (void)bench.feed(event::Seen{Bench::facts(Status::Running)});
        (void)bench.feed(event::Hint());
        CHECK_FALSE(report_of(bench.feed(event::Missing())).exit_code);
    }
    WHEN("the container is gone") {
        const auto gone = bench.feed(event::Missing());
        CHECK(report_of(gone).exit_code == 255);
        CHECK(report_of(gone).reason == Reason::ContainerRemoved);
    }
}

SCENARIO(
    "a container that is killed may have run out of memory though Docker does not say so yet") {
    Bench bench;
    (void)bench.to_running();
    (void)bench.feed(event::Hint{137});
    auto facts = Bench::facts(Status::Exited, 137);
    (void)bench.feed(event::Seen{facts});
    CHECK(states(bench.feed(event::DockerProven())).empty());
    bench.now.mono = bench.life.wake_at().value();
    REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
    facts.oom_killed = GENERATE(false, true);
    const auto ended = bench.feed(event::Seen{facts});
    CHECK(states(ended) == std::vector{TaskState::Failed});
    CHECK(report_of(ended).reason ==
          (facts.oom_killed ? Reason::ContainerOom : Reason::CommandExited));
}

SCENARIO("a container that is removed before its start is made again") {
    Bench bench;
    bench.to_started();
    const auto gone = bench.feed(event::StartFailed{CallFailure::ContainerGone, "no such"});
    CHECK(states(gone) == std::vector{TaskState::Starting}); // and what Docker says
    bench.now.mono = bench.life.wake_at().value();
    REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
    WHEN("it is gone") {
        CHECK(find<action::Create>(bench.feed(event::Missing())) != nullptr);
    }
    WHEN("it is wanted dead meanwhile") {
        (void)bench.feed(event::Kill{1s});
        CHECK(states(bench.feed(event::Missing())) == std::vector{TaskState::Killed});
    }
}

SCENARIO("a container on its way out is asked for with growing pauses") {
    Bench bench;
    (void)bench.to_running();
    const bool is_killed = GENERATE(false, true);
    REQUIRE(find<action::Inspect>(bench.feed(event::Hint())) != nullptr);
    auto actions = bench.feed(event::Seen{Bench::facts(Status::Removing)});
    if (is_killed) {
        CHECK(find<action::Stop>(bench.feed(event::Kill{1s})) == nullptr);
    }
    const auto since = bench.now.mono;
    int looks = 0;
    while (find<action::Remove>(actions) == nullptr && bench.now.mono - since < 60s) {
        bench.now.mono = bench.life.wake_at().value();
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        actions = bench.feed(event::Seen{Bench::facts(Status::Removing)});
        ++looks;
    }
    CHECK(looks <= 20);
    CHECK((find<action::Remove>(actions) != nullptr) == is_killed);
    if (is_killed) {
        CHECK(states(bench.feed(event::Removed())) == std::vector{TaskState::Killed});
    }
}

SCENARIO("a name that this attempt's own ended container has is reported and not started") {
    Bench bench;
    (void)bench.feed(event::Begin());
    (void)bench.feed(event::ImageReady{"sha256:1"});
    (void)bench.feed(event::CreateFailed{CallFailure::NameConflict, "taken"});
    WHEN("it is of this spec") {
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Exited, 1)});
        CHECK(states(seen) == std::vector{TaskState::Running, TaskState::Failed});
        CHECK(find<action::Start>(seen) == nullptr);
    }
    WHEN("it is of another spec") {
        auto other = Bench::facts(Status::Exited, 1);
        other.spec_hash = "another";
        const auto seen = bench.feed(event::Seen{other});
        CHECK(states(seen).empty());
        REQUIRE(find<action::Remove>(seen) != nullptr);
        CHECK(find<action::Create>(bench.feed(event::Removed())) != nullptr);
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
    WHEN("it was never started, says a Docker that is younger than it") {
        auto facts = Bench::facts(Status::Created);
        facts.created_at = WallTime(1'700'000'000s);
        facts.docker_since = facts.created_at + 1s;
        CHECK(states(bench.feed(event::Seen{facts})).empty());
        bench.now.mono += 3s;
        (void)bench.feed(event::Timer());
        REQUIRE(find<action::Remove>(bench.feed(event::Seen{facts})) != nullptr);
        const auto removed = bench.feed(event::Removed());
        CHECK(states(removed) == std::vector{TaskState::Failed});
        CHECK(report_of(removed).reason == Reason::DockerDown);
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

SCENARIO("a container that never ran and cannot be removed is not taken for one that has ended") {
    Bench bench;
    bench.to_started();
    (void)bench.feed(event::StartFailed{CallFailure::Permanent, "no such device"});
    auto dead = Bench::facts(Status::Created, 128);
    REQUIRE(find<action::Remove>(bench.feed(event::Seen{dead})) != nullptr);
    dead.status = Status::Dead; // device or resource busy
    for (int i = 0; i < 5; ++i) {
        CHECK(states(bench.feed(event::RemoveFailed())).empty());
        bench.now.mono += 10s;
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        const auto seen = bench.feed(event::Seen{dead});
        CHECK(states(seen).empty());
        REQUIRE(find<action::Remove>(seen) != nullptr);
    }
    const auto ended = bench.feed(event::Removed());
    CHECK(states(ended) == std::vector{TaskState::Failed});
    CHECK(report_of(ended).message.find("no such device") != std::string::npos);
}

SCENARIO("the end of what has never run does not wait for ever for its removal") {
    Bench bench;
    bench.to_started();
    const bool is_killed = GENERATE(false, true);
    if (is_killed) {
        (void)bench.feed(event::Kill{1s});
    }
    (void)bench.feed(event::StartFailed{CallFailure::Permanent, "no such device"});
    auto busy = Bench::facts(Status::Created, 128);
    busy.status = GENERATE(Status::Created, Status::Dead);
    Actions actions = bench.feed(event::Seen{busy});
    const auto since = bench.now.mono;
    while (states(actions).empty() && bench.now.mono - since < 10min) {
        REQUIRE(find<action::Remove>(actions) != nullptr);
        (void)bench.feed(event::RemoveFailed());
        bench.now.mono = bench.life.wake_at().value();
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        actions = bench.feed(event::Seen{busy});
    }
    const auto state = is_killed ? TaskState::Killed : TaskState::Failed;
    CHECK(states(actions) == std::vector{state});
    CHECK(bench.now.mono - since >= 60s);
    CHECK(bench.now.mono - since <= 70s);
    THEN("Docker is asked to remove it all the same") {
        REQUIRE(find<action::Remove>(bench.feed(event::TerminalAcked())) != nullptr);
        (void)bench.feed(event::RemoveFailed());
        bench.now.mono = bench.life.wake_at().value();
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        REQUIRE(find<action::Remove>(bench.feed(event::Seen{busy})) != nullptr);
        CHECK(find<action::Forget>(bench.feed(event::Removed())) != nullptr);
    }
}

SCENARIO(
    "a process that is gone for certain ends its task, whatever Docker says of its container") {
    Bench bench;
    (void)bench.to_running();
    const bool is_killed = GENERATE(false, true);
    if (is_killed) {
        (void)bench.feed(event::Kill{10s});
    }
    const auto ended = bench.feed(event::ProcessLost());
    const auto state = is_killed ? TaskState::Killed : TaskState::Failed;
    CHECK(states(ended) == std::vector{state});
    THEN("it is told once, and Docker is asked again and again to remove the container") {
        CHECK(states(bench.feed(event::ProcessLost())).empty());
        (void)bench.feed(event::TerminalAcked());
        (void)bench.feed(event::RemoveFailed());
        bench.now.mono += 10s;
        REQUIRE(find<action::Inspect>(bench.feed(event::Timer())) != nullptr);
        const auto seen = bench.feed(event::Seen{Bench::facts(Status::Running)});
        CHECK(find<action::Remove>(seen) != nullptr);
    }
}

} // namespace methos::executor
