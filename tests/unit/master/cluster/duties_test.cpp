// What operators do with hosts: cordon, drain with our own and with foreign tasks, gone, and back.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"
#include "tests/support/offer_taker.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;
using methos::test::OfferTaker;

namespace {

HostNumber number_of(HeartLab& lab, const std::string& name) {
    return lab.cluster().find_host(HostId("id-" + name))->number;
}

template <class Change>
Result<void> change(HeartLab& lab, const std::string& host, Change&& act) {
    const auto number = number_of(lab, host);
    Result<void> outcome = Error(Code::Internal, "not called");
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        outcome = act(heart.cluster(), number, step);
    });
    return outcome;
}

Result<void> drain(HeartLab& lab, const std::string& host, cluster::DrainTerms terms = {}) {
    return change(
        lab, host, [terms](cluster::Cluster& cluster, HostNumber number, cluster::Step& step) {
            return cluster.drain(number, terms, step);
        });
}

Result<void> uncordon(HeartLab& lab, const std::string& host) {
    return change(lab, host, [](cluster::Cluster& cluster, HostNumber number, cluster::Step& step) {
        return cluster.uncordon(number, step);
    });
}

Result<void> mark_gone(HeartLab& lab, const std::string& host) {
    return change(lab, host, [](cluster::Cluster& cluster, HostNumber number, cluster::Step& step) {
        return cluster.mark_gone(number, step);
    });
}

std::string_view state_of(HeartLab& lab, const std::string& host) {
    return shown_state(*lab.cluster().find_host(HostId("id-" + host)));
}

} // namespace

SCENARIO("a cordoned host keeps what it has and takes nothing new") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/web", 2)));
    lab.run_all();
    REQUIRE(change(lab, "a", [](cluster::Cluster& cluster, HostNumber number, cluster::Step& step) {
        return cluster.cordon(number, step);
    }));
    REQUIRE(lab.put(HeartLab::app("/web", 6)));
    lab.cluster().add_framework(f, OfferTaker::classic());
    lab.decide();
    REQUIRE(state_of(lab, "a") == "CORDONED");
    REQUIRE(lab.spread(TaskState::Staging) == std::map<std::string, std::size_t>{{"b", 4}});
    REQUIRE(f.offers.size() == 1);
    AND_WHEN("the master restarts and the host comes back") {
        lab.run_all();
        lab.cluster().remove_framework("f");
        lab.kill_and_restart();
        lab.join("a", {});
        REQUIRE(state_of(lab, "a") == "CORDONED");
        REQUIRE(uncordon(lab, "a"));
        REQUIRE(state_of(lab, "a") == "UP");
    }
    lab.cluster().remove_framework("f");
}

SCENARIO("draining replaces before it ends, and the app never has fewer than it wants") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/web", 3)));
    lab.run_all();
    lab.join("b");
    REQUIRE(drain(lab, "a"));
    REQUIRE(state_of(lab, "a") == "DRAINING");
    REQUIRE(lab.count(TaskState::Killing) == 0);
    REQUIRE(lab.spread(TaskState::Staging) == std::map<std::string, std::size_t>{{"b", 3}});
    for (int round = 0; round < 3; ++round) {
        lab.report(lab.tasks_in(TaskState::Staging).front(), TaskState::Running);
        REQUIRE(lab.count(TaskState::Running) >= 3);
    }
    REQUIRE(lab.spread(TaskState::Killing) == std::map<std::string, std::size_t>{{"a", 3}});
    lab.end_all_killed();
    REQUIRE(state_of(lab, "a") == "DRAINED");
    REQUIRE(lab.spread(TaskState::Running) == std::map<std::string, std::size_t>{{"b", 3}});
    lab.live(5s);
    REQUIRE(lab.count(TaskState::Running) == 3);
    WHEN("it is taken back") {
        REQUIRE(uncordon(lab, "a"));
        REQUIRE(lab.put(HeartLab::app("/web", 4)));
        THEN("it takes tasks again") {
            REQUIRE(lab.spread(TaskState::Staging) == std::map<std::string, std::size_t>{{"a", 1}});
        }
    }
}

