// Who may subscribe, who takes over, who is given up, and what is left of one that ends. Proved
// with the whole heart in memory; records survive a restart of it.
#include "tests/unit/master/external/framework_lab.hpp"

using namespace methos;
using namespace methos::external;
using methos::test::FrameworkLab;
using namespace std::chrono_literals;

namespace {

int status_of(const std::variant<Subscription, Refusal>& result) {
    const auto* refusal = std::get_if<Refusal>(&result);
    return refusal == nullptr ? 200 : refusal->status;
}

} // namespace

SCENARIO("a framework that subscribes is told its id first and then gets offers") {
    FrameworkLab lab;
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    REQUIRE(lab.take_one<Subscribed>(web).framework == web.framework);
    const auto offer = lab.take_offer(web);
    REQUIRE(lab.cluster().find_host(offer.host)->info.hostname == "a");
    REQUIRE(offer.resources.milli_cpus == 4000);
    REQUIRE(lab.external().find(web.framework)->info.name == "web");
}

SCENARIO("a framework that comes back takes over from its other self") {
    FrameworkLab lab;
    lab.join("a");
    const auto old = lab.subscribe(FrameworkLab::info("web"));
    const auto offer = lab.take_offer(old);
    const auto fresh = lab.resubscribe(old);
    REQUIRE(fresh.framework == old.framework);
    REQUIRE_FALSE(fresh.stream == old.stream);
    THEN("the old stream is told so and its calls are refused") {
        REQUIRE(lab.take_one<ErrorEvent>(old).message == "Framework failed over");
        const auto refusal = lab.call(old, Revive());
        REQUIRE(refusal);
        REQUIRE(refusal->status == 400);
        lab.disconnect(old); // too late to mean anything
        REQUIRE(lab.external().find(old.framework)->subscribed());
    }
    THEN("what the old one was offered is offered anew") {
        const auto again = lab.take_offer(fresh);
        REQUIRE_FALSE(again.number == offer.number);
        REQUIRE_FALSE(lab.launch(fresh, offer, {FrameworkLab::request("t")}));
        REQUIRE(lab.take_one<Update>(fresh).reason == "REASON_INVALID_OFFERS");
    }
}

SCENARIO("nobody subscribes as somebody else") {
    FrameworkLab lab;
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    auto info = FrameworkLab::info("evil");
    info.id = web.framework;
    REQUIRE(status_of(lab.try_subscribe(info, "another")) == 403);
    REQUIRE(lab.take<ErrorEvent>(web).empty());
    for (const auto* own : {"services", "jobs"}) {
        info.id = FrameworkId(own);
        REQUIRE(status_of(lab.try_subscribe(info)) == 403);
    }
    AND_THEN("a framework that comes from a Mesos of before keeps its id") {
        info.id = FrameworkId("20140715-151922-16842879-5050-6648-0011");
        REQUIRE(lab.subscribe(info).framework == info.id);
    }
}

SCENARIO("a framework that leaves is waited for, and then given up with all its tasks") {
    FrameworkLab lab;
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    REQUIRE_FALSE(lab.launch(web, lab.take_offer(web), {FrameworkLab::request("t")}));
    lab.report(lab.task("t"), TaskState::Running);
    lab.disconnect(web);
    REQUIRE(lab.call(web, Revive())->status == 403);
    lab.live(59s);
    REQUIRE(lab.count(TaskState::Running) == 1);
    WHEN("it comes back in time") {
        const auto again = lab.resubscribe(web);
        lab.live(60s);
        REQUIRE(lab.count(TaskState::Running) == 1);
        REQUIRE(lab.take<Update>(again).front().state == TaskState::Running);
    }
    WHEN("it does not") {
        lab.live(2s);
        REQUIRE(lab.count(TaskState::Killing) == 1);
        lab.end_all_killed();
        REQUIRE(lab.external().find(web.framework)->state == FrameworkState::Completed);
        REQUIRE(lab.records_in(state::Table::Spec) == 0);
        auto info = FrameworkLab::info("web");
        info.id = web.framework;
        REQUIRE(status_of(lab.try_subscribe(info)) == 403);
        lab.kill_and_restart();
        REQUIRE(status_of(lab.try_subscribe(info)) == 403);
    }
}

