// Status updates reach their framework at least once and in order, over restarts of the master and
// of the framework; kills and questions about tasks are answered as Mesos answers them.
#include "tests/unit/master/external/framework_lab.hpp"

using namespace methos;
using namespace methos::external;
using methos::test::FrameworkLab;
using namespace std::chrono_literals;

namespace {

/// A framework with one task on host a, launched.
struct Launched : FrameworkLab {
    explicit Launched(FrameworkInfo info = FrameworkLab::info("web"), heart::Options options = {})
        : FrameworkLab(std::move(options)) {
        join("a");
        web = subscribe(info);
        REQUIRE_FALSE(launch(web, take_offer(web), {request("t")}));
    }

    Subscription web;
};

std::vector<TaskState> states_of(const std::vector<Update>& updates) {
    std::vector<TaskState> states;
    for (const auto& update : updates) {
        states.push_back(update.state);
    }
    return states;
}

} // namespace

SCENARIO("updates come one at a time, each after the acknowledgement of the one before") {
    Launched lab;
    const auto task = lab.task("t");
    lab.report(task, TaskState::Starting);
    lab.report(task, TaskState::Running);
    lab.report(task, TaskState::Failed);
    const auto first = lab.take_one<Update>(lab.web);
    CHECK(first.state == TaskState::Starting);
    CHECK(first.uuid.size() == 16);
    CHECK(first.source == StatusSource::Executor);
    CHECK(first.agent_id.value == "id-a");
    CHECK(lab.cluster().tasks().empty()); // its resources are free at once
    lab.acknowledge(lab.web, first);
    const auto second = lab.take_one<Update>(lab.web);
    CHECK(second.state == TaskState::Running);
    CHECK_FALSE(second.uuid == first.uuid);
    lab.acknowledge(lab.web, first); // again: it means nothing
    CHECK(lab.take<Update>(lab.web).empty());
    lab.acknowledge(lab.web, second);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    lab.let_names_rest();
    CHECK(lab.records_in(state::Table::Update) == 0);
    CHECK(lab.records_in(state::Table::Spec) == 0);
    const auto& over = lab.external().find(lab.web.framework)->over;
    REQUIRE(over.size() == 1);
    CHECK(over.front().last.state == TaskState::Failed);
    CHECK(over.front().definition == R"({"name":"t"})");
}

SCENARIO("an update is repeated ever more rarely until it is acknowledged") {
    Launched lab;
    lab.report(lab.task("t"), TaskState::Running);
    const auto first = lab.take_one<Update>(lab.web);
    lab.live(9s);
    CHECK(lab.take<Update>(lab.web).empty());
    lab.live(2s);
    CHECK(lab.take_one<Update>(lab.web).uuid == first.uuid);
    lab.live(15s);
    CHECK(lab.take<Update>(lab.web).empty());
    lab.live(6s);
    CHECK(lab.take<Update>(lab.web).size() == 1);
    lab.acknowledge(lab.web, first);
    lab.live(300s);
    CHECK(lab.take<Update>(lab.web).empty());
}

SCENARIO("what was not acknowledged survives the framework's absence and the master's restart") {
    Launched lab;
    const auto task = lab.task("t");
    lab.report(task, TaskState::Running);
    const auto running = lab.take_one<Update>(lab.web);
    lab.disconnect(lab.web);
    lab.report(task, TaskState::Finished);
    lab.kill_and_restart();
    lab.join("a");
    const auto again = lab.resubscribe(lab.web);
    const auto repeated = lab.take_one<Update>(again);
    CHECK(repeated.uuid == running.uuid);
    CHECK(repeated.state == TaskState::Running);
    CHECK(repeated.task_id == "t");
    CHECK(repeated.agent_id.value == "id-a");
    lab.acknowledge(again, repeated);
    const auto finished = lab.take_one<Update>(again);
    CHECK(finished.state == TaskState::Finished);
    lab.acknowledge(again, finished);
    lab.let_names_rest();
    CHECK(lab.records_in(state::Table::Update) == 0);
}