SCENARIO("a drain that finds no room waits, until its deadline") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/web", 2)));
    lab.run_all();
    cluster::DrainTerms terms;
    terms.deadline = lab.now().wall + 60s;
    REQUIRE(drain(lab, "a", terms));
    lab.live(50s);
    REQUIRE(lab.count(TaskState::Running) == 2);
    WHEN("it is given up") {
        REQUIRE(uncordon(lab, "a"));
        lab.live(30s);
        THEN("everything stays") {
            REQUIRE(lab.count(TaskState::Running) == 2);
            REQUIRE(state_of(lab, "a") == "UP");
        }
    }
    WHEN("the deadline comes, even with a new master in between") {
        const auto tasks = lab.tasks_in(TaskState::Running);
        std::vector<TaskStatus> has;
        for (const auto& task : tasks) {
            has.push_back(HeartLab::status(task, TaskState::Running));
        }
        lab.kill_and_restart();
        lab.join("a", has);
        lab.live(15s);
        THEN("they are killed") {
            REQUIRE(lab.count(TaskState::Killing) == 2);
        }
    }
}

SCENARIO("foreign tasks on a draining host are killed, so many at once, with the drain's grace") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("a");
    lab.cluster().add_framework(f, OfferTaker::classic());
    lab.decide();
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        auto& cluster = heart.cluster();
        const auto claim = cluster.claim("f", {f.offers.begin()->first}, step.now);
        REQUIRE(claim);
        for (int i = 0; i < 5; ++i) {
            TaskSpec spec;
            spec.framework = "f";
            spec.image = "busybox";
            spec.resources = {100, 0, 0, 0};
            spec.kill_grace = 100s;
            cluster::Launching launching;
            launching.name = TaskName("t" + std::to_string(i));
            launching.spec = cluster.find_spec(cluster.add_spec(spec, step));
            REQUIRE(cluster.launch(*claim, launching, step));
        }
        cluster.release(*claim, 1h, step.now);
    });
    f.offers.clear();
    lab.run_all();
    lab.take_sent<cluster::SendKill>();
    cluster::DrainTerms terms;
    terms.grace_max = 7s;
    terms.at_once = 2;
    REQUIRE(drain(lab, "a", terms));
    REQUIRE(lab.count(TaskState::Killing) == 2);
    for (const auto& kill : lab.take_sent<cluster::SendKill>()) {
        REQUIRE(kill.grace == 7s);
    }
    const auto killed = lab.tasks_in(TaskState::Killing).front().number;
    REQUIRE(lab.cluster().find_task(killed)->kill_reason == Reason::HostDraining);
    HeartLab later; // what a master that is started now reads
    later.restart_from(lab.records());
    REQUIRE(later.cluster().find_task(killed)->kill_reason == Reason::HostDraining);
    lab.end_all_killed();
    lab.end_all_killed();
    lab.end_all_killed();
    REQUIRE(state_of(lab, "a") == "DRAINED");
    REQUIRE(f.offers.empty());
    lab.cluster().remove_framework("f");
}

SCENARIO("a host that is gone before it was lost is told of as lost") {
    HeartLab lab;
    OfferTaker f("f");
    lab.join("a");
    lab.cluster().add_framework(f, OfferTaker::classic());
    lab.decide();
    const auto host = lab.cluster().hosts().begin()->first;
    lab.close("a"); // its executor has thirty seconds to come back
    REQUIRE(f.lost.empty());
    REQUIRE(mark_gone(lab, "a"));
    REQUIRE(f.lost == std::vector{host});
    lab.cluster().remove_framework("f");
}

SCENARIO("a host that is gone takes its tasks with it and is forgotten") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/web", 2)));
    lab.run_all();
    REQUIRE(mark_gone(lab, "a").error().code == Code::Conflict);
    const auto there = lab.tasks_in(TaskState::Running);
    lab.cut("a");
    lab.live(4s);
    REQUIRE(lab.count(TaskState::Unreachable) == 1);
    REQUIRE(mark_gone(lab, "a"));
    REQUIRE(lab.count(TaskState::Unreachable) == 0);
    REQUIRE(lab.cluster().hosts().size() == 1);
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 2);
    WHEN("it comes back after all") {
        std::vector<TaskStatus> has;
        for (const auto& task : there) {
            if (lab.cluster().find_task(task.name) == nullptr) {
                has.push_back(HeartLab::status(task, TaskState::Running));
            }
        }
        REQUIRE(has.size() == 1);
        lab.take_sent<cluster::SendKill>();
        lab.join("a", has);
        THEN("it is a new host, and what it still runs is killed") {
            REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
            REQUIRE(lab.cluster().hosts().size() == 2);
        }
    }
    WHEN("the master restarts") {
        lab.kill_and_restart();
        THEN("it is still forgotten") {
            REQUIRE(lab.cluster().hosts().size() == 1);
        }
    }
}