SCENARIO("without a failover timeout the end comes at once, but not because the master restarts") {
    FrameworkLab lab;
    lab.join("a");
    auto info = FrameworkLab::info("web");
    info.failover_timeout = 0s;
    const auto web = lab.subscribe(info);
    REQUIRE_FALSE(lab.launch(web, lab.take_offer(web), {FrameworkLab::request("t")}));
    lab.report(lab.task("t"), TaskState::Running);
    WHEN("it leaves") {
        lab.disconnect(web);
        lab.decide();
        REQUIRE(lab.count(TaskState::Killing) == 1);
    }
    WHEN("the master restarts") {
        const auto task = lab.task("t");
        lab.kill_and_restart();
        lab.join("a", {FrameworkLab::status(task, TaskState::Running)});
        lab.live(30s);
        REQUIRE(lab.count(TaskState::Running) == 1);
        const auto again = lab.resubscribe(web);
        lab.live(120s);
        REQUIRE(lab.count(TaskState::Running) == 1);
        REQUIRE(again.framework == web.framework);
    }
}

SCENARIO("a teardown kills more tasks than fit into one step, and forgets them all") {
    FrameworkLab lab;
    auto host = FrameworkLab::host_info("a");
    host.resources.scalars = {1'000'000, 1'000'000 * bytes_per_mb, 0, 0};
    lab.join(host);
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    std::vector<TaskRequest> requests;
    for (int i = 0; i < 300; ++i) {
        requests.push_back(FrameworkLab::request("t" + std::to_string(i)));
    }
    REQUIRE_FALSE(lab.launch(web, lab.take_offer(web), requests)); // the lab refuses fat batches
    REQUIRE(lab.count(TaskState::Staging) == 300);
    REQUIRE(lab.records_in(state::Table::Spec) == 1);
    lab.run_all();
    (void)lab.take<Update>(web);
    REQUIRE_FALSE(lab.call(web, Teardown()));
    REQUIRE(lab.take<Closed>(web).size() == 1);
    REQUIRE(lab.count(TaskState::Killing) == 300);
    REQUIRE(lab.call(web, Revive())->status == 400);
    WHEN("all hosts are there") {
        lab.end_all_killed();
        REQUIRE(lab.external().find(web.framework)->state == FrameworkState::Completed);
    }
    WHEN("the master dies meanwhile") {
        std::vector<TaskStatus> has;
        for (const auto& task : lab.tasks_in(TaskState::Killing)) {
            has.push_back(FrameworkLab::status(task, TaskState::Running));
        }
        lab.kill_and_restart();
        lab.join(host, has);
        REQUIRE(lab.count(TaskState::Killing) == 300);
        lab.end_all_killed();
        REQUIRE(lab.external().find(web.framework)->state == FrameworkState::Completed);
    }
    REQUIRE(lab.cluster().tasks().empty());
    REQUIRE(lab.take<Update>(web).empty());
    lab.let_names_rest();
    for (const auto table : {state::Table::Update, state::Table::Task, state::Table::Spec}) {
        REQUIRE(lab.records_in(table) == 0);
    }
    REQUIRE_FALSE(lab.cluster().has_framework(web.framework.value));
}

SCENARIO("a framework that ends while its tasks wait to be launched gives everything back") {
    FrameworkLab lab;
    auto host = FrameworkLab::host_info("a");
    host.resources.scalars = {1'000'000, 1'000'000 * bytes_per_mb, 0, 0};
    lab.join(host);
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    Accept accept;
    accept.offer_ids = {lab.id_of(lab.take_offer(web))};
    for (int i = 0; i < 300; ++i) {
        accept.launches.push_back(FrameworkLab::request("t" + std::to_string(i)));
    }
    std::size_t launched = 0;
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        REQUIRE_FALSE(heart.external().call({web.framework, accept}, web.stream, step));
        launched = heart.cluster().tasks().size();
        REQUIRE_FALSE(heart.external().call({web.framework, Teardown()}, web.stream, step));
    });
    REQUIRE(launched > 0);
    REQUIRE(launched < 300);
    REQUIRE(lab.count(TaskState::Killing) == launched);
    lab.end_all_killed();
    const auto other = lab.subscribe(FrameworkLab::info("other"));
    REQUIRE(lab.take_offer(other).resources == host.resources.scalars);
}

