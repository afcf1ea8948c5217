// What becomes of offers: launches, refusals of each kind, declines, suppression, names.
#include "tests/unit/master/external/framework_lab.hpp"

using namespace methos;
using namespace methos::external;
using methos::test::FrameworkLab;
using namespace std::chrono_literals;

namespace {

/// A host and a framework that has been offered it.
struct Offered : FrameworkLab {
    explicit Offered(heart::Options options = {}) : FrameworkLab(std::move(options)) {
        join("a");
        web = subscribe(info("web"));
        offer = take_offer(web);
    }

    Subscription web;
    cluster::Offer offer;
};

/// The one update that launching this comes to.
Update refused(Offered& lab, TaskRequest request) {
    REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {std::move(request)}));
    REQUIRE(lab.cluster().tasks().empty());
    const auto update = lab.take_one<Update>(lab.web);
    CHECK(update.uuid.empty());
    CHECK(update.source == StatusSource::Master);
    return update;
}

} // namespace

SCENARIO("an accepted offer becomes tasks, and the rest of it is offered again") {
    Offered lab;
    auto request = FrameworkLab::request("web.1");
    request.host_ports = {31000};
    REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {request, FrameworkLab::request("web.2")}));
    const auto sent = lab.take_sent<cluster::SendLaunch>();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].launch.name.value == "web.1");
    CHECK(sent[0].launch.host_ports == std::vector<std::uint16_t>{31000});
    CHECK(sent[0].launch.env ==
          std::map<std::string, std::string>{{"NAME", "web.1"}, {"MESOS_TASK_ID", "web.1"}});
    CHECK(sent[0].spec != nullptr);
    CHECK(sent[1].spec == nullptr);           // two of a kind share a spec
    CHECK(lab.take<Update>(lab.web).empty()); // Mesos tells nothing of STAGING
    const auto rest = lab.take_offer(lab.web);
    CHECK(rest.resources.milli_cpus == 3800);
    CHECK_FALSE(rest.ports.contains(31000));
}

SCENARIO("several offers of one host are accepted together, of two hosts not at all") {
    FrameworkLab lab;
    lab.join("a");
    const auto web = lab.subscribe(FrameworkLab::info("web"));
    (void)lab.take_offers(web);
    lab.join("b");
    const auto of_b = lab.take_offer(web);
    const auto* on_a = &lab.cluster().offers().begin()->second;
    Accept accept;
    accept.offer_ids = {lab.id_of(*on_a), lab.id_of(of_b)};
    accept.launches = {FrameworkLab::request("t")};
    REQUIRE_FALSE(lab.call(web, accept));
    const auto update = lab.take_one<Update>(web);
    CHECK(update.state == TaskState::Dropped);
    CHECK(update.reason == "REASON_INVALID_OFFERS");
    CHECK(lab.take_offers(web).size() == 2); // both are offered again
}

SCENARIO("what cannot be launched is answered as Mesos answers it") {
    Offered lab;
    auto request = FrameworkLab::request("t");
    SECTION("invalid from the start") {
        request.invalid = "because";
        const auto update = refused(lab, request);
        CHECK(update.state == TaskState::Error);
        CHECK(update.reason == "REASON_TASK_INVALID");
        CHECK(update.message == "because");
    }
    SECTION("a task group") {
        request.invalid = "because";
        request.of_group = true;
        CHECK(refused(lab, request).reason == "REASON_TASK_GROUP_INVALID");
    }
    SECTION("on another agent") {
        request.agent_id = HostId("id-b");
        CHECK_THAT(refused(lab, request).message, Catch::Contains("invalid agent id-b"));
    }
    SECTION("more than is offered") {
        request.spec.resources.milli_cpus = 5000;
        const auto update = refused(lab, request);
        CHECK(update.state == TaskState::Error);
        CHECK_THAT(update.message, Catch::Contains("more resources"));
    }
    SECTION("a port that is not offered") {
        request.host_ports = {80};
        CHECK_THAT(refused(lab, request).message, Catch::Contains("ports"));
    }
    SECTION("a command without an image") {
        request.spec.image = "";
        CHECK_THAT(refused(lab, request).message, Catch::Contains("--default-image"));
    }
    SECTION("what does not fit the bus") {
        request.spec.volumes = {{"/h", "relative", false}};
        CHECK(refused(lab, request).state == TaskState::Error);
    }
    REQUIRE(lab.records_in(state::Table::Spec) == 0);
}

