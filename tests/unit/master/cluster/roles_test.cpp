// Roles on the pure heart: reserved hosts, limits, weights between our own services and a foreign
// framework, packing, and preemption by priority.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"
#include "tests/support/offer_taker.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;
using methos::test::OfferTaker;

namespace {

void set_role(HeartLab& lab, const std::string& role, const cluster::RoleSettings& settings) {
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().set_role(role, settings, step);
    });
}

std::string
app(const std::string& id, int instances, const std::string& cpus, const std::string& more) {
    return R"({"id":")" + id + R"(","cpus":)" + cpus + R"(,"mem":32,"instances":)" +
           std::to_string(instances) +
           R"(,"container":{"type":"DOCKER","docker":{"image":"busybox"}})" + more + "}";
}

cluster::Demand demand_of(HeartLab& lab, const std::string& id) {
    return lab.services().demand_of(*lab.services().find(AppId(id)), lab.now());
}

} // namespace

SCENARIO("a reserved host is for its role alone") {
    HeartLab lab;
    auto reserved = HeartLab::host_info("r");
    reserved.role = "db";
    lab.join(reserved);
    OfferTaker stranger("stranger");
    OfferTaker db("db-framework");
    lab.cluster().add_framework(stranger, OfferTaker::classic());
    lab.cluster().add_framework(db, OfferTaker::classic({"db"}));
    REQUIRE(lab.put(app("/web", 1, "0.1", "")));
    REQUIRE(lab.cluster().tasks().empty());
    REQUIRE(lab.cluster().explain(demand_of(lab, "/web")).at(cluster::Unfit::Reservation) == 1);
    REQUIRE(stranger.offers.empty());
    REQUIRE(db.offers.size() == 1);
    REQUIRE(lab.put(app("/db", 1, "0.1", R"(,"role":"db")")));
    REQUIRE(lab.put(app("/picky", 1, "0.1", R"(,"acceptedResourceRoles":["db"])")));
    lab.live(2s);
    REQUIRE(lab.count(TaskState::Staging) == 2);
}

SCENARIO("a role gets no more than its quota, and says so") {
    HeartLab lab;
    lab.join("h1");
    lab.join("h2");
    cluster::RoleSettings limited;
    limited.milli_cpus_max = 1'500;
    set_role(lab, "dev", limited);
    REQUIRE(lab.put(app("/dev", 5, "0.5", R"(,"role":"dev")")));
    REQUIRE(lab.count(TaskState::Staging) == 3);
    REQUIRE(lab.cluster().explain(demand_of(lab, "/dev")).at(cluster::Unfit::Quota) == 2);
    WHEN("the quota is raised") {
        limited.milli_cpus_max = 2'000;
        set_role(lab, "dev", limited);
        THEN("one more is placed") {
            REQUIRE(lab.count(TaskState::Staging) == 4);
        }
    }
    WHEN("the master is killed and started again") {
        lab.kill_and_restart();
        THEN("the quota still holds") {
            REQUIRE(lab.cluster().shares().role("dev").milli_cpus_max == 1'500);
            REQUIRE(lab.cluster().shares().charged_to_role("dev").milli_cpus == 1'500);
        }
    }
    WHEN("a host with some of them is lost") {
        lab.run_all();
        lab.cut("h1");
        lab.live(4s);
        THEN("their replacements are not refused for the quota the lost ones had") {
            REQUIRE(lab.count(TaskState::Staging) + lab.count(TaskState::Running) == 3);
        }
    }
    WHEN("a framework of that role is offered the rest") {
        lab.put(app("/dev", 1, "0.5", R"(,"role":"dev")"));
        lab.end_all_killed();
        OfferTaker f("f");
        lab.cluster().add_framework(f, OfferTaker::classic({"dev"}));
        lab.decide();
        THEN("the offers together stay within it") {
            Resources sum;
            for (const auto& [number, offer] : f.offers) {
                sum += offer.resources;
            }
            REQUIRE(sum.milli_cpus == 1'000);
        }
    }
}

SCENARIO("services and a foreign framework share by weight when both want everything") {
    HeartLab lab;
    cluster::RoleSettings heavy;
    heavy.weight = 3;
    set_role(lab, "heavy", heavy);
    for (int i = 0; i < 8; ++i) {
        lab.join("h" + std::to_string(i));
    }
    OfferTaker f("f");
    lab.cluster().add_framework(f, OfferTaker::classic({"heavy"}));
    REQUIRE(lab.put(app("/many", 320, "0.1", ""))); // all there is
    const auto mine = lab.cluster().shares().charged_to_role("*").milli_cpus;
    const auto theirs = lab.cluster().shares().charged_to_role("heavy").milli_cpus;
    INFO(mine << " against " << theirs);
    REQUIRE(theirs >= 2 * mine);
    REQUIRE(mine >= 4'000);
}

SCENARIO("where hosts are few, an app and a framework take turns host by host") {
    HeartLab lab;
    for (int i = 0; i < 8; ++i) {
        lab.join("h" + std::to_string(i));
    }
    OfferTaker f("f");
    lab.cluster().add_framework(f, OfferTaker::classic());
    // Each takes a whole host: nothing is left beside it that could be offered.
    REQUIRE(lab.put(R"({"id":"/many","cpus":4,"mem":8192,"instances":8,
        "container":{"type":"DOCKER","docker":{"image":"busybox"}}})"));
    REQUIRE(lab.cluster().tasks().size() == 4);
    REQUIRE(f.offers.size() == 4);
}

SCENARIO("a packing role fills one host before it takes the next") {
    HeartLab lab;
    for (const auto* name : {"a", "b", "c"}) {
        lab.join(name);
    }
    cluster::RoleSettings packing;
    packing.placement = cluster::Placement::Binpack;
    set_role(lab, "*", packing);
    REQUIRE(lab.put(app("/p", 10, "0.5", "")));
    auto spread = lab.spread(TaskState::Staging);
    REQUIRE(spread.size() == 2);
    REQUIRE(std::max(spread.begin()->second, spread.rbegin()->second) == 8);
}

SCENARIO("a higher priority makes room where the role allows it") {
    HeartLab lab;
    lab.join("h1");
    lab.join("h2");
    REQUIRE(lab.put(app("/low", 8, "1", R"(,"priority":1)")));
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 8);
    GIVEN("preemption is off, as by default") {
        REQUIRE(lab.put(app("/high", 1, "2", R"(,"priority":10)")));
        lab.live(3s);
        REQUIRE(lab.count(TaskState::Running) == 8);
    }
    GIVEN("preemption is on") {
        cluster::RoleSettings preempting;
        preempting.preemption = true;
        set_role(lab, "*", preempting);
        REQUIRE(lab.put(app("/equal", 1, "2", R"(,"priority":1)")));
        REQUIRE(lab.count(TaskState::Running) == 8);
        REQUIRE(lab.put(app("/high", 1, "2", R"(,"priority":10)")));
        THEN("as few as needed are killed, on one host, and not more while they go") {
            REQUIRE(lab.count(TaskState::Killing) == 2);
            lab.live(3s);
            REQUIRE(lab.count(TaskState::Killing) == 2);
            REQUIRE(lab.spread(TaskState::Killing).size() == 1);
            lab.end_all_killed();
            const auto staged = lab.tasks_in(TaskState::Staging);
            REQUIRE(staged.size() == 1);
            REQUIRE(staged.front().name.value.starts_with("high."));
        }
    }
}