SCENARIO("only so many frameworks that are over are remembered") {
    heart::Options options;
    options.external.completed_frameworks_max = 2;
    FrameworkLab lab(options);
    std::vector<FrameworkId> ids;
    for (int i = 0; i < 4; ++i) {
        const auto one = lab.subscribe(FrameworkLab::info("f" + std::to_string(i)));
        ids.push_back(one.framework);
        REQUIRE_FALSE(lab.call(one, Teardown()));
        lab.advance(1s);
    }
    REQUIRE(lab.external().frameworks().size() == 2);
    REQUIRE(lab.external().find(ids[0]) == nullptr);
    REQUIRE(lab.external().find(ids[3]) != nullptr);
    REQUIRE(lab.records_in(state::Table::Framework) == 2);
}

SCENARIO("frameworks that end at the same instant end in as many steps as that takes") {
    constexpr std::size_t together = 200; // more than one step has room for; HeartLab checks that
    FrameworkLab lab;
    for (std::size_t i = 0; i < together; ++i) {
        (void)lab.subscribe(FrameworkLab::info("f" + std::to_string(i)));
    }
    lab.kill_and_restart(); // none of them comes back
    lab.live(700s);
    REQUIRE(lab.external().frameworks().size() == 50);
    REQUIRE(lab.records_in(state::Table::Framework) == 50);
}

SCENARIO("too many frameworks are refused") {
    heart::Options options;
    options.external.frameworks_max = 2;
    options.external.completed_frameworks_max = 0;
    FrameworkLab lab(options);
    (void)lab.subscribe(FrameworkLab::info("a"));
    const auto second = lab.subscribe(FrameworkLab::info("b"));
    REQUIRE(status_of(lab.try_subscribe(FrameworkLab::info("c"))) == 503);
    REQUIRE_FALSE(lab.call(second, Teardown()));
    REQUIRE(status_of(lab.try_subscribe(FrameworkLab::info("c"))) == 200);
}

SCENARIO("a framework changes itself, but not who it is") {
    FrameworkLab lab;
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    auto info = lab.external().find(web.framework)->info;
    const auto offer = lab.take_offer(web);
    info.roles = {"ads"};
    info.failover_timeout = 7s;
    REQUIRE_FALSE(lab.call(web, UpdateFramework{info, {}}));
    REQUIRE(lab.take_one<Rescind>(web).offer == offer.number);
    REQUIRE(lab.take_offer(web).role == "ads");
    lab.kill_and_restart();
    REQUIRE(lab.external().find(web.framework)->info == info);

    const auto again = lab.resubscribe(web);
    auto other = info;
    other.user = "nobody";
    const auto refusal = lab.call(again, UpdateFramework{other, {}});
    REQUIRE(refusal);
    REQUIRE(refusal->message == "Updating 'FrameworkInfo.user' is unsupported");
}

SCENARIO("a commit that fails ends every stream, and stream numbers are not given twice") {
    FrameworkLab lab;
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    lab.refuse([&](heart::Heart& heart, cluster::Step& s) {
        (void)heart.external().call({web.framework, Suppress()}, web.stream, s);
    });
    REQUIRE(lab.take<ErrorEvent>(web).size() == 1);
    REQUIRE(lab.call(web, Revive())->status == 403);
    const auto again = lab.resubscribe(web);
    REQUIRE(again.stream.value > web.stream.value);
}

SCENARIO("operators can tear down a framework") {
    FrameworkLab lab;
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    std::vector<std::optional<Refusal>> refusals;
    for (const auto& id : {web.framework, web.framework, FrameworkId("nobody")}) {
        lab.step([&](heart::Heart& heart, cluster::Step& s) {
            refusals.push_back(heart.external().tear_down(id, s));
        });
    }
    REQUIRE_FALSE(refusals[0]);
    REQUIRE(refusals[1]->status == 404);
    REQUIRE(refusals[2]->status == 404);
}