SCENARIO("an offer of yesterday, of another framework or of nobody is invalid") {
    Offered lab;
    const auto other = lab.subscribe(FrameworkLab::info("other"));
    const auto launch_from = [&](const std::string& id) {
        Accept accept;
        accept.offer_ids = {id};
        accept.launches = {FrameworkLab::request("t")};
        REQUIRE_FALSE(lab.call(other, accept));
        const auto update = lab.take_one<Update>(other);
        CHECK(update.state == TaskState::Dropped);
        CHECK(update.reason == "REASON_INVALID_OFFERS");
    };
    launch_from(lab.id_of(lab.offer));
    launch_from(offer_id(lab.cluster().epoch() - 1, lab.offer.number));
    launch_from("1-O999");
    launch_from("nonsense");
    Accept nothing;
    nothing.launches = {FrameworkLab::request("t")};
    REQUIRE_FALSE(lab.call(other, nothing));
    CHECK(lab.take_one<Update>(other).reason == "REASON_INVALID_OFFERS");
    AND_THEN("the one it was made to may still use it") {
        REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {FrameworkLab::request("t")}));
        CHECK(lab.count(TaskState::Staging) == 1);
    }
}

SCENARIO("frameworks that do not know the partition states see TASK_LOST") {
    FrameworkLab lab;
    auto info = FrameworkLab::info("old");
    info.capabilities.clear();
    const auto old = lab.subscribe(info);
    Accept accept;
    accept.offer_ids = {"1-O999"};
    accept.launches = {FrameworkLab::request("t")};
    REQUIRE_FALSE(lab.call(old, accept));
    CHECK(lab.take_one<Update>(old).lost);
}

SCENARIO("a task id is unique within a framework, and may come twice in the cluster") {
    Offered lab;
    REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {FrameworkLab::request("t")}));
    WHEN("the framework uses it again") {
        REQUIRE_FALSE(lab.launch(lab.web, lab.take_offer(lab.web), {FrameworkLab::request("t")}));
        const auto update = lab.take_one<Update>(lab.web);
        CHECK(update.state == TaskState::Error);
        CHECK_THAT(update.message, Catch::Contains("duplicate ID"));
        CHECK(lab.cluster().tasks().size() == 1);
    }
    WHEN("another framework uses it") {
        REQUIRE_FALSE(lab.call(lab.web, Suppress()));
        const auto rest = lab.take_offer(lab.web);
        REQUIRE_FALSE(lab.call(lab.web, Decline{{lab.id_of(rest)}, 1h}));
        const auto other = lab.subscribe(FrameworkLab::info("other"));
        REQUIRE_FALSE(lab.launch(other, lab.take_offer(other), {FrameworkLab::request("t")}));
        REQUIRE(lab.cluster().tasks().size() == 2);
        const auto second = lab.cluster().tasks().rbegin()->second;
        CHECK_FALSE(second.name.value == "t");
        const auto sent = lab.take_sent<cluster::SendLaunch>();
        CHECK(sent.back().launch.env.at("MESOS_TASK_ID") == "t");
        lab.report(second, TaskState::Running);
        CHECK(lab.take_one<Update>(other).task_id == "t");
        CHECK(lab.take<Update>(lab.web).empty());
    }
    WHEN("it is over but not yet acknowledged") {
        lab.report(lab.task("t"), TaskState::Finished);
        const auto finished = lab.take_one<Update>(lab.web);
        REQUIRE_FALSE(
            lab.launch(lab.web, lab.take_offers(lab.web).back(), {FrameworkLab::request("t")}));
        CHECK(lab.take_one<Update>(lab.web).state == TaskState::Error);
        lab.acknowledge(lab.web, finished);
        REQUIRE_FALSE(
            lab.launch(lab.web, lab.take_offers(lab.web).back(), {FrameworkLab::request("t")}));
        CHECK(lab.count(TaskState::Staging) == 1);
        THEN("the host, which may still have the old container, is told another name") {
            const auto second = lab.tasks_in(TaskState::Staging).front();
            CHECK_THAT(second.name.value, Catch::StartsWith("t@"));
            lab.report(second, TaskState::Running);
            CHECK(lab.take_one<Update>(lab.web).task_id == "t");
        }
    }
}