SCENARIO("a running task survives the master's restart with its definition") {
    Launched lab;
    const auto task = lab.task("t");
    lab.report(task, TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    lab.kill_and_restart();
    lab.join("a", {FrameworkLab::status(task, TaskState::Running)});
    REQUIRE(lab.count(TaskState::Running) == 1);
    const auto* mine = lab.external().find_task(lab.task("t"));
    REQUIRE(mine != nullptr);
    CHECK(mine->definition == R"({"name":"t"})");
    const auto again = lab.resubscribe(lab.web);
    CHECK(lab.take<Update>(again).empty());
    lab.report(lab.task("t"), TaskState::Finished);
    lab.acknowledge(again, lab.take_one<Update>(again));
    CHECK(lab.records_in(state::Table::Spec) == 0);
}

SCENARIO("a task that flaps while its framework is away does not fill the store") {
    heart::Options options;
    options.external.unacknowledged_per_task_max = 3;
    Launched lab(FrameworkLab::info("web"), options);
    const auto task = lab.task("t");
    lab.report(task, TaskState::Starting);
    (void)lab.take<Update>(lab.web);
    for (int i = 0; i < 10; ++i) {
        lab.report(task, TaskState::Running);
        lab.report(task, TaskState::Starting);
    }
    lab.report(task, TaskState::Finished);
    CHECK(lab.records_in(state::Table::Update) == 4); // the task's own and three updates
    lab.disconnect(lab.web);
    const auto again = lab.resubscribe(lab.web);
    std::vector<TaskState> seen;
    for (int i = 0; i < 3; ++i) {
        const auto update = lab.take_one<Update>(again);
        seen.push_back(update.state);
        lab.acknowledge(again, update);
    }
    CHECK(seen.back() == TaskState::Finished);
    lab.let_names_rest();
    CHECK(lab.records_in(state::Table::Update) == 0);
}

SCENARIO("a host's whole STATUS is taken in steps that the store takes, whatever the tasks weigh") {
    FrameworkLab lab; // checks the caps of each step
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    std::vector<TaskRequest> requests;
    for (std::size_t i = 0; i < cluster::Cluster::slice_max; ++i) {
        auto request = FrameworkLab::request("t" + std::to_string(i));
        request.definition = R"({"env":")" + std::string(100'000, 'x') + R"("})";
        requests.push_back(std::move(request));
    }
    REQUIRE_FALSE(lab.launch(web, lab.take_offer(web), requests));
    const auto tasks = lab.tasks_in(TaskState::Staging);
    REQUIRE(tasks.size() == requests.size());
    const auto all_in = [&](TaskState state) {
        std::vector<TaskStatus> all;
        for (const auto& task : tasks) {
            auto status = FrameworkLab::status(task, state);
            status.message = std::string(64 * 1024, 'm');
            status.container_id = std::string(1024, 'c');
            status.ip_addresses.assign(16, std::string(1024, '1'));
            all.push_back(std::move(status));
        }
        return all;
    };
    lab.report_all("a", all_in(TaskState::Starting));
    lab.report_all("a", all_in(TaskState::Running));
    CHECK(lab.count(TaskState::Running) == tasks.size());

    GIVEN("a framework that ends, with all its updates unacknowledged, while its tasks end") {
        const auto ended = all_in(TaskState::Finished);
        std::size_t taken = 0;
        lab.step([&](heart::Heart& heart, cluster::Step& s) {
            REQUIRE_FALSE(heart.external().tear_down(web.framework, s));
            taken = heart.cluster().statuses(lab.session("a"), ended, s);
        });
        CHECK(taken > 1);
        CHECK(taken < ended.size());
        lab.report_all("a", {ended.begin() + static_cast<std::ptrdiff_t>(taken), ended.end()});
        CHECK(lab.cluster().tasks().empty());
        CHECK(lab.external().find(web.framework)->state == FrameworkState::Completed);
        lab.let_names_rest();
        CHECK(lab.records_in(state::Table::Update) == 0);
    }
    GIVEN("a host that joins anew and names them all in its list") {
        lab.kill_and_restart();
        lab.join("a", all_in(TaskState::Finished));
        CHECK(lab.cluster().tasks().empty());
    }
}

SCENARIO("a lost host makes its tasks unreachable, and its return makes them run again") {
    auto info = FrameworkLab::info("web");
    const bool aware = GENERATE(true, false);
    if (!aware) {
        info.capabilities.clear();
    }
    Launched lab(info);
    const auto task = lab.task("t");
    lab.report(task, TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    lab.cut("a");
    lab.live(5s);
    const auto unreachable = lab.take_one<Update>(lab.web);
    CHECK(unreachable.state == TaskState::Unreachable);
    CHECK(unreachable.lost == !aware);
    CHECK(unreachable.uuid.empty());
    CHECK(unreachable.reason == "REASON_AGENT_REMOVED");
    CHECK(unreachable.unreachable_since.has_value());
    lab.join("a", {FrameworkLab::status(task, TaskState::Running)});
    const auto back = lab.take_one<Update>(lab.web);
    CHECK(back.state == TaskState::Running);
    CHECK(back.reason == "REASON_AGENT_REREGISTERED");
    CHECK(back.uuid.size() == 16);
}

SCENARIO("a host that lost a container has its framework told, and told again") {
    Launched lab;
    lab.report(lab.task("t"), TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    lab.join("a"); // with nothing
    const auto gone = lab.take_one<Update>(lab.web);
    CHECK(gone.state == TaskState::Gone);
    CHECK(gone.source == StatusSource::Master);
    CHECK(gone.reason == "REASON_RECONCILIATION");
    CHECK(gone.uuid.size() == 16);
    lab.live(11s);
    CHECK(lab.take<Update>(lab.web).size() == 1);
}

SCENARIO("a host that an operator drains or gives up has its frameworks told why") {
    Launched lab;
    lab.report(lab.task("t"), TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    const auto host = lab.task("t").host;
    WHEN("it is drained") {
        lab.step([&](heart::Heart& heart, cluster::Step& s) {
            REQUIRE(heart.cluster().drain(host, {}, s));
        });
        lab.end_all_killed();
        const auto killed = lab.take_one<Update>(lab.web);
        CHECK(killed.state == TaskState::Killed);
        CHECK(killed.reason == "REASON_AGENT_DRAINING");
    }
    WHEN("it is given up") {
        lab.cut("a");
        lab.live(5s);
        (void)lab.take<Update>(lab.web);
        lab.step([&](heart::Heart& heart, cluster::Step& s) {
            REQUIRE(heart.cluster().mark_gone(host, s));
        });
        const auto gone = lab.take_one<Update>(lab.web);
        CHECK(gone.state == TaskState::GoneByOperator);
        CHECK(gone.reason == "REASON_AGENT_REMOVED_BY_OPERATOR");
        CHECK(gone.source == StatusSource::Master);
        CHECK(gone.uuid.size() == 16);
    }
}

SCENARIO("KILL kills") {
    auto info = FrameworkLab::info("web");
    const bool sees_killing = GENERATE(true, false);
    if (sees_killing) {
        info.capabilities.insert("TASK_KILLING_STATE");
    }
    Launched lab(info);
    lab.report(lab.task("t"), TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    REQUIRE_FALSE(lab.call(lab.web, Kill{"t", HostId("id-a"), Duration(3s)}));
    const auto kills = lab.take_sent<cluster::SendKill>();
    REQUIRE(kills.size() == 1);
    CHECK(kills.front().grace == Duration(3s));
    CHECK(lab.take<Update>(lab.web).size() == (sees_killing ? 1U : 0U));
    lab.end_all_killed();
    const auto killed = lab.take_one<Update>(lab.web);
    CHECK(killed.state == TaskState::Killed);
    CHECK(killed.uuid.size() == 16);
    AND_WHEN("it kills again") {
        REQUIRE_FALSE(lab.call(lab.web, Kill{"t", HostId("id-a"), std::nullopt}));
        CHECK(lab.take_one<Update>(lab.web).state == TaskState::Killed);
    }
}

SCENARIO("KILL of what is not there is answered like a question") {
    Launched lab;
    REQUIRE_FALSE(lab.call(lab.web, Kill{"never", HostId("id-a"), std::nullopt}));
    const auto update = lab.take_one<Update>(lab.web);
    CHECK(update.state == TaskState::Gone);
    CHECK(update.reason == "REASON_RECONCILIATION");
    CHECK(lab.take_sent<cluster::SendKill>().empty());
    AND_WHEN("it is not reachable") {
        lab.report(lab.task("t"), TaskState::Running);
        (void)lab.take<Update>(lab.web);
        lab.cut("a");
        lab.live(5s);
        (void)lab.take<Update>(lab.web);
        REQUIRE_FALSE(lab.call(lab.web, Kill{"t", HostId("id-a"), std::nullopt}));
        CHECK(lab.take_one<Update>(lab.web).state == TaskState::Unreachable);
        CHECK(lab.task("t").kill_wanted);
    }
}

SCENARIO("RECONCILE tells how tasks stand") {
    Launched lab;
    lab.report(lab.task("t"), TaskState::Running);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    WHEN("it asks for everything") {
        REQUIRE_FALSE(lab.call(lab.web, Reconcile()));
        const auto update = lab.take_one<Update>(lab.web);
        CHECK(update.state == TaskState::Running);
        CHECK(update.uuid.empty());
        CHECK(update.source == StatusSource::Master);
        CHECK(update.reason == "REASON_RECONCILIATION");
        CHECK(update.container_id == "c-t");
    }
    WHEN("it asks by name") {
        Reconcile call;
        call.tasks = {{"t", HostId()},
                      {"gone", HostId("id-a")},
                      {"unknown", HostId("id-nowhere")},
                      {"nowhere", HostId()}};
        REQUIRE_FALSE(lab.call(lab.web, call));
        CHECK(states_of(lab.take<Update>(lab.web)) ==
              std::vector<TaskState>{
                  TaskState::Running, TaskState::Gone, TaskState::Unknown, TaskState::Unknown});
    }
    WHEN("the agent is lost or has not told yet") {
        lab.cut("a");
        lab.live(5s);
        (void)lab.take<Update>(lab.web);
        Reconcile call;
        call.tasks = {{"t", HostId()}, {"other", HostId("id-a")}};
        REQUIRE_FALSE(lab.call(lab.web, call));
        CHECK(states_of(lab.take<Update>(lab.web)) ==
              std::vector<TaskState>{TaskState::Unreachable, TaskState::Unreachable});
        lab.kill_and_restart();
        const auto again = lab.resubscribe(lab.web);
        lab.join("b");
        lab.close("b");
        call.tasks = {{"other", HostId("id-b")}};
        REQUIRE_FALSE(lab.call(again, call));
        CHECK(lab.take<Update>(again).empty());
    }
    WHEN("operations are asked for") {
        REQUIRE_FALSE(lab.call(lab.web, ReconcileOperations{{"op"}}));
        CHECK(lab.take_one<OperationStatus>(lab.web).state == "OPERATION_UNKNOWN");
    }
}

SCENARIO("questions about many tasks are answered in turns, and only to who asked") {
    FrameworkLab lab;
    auto host = FrameworkLab::host_info("a");
    host.resources.scalars = {10'000'000, 10'000'000 * bytes_per_mb, 0, 0};
    lab.join(host);
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    std::vector<TaskRequest> requests;
    for (int i = 0; i < 1200; ++i) {
        requests.push_back(FrameworkLab::request("t" + std::to_string(i)));
    }
    REQUIRE_FALSE(lab.launch(web, lab.take_offer(web), requests));
    REQUIRE_FALSE(lab.call(web, Reconcile()));
    REQUIRE(lab.take<Update>(web).size() == 1200);
    cluster::Step step(lab.now());
    REQUIRE_FALSE(lab.external().call({web.framework, Reconcile()}, web.stream, step));
    REQUIRE_FALSE(lab.external().call({web.framework, Reconcile()}, web.stream, step));
    lab.disconnect(web);
    const auto again = lab.resubscribe(web);
    CHECK(lab.take<Update>(again).empty());
    REQUIRE_FALSE(lab.call(again, Reconcile()));
    CHECK(lab.take<Update>(again).size() == 1200);
}

SCENARIO("a task that waits for its launch can be asked for and killed") {
    FrameworkLab lab;
    auto host = FrameworkLab::host_info("a");
    host.resources.scalars = {10'000'000, 10'000'000 * bytes_per_mb, 0, 0};
    lab.join(host);
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    Accept accept;
    accept.offer_ids = {lab.id_of(lab.take_offer(web))};
    for (int i = 0; i < 200; ++i) {
        accept.launches.push_back(FrameworkLab::request("t" + std::to_string(i)));
    }
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        auto& external = heart.external();
        REQUIRE_FALSE(external.call({web.framework, accept}, web.stream, step));
        REQUIRE(step.more);
        REQUIRE_FALSE(external.call({web.framework, Kill{"t199", {}, {}}}, web.stream, step));
        const Reconcile question{{{"t198", HostId("id-a")}}};
        REQUIRE_FALSE(external.call({web.framework, question}, web.stream, step));
    });
    const auto updates = lab.take<Update>(web);
    REQUIRE(updates.size() == 2);
    const auto& killed = updates[0];
    CHECK(updates[1].task_id == "t198");
    CHECK(updates[1].state == TaskState::Staging);
    CHECK(killed.task_id == "t199");
    CHECK(killed.state == TaskState::Killed);
    CHECK(killed.reason == "REASON_TASK_KILLED_DURING_LAUNCH");
    CHECK(lab.count(TaskState::Staging) == 199);
}

SCENARIO("health that changes is an update of its own") {
    Launched lab;
    const auto task = lab.task("t");
    lab.report(task, TaskState::Running);
    const auto running = lab.take_one<Update>(lab.web);
    CHECK_FALSE(running.healthy);
    lab.acknowledge(lab.web, running);
    const auto say = [&](std::optional<bool> healthy) {
        auto status = FrameworkLab::status(task, TaskState::Running);
        status.healthy = healthy;
        status.reason = healthy == false ? Reason::HealthCheckFailed : Reason::None;
        lab.report("a", status);
    };

    say(true);
    const auto well = lab.take_one<Update>(lab.web);
    CHECK(well.state == TaskState::Running);
    CHECK(well.healthy == true);
    CHECK(well.reason == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED");
    CHECK(well.uuid.size() == 16);
    lab.acknowledge(lab.web, well);

    say(true);
    CHECK(lab.take<Update>(lab.web).empty());

    WHEN("the executor is started again and cannot say yet") {
        say(std::nullopt);
        CHECK(lab.take<Update>(lab.web).empty());
        CHECK(lab.task("t").healthy == true);
    }
    WHEN("the master is started again") {
        lab.kill_and_restart();
        auto has = FrameworkLab::status(task, TaskState::Running, 0);
        has.healthy = true;
        lab.join("a", {has});
        const auto again = lab.resubscribe(lab.web);
        THEN("it has not forgotten, and tells nothing twice") {
            CHECK(lab.task("t").healthy == true);
            CHECK(lab.take<Update>(again).empty());
        }
    }
    WHEN("the task becomes ill and is killed for it") {
        say(false);
        const auto ill = lab.take_one<Update>(lab.web);
        CHECK(ill.healthy == false);
        lab.acknowledge(lab.web, ill);
        auto over = FrameworkLab::status(task, TaskState::Killed);
        over.healthy = false;
        over.reason = Reason::HealthCheckFailed;
        lab.report("a", over);
        const auto end = lab.take_one<Update>(lab.web);
        CHECK(end.state == TaskState::Killed);
        CHECK(end.healthy == false);
        CHECK(end.reason == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED");
    }
}
