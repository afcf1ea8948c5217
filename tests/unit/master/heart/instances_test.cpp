// What an app's counts are good for: constraints that look at where its other instances are, and
// which instance is killed first. That the counts are true is checked after every step of the lab.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;

namespace {

HostInfo in_rack(const std::string& name, const std::string& rack) {
    auto info = HeartLab::host_info(name);
    if (!rack.empty()) {
        info.attributes["rack"] = rack;
    }
    return info;
}

/// Hosts a and b in rack 1, c in rack 2, d in none.
void three_racked_hosts(HeartLab& lab) {
    lab.join(in_rack("a", "1"));
    lab.join(in_rack("b", "1"));
    lab.join(in_rack("c", "2"));
    lab.join(in_rack("d", ""));
}

std::string by(const std::string& constraint) {
    return R"("constraints":[)" + constraint + "]";
}

std::map<std::string, std::size_t> racks(HeartLab& lab) {
    std::map<std::string, std::size_t> racks;
    for (const auto& task : lab.tasks_in(TaskState::Running)) {
        const auto& attributes = lab.cluster().find_host(task.host)->info.attributes;
        const auto rack = attributes.find("rack");
        ++racks[rack == attributes.end() ? "none" : rack->second];
    }
    return racks;
}

} // namespace

SCENARIO("constraints count an app's instances by the values of their hosts") {
    HeartLab lab;
    three_racked_hosts(lab);
    using Racks = std::map<std::string, std::size_t>;
    SECTION("UNIQUE: one per value") {
        REQUIRE(lab.put(HeartLab::app("/web", 5, by(R"(["rack","UNIQUE"])"))));
        lab.run_all();
        CHECK(racks(lab) == Racks{{"1", 1}, {"2", 1}});
    }
    SECTION("MAX_PER: so many per value") {
        REQUIRE(lab.put(HeartLab::app("/web", 9, by(R"(["rack","MAX_PER","2"])"))));
        lab.run_all();
        CHECK(racks(lab) == Racks{{"1", 2}, {"2", 2}});
    }
    SECTION("CLUSTER: all where the first is") {
        REQUIRE(lab.put(HeartLab::app("/web", 5, by(R"(["rack","CLUSTER"])"))));
        lab.run_all();
        CHECK(racks(lab).size() == 1);
        CHECK(lab.count(TaskState::Running) == 5);
    }
    SECTION("IS: that value alone") {
        REQUIRE(lab.put(HeartLab::app("/web", 3, by(R"(["rack","IS","2"])"))));
        lab.run_all();
        CHECK(racks(lab) == Racks{{"2", 3}});
    }
    SECTION("two at once") {
        REQUIRE(lab.put(
            HeartLab::app("/web", 9, by(R"(["rack","MAX_PER","3"],["hostname","MAX_PER","2"])"))));
        lab.run_all();
        CHECK(racks(lab) == Racks{{"1", 3}, {"2", 2}});
    }
}

SCENARIO("a value that an instance gave up is free again") {
    HeartLab lab;
    three_racked_hosts(lab);
    REQUIRE(lab.put(HeartLab::app("/web", 3, by(R"(["rack","UNIQUE"])"))));
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 2);
    WHEN("an instance fails") {
        lab.report(lab.tasks_in(TaskState::Running).front(), TaskState::Failed);
        lab.live(2s);
        lab.run_all();
        REQUIRE(racks(lab).size() == 2);
    }
    WHEN("its host is lost") {
        lab.cut("c");
        lab.live(4s);
        lab.run_all();
        THEN("another host of that value may take it") {
            lab.join(in_rack("e", "2"));
            lab.run_all();
            REQUIRE(lab.count(TaskState::Running) == 2);
        }
    }
    WHEN("its host is in another rack from now on") {
        const auto session = lab.session("c");
        lab.step([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().host_changed(session, in_rack("c", "3"), step);
        });
        lab.join(in_rack("e", "2"));
        lab.run_all();
        THEN("the rack it left is free, and the one it came to is not") {
            REQUIRE(racks(lab) == std::map<std::string, std::size_t>{{"1", 1}, {"2", 1}, {"3", 1}});
        }
    }
    WHEN("the constraint is another one") {
        REQUIRE(lab.put(HeartLab::app("/web", 3, by(R"(["hostname","UNIQUE"])"))));
        for (int turn = 0; turn < 5; ++turn) {
            lab.run_all();
            lab.end_all_killed();
        }
        REQUIRE(lab.spread(TaskState::Running).size() == 3);
    }
}

SCENARIO("who is killed first when an app is scaled down") {
    HeartLab lab;
    lab.join("a");
    const auto youngest = GENERATE(true, false);
    const std::string selection =
        youngest ? R"("killSelection":"YOUNGEST_FIRST")" : R"("killSelection":"OLDEST_FIRST")";
    REQUIRE(lab.put(HeartLab::app("/web", 5, selection)));
    const auto tasks = lab.tasks_in(TaskState::Staging);
    for (const auto i : {0U, 2U, 3U, 4U}) {
        lab.report(tasks[i], TaskState::Running);
    }
    auto ill = HeartLab::status(tasks[2], TaskState::Running, 2);
    ill.healthy = false;
    lab.report("a", ill);
    REQUIRE(lab.services().counts(*lab.services().find(AppId("/web"))).unhealthy == 1);
    const auto is_killed = [&](std::size_t i) {
        return lab.cluster().find_task(tasks[i].number)->kill_wanted;
    };
    REQUIRE(lab.put(HeartLab::app("/web", 4, selection)));
    CHECK(is_killed(1)); // it does not run yet
    REQUIRE(lab.put(HeartLab::app("/web", 3, selection)));
    CHECK(is_killed(2)); // it is ill
    REQUIRE(lab.put(HeartLab::app("/web", 2, selection)));
    CHECK(is_killed(youngest ? 4 : 0));
    CHECK(lab.count(TaskState::Killing) == 3);
}