SCENARIO("a name rests after its task, over restarts of the master, and is then its id again") {
    Offered lab;
    REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {FrameworkLab::request("t")}));
    lab.report(lab.task("t"), TaskState::Finished);
    lab.acknowledge(lab.web, lab.take_one<Update>(lab.web));
    lab.kill_and_restart();
    const bool rested = GENERATE(false, true);
    if (rested) {
        lab.let_names_rest();
    } else {
        lab.jump_clock(2h); // a clock that is set forward gives no rest
        lab.decide();
    }
    lab.join("a");
    const auto other = lab.subscribe(FrameworkLab::info("other"));
    REQUIRE_FALSE(lab.launch(other, lab.take_offer(other), {FrameworkLab::request("t")}));
    CHECK((lab.tasks_in(TaskState::Staging).front().name.value == "t") == rested);
}

SCENARIO("declined, suppressed, revived") {
    Offered lab;
    REQUIRE_FALSE(lab.call(lab.web, Decline{{lab.id_of(lab.offer)}, 1h}));
    lab.live(10s);
    CHECK(lab.take_offers(lab.web).empty());
    REQUIRE_FALSE(lab.call(lab.web, Suppress()));
    lab.join("b");
    CHECK(lab.take_offers(lab.web).empty());
    REQUIRE_FALSE(lab.call(lab.web, Revive()));
    CHECK(lab.take_offers(lab.web).size() == 2);
    CHECK_FALSE(lab.call(lab.web, Decline{{"1-O999", "x"}, 1h})); // Mesos says nothing either
}

SCENARIO("operations that Methos does not have are dropped with a word") {
    Offered lab;
    Accept accept;
    accept.offer_ids = {lab.id_of(lab.offer)};
    accept.unsupported = {{"RESERVE", "op-1"}, {"CREATE", ""}};
    accept.launches = {FrameworkLab::request("t")};
    REQUIRE_FALSE(lab.call(lab.web, accept));
    const auto status = lab.take_one<OperationStatus>(lab.web);
    CHECK(status.operation_id == "op-1");
    CHECK(status.state == "OPERATION_DROPPED");
    CHECK(lab.count(TaskState::Staging) == 1);
}

SCENARIO("a framework that does not acknowledge launches no more") {
    heart::Options options;
    options.external.unacknowledged_max = 1;
    Offered lab(options);
    REQUIRE_FALSE(lab.launch(lab.web, lab.offer, {FrameworkLab::request("t")}));
    lab.report(lab.task("t"), TaskState::Running);
    const auto running = lab.take_one<Update>(lab.web);
    REQUIRE_FALSE(lab.launch(lab.web, lab.take_offer(lab.web), {FrameworkLab::request("u")}));
    const auto dropped = lab.take_one<Update>(lab.web);
    CHECK(dropped.state == TaskState::Dropped);
    CHECK_THAT(dropped.message, Catch::Contains("acknowledge"));
    lab.acknowledge(lab.web, running);
    REQUIRE_FALSE(lab.launch(lab.web, lab.take_offer(lab.web), {FrameworkLab::request("u")}));
    CHECK(lab.cluster().tasks().size() == 2);
}

SCENARIO("more tasks than may wait are dropped, and the offer is given back") {
    heart::Options options;
    options.external.to_launch_max = 1;
    Offered lab(options);
    REQUIRE_FALSE(
        lab.launch(lab.web, lab.offer, {FrameworkLab::request("t"), FrameworkLab::request("u")}));
    CHECK(lab.take<Update>(lab.web).size() == 2);
    CHECK(lab.cluster().tasks().empty());
    CHECK(lab.cluster().offers().empty()); // declined for Mesos's five seconds
    lab.live(6s);
    CHECK(lab.take_offers(lab.web).size() == 1);
}

SCENARIO("a host that is lost takes its offers along") {
    Offered lab;
    lab.cut("a");
    lab.live(5s);
    CHECK(lab.take<Rescind>(lab.web).size() == 1);
    CHECK(lab.take_one<Failed>(lab.web).agent_id.value == "id-a");
}
