// How long the heart keeps what it cannot reach: an app's instances (unreachableStrategy), and
// hosts (--host-removal-rate), on the pure heart.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;

namespace {

constexpr auto forgotten_after_20s =
    R"("unreachableStrategy":{"inactiveAfterSeconds":5,"expungeAfterSeconds":20})";

/// /web runs on hosts a and b; a has just been lost. Returns the instance there.
cluster::Task lose_one(HeartLab& lab, const std::string& strategy) {
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/web", 2, strategy)));
    lab.run_all();
    lab.cut("a");
    lab.live(3s);
    REQUIRE(lab.count(TaskState::Unreachable) == 1);
    return lab.tasks_in(TaskState::Unreachable).front();
}

std::vector<TaskStatus> still_runs(const cluster::Task& task) {
    return {HeartLab::status(task, TaskState::Running)};
}

std::size_t lost_hosts(HeartLab& lab) {
    std::size_t lost = 0;
    for (const auto& [number, host] : lab.cluster().hosts()) {
        lost += host.state == cluster::HostState::Lost ? 1U : 0U;
    }
    return lost;
}

heart::Options one_in_a_minute() {
    heart::Options options;
    options.policy.removal_rate = {1, 60s};
    return options;
}

} // namespace

SCENARIO("an instance that is unreachable for too long is forgotten by its app") {
    HeartLab lab;
    const auto task = lose_one(lab, forgotten_after_20s);
    lab.live(10s);
    REQUIRE(lab.count(TaskState::Unreachable) == 1);
    lab.run_all(); // the replacement, from the fifth second on
    REQUIRE(lab.count(TaskState::Running) == 2);
    WHEN("its time is over") {
        lab.live(10s);
        THEN("nothing is left of it, and the app has what it wants") {
            REQUIRE(lab.cluster().find_task(task.number) == nullptr);
            REQUIRE(lab.services().find(AppId("/web"))->tasks.size() == 2);
            REQUIRE(lab.services().find(AppId("/web"))->last_end->task == task.name.value);
            REQUIRE(lab.count(TaskState::Running) == 2);
            REQUIRE(lab.records().count({state::Table::Task, task.number.value}) == 0);
        }
        AND_WHEN("its host comes back with it after all") {
            (void)lab.take_sent<cluster::SendKill>();
            lab.join("a", still_runs(task));
            THEN("it is killed there, and the replacement stays") {
                const auto kills = lab.take_sent<cluster::SendKill>();
                REQUIRE(kills.size() == 1);
                REQUIRE(kills[0].number == task.number);
                REQUIRE(lab.count(TaskState::Running) == 2);
            }
        }
    }
    WHEN("its host comes back in time") {
        lab.join("a", still_runs(task));
        lab.end_all_killed();
        lab.live(20s);
        THEN("the older copy stays, as ever") {
            REQUIRE(lab.count(TaskState::Running) == 2);
            REQUIRE(lab.cluster().find_task(task.number) != nullptr);
        }
    }
}

SCENARIO("the wait for forgetting an instance survives what the master goes through") {
    HeartLab lab;
    const auto task = lose_one(lab, forgotten_after_20s);
    lab.live(8s);
    WHEN("the master is killed and starts again") {
        lab.kill_and_restart();
        lab.join("b", {});
    }
    WHEN("its clock is set back") {
        lab.jump_clock(-2h);
    }
    WHEN("its clock is set forward") {
        lab.jump_clock(2h);
    }
    lab.live(6s);
    REQUIRE(lab.cluster().find_task(task.number) != nullptr);
    lab.live(8s);
    REQUIRE(lab.cluster().find_task(task.number) == nullptr);
}

SCENARIO("instances are not forgotten by time where the app does not say so") {
    HeartLab lab;
    std::string strategy;
    SECTION("by default") {}
    SECTION("disabled") {
        strategy = R"("unreachableStrategy":"disabled")";
    }
    const auto task = lose_one(lab, strategy);
    lab.live(60s);
    REQUIRE(lab.cluster().find_task(task.number) != nullptr);
    lab.join("a", still_runs(task));
    lab.end_all_killed();
    REQUIRE(lab.cluster().find_task(task.number)->running());
}

SCENARIO("scaling down takes an instance that is unreachable before one that runs") {
    HeartLab lab;
    const std::string kept = R"("unreachableStrategy":"disabled")";
    for (const auto* name : {"a", "b", "c"}) {
        lab.join(name);
    }
    REQUIRE(lab.put(HeartLab::app("/demo", 3, kept)));
    lab.run_all();
    const auto tasks = lab.tasks_in(TaskState::Running);
    REQUIRE(tasks.size() == 3);
    const auto& first = tasks.front(); // the oldest: by age it would be the last to go
    const auto host = lab.cluster().find_host(first.host)->info.hostname;
    lab.cut(host);
    lab.live(3s);
    REQUIRE(lab.put(HeartLab::app("/demo", 2, kept)));
    lab.live(3s);
    REQUIRE(lab.count(TaskState::Running) == 2);
    REQUIRE(lab.services().find(AppId("/demo"))->deployment.empty());
    (void)lab.take_sent<cluster::SendKill>();
    lab.join(host, still_runs(first));
    const auto killed = lab.take_sent<cluster::SendKill>();
    REQUIRE(killed.size() == 1);
    REQUIRE(killed.front().number == first.number);
    lab.end_all_killed();
    REQUIRE(lab.count(TaskState::Running) == 2);
    REQUIRE(lab.cluster().tasks().size() == 2);
}

SCENARIO("many instances are forgotten within the store's caps") {
    HeartLab lab;
    auto big = HeartLab::host_info("a");
    big.resources.scalars.milli_cpus = 100'000;
    big.resources.scalars.mem_bytes = 100'000 * bytes_per_mb;
    big.resources.ports = PortSet(PortRange{31000, 31999});
    lab.join(big);
    REQUIRE(lab.put(HeartLab::app("/many", 500, forgotten_after_20s)));
    REQUIRE(lab.count(TaskState::Staging) == 500);
    lab.cut("a");
    lab.live(25s); // the lab refuses a step that is too large
    REQUIRE(lab.cluster().tasks().empty());
}

SCENARIO("no more hosts are called lost than the removal rate allows") {
    HeartLab lab(one_in_a_minute());
    for (const auto* name : {"a", "b", "c", "d", "e"}) {
        lab.join(name);
    }
    REQUIRE(lab.put(HeartLab::app("/web", 5)));
    lab.run_all();
    lab.cut("a");
    lab.cut("b");
    lab.live(4s);
    REQUIRE(lost_hosts(lab) == 1);
    REQUIRE(lab.cluster().removals_held() == 1);
    REQUIRE(lab.count(TaskState::Unreachable) == 1);
    WHEN("time goes on") {
        lab.live(50s);
        REQUIRE(lost_hosts(lab) == 1);
        lab.live(10s);
        THEN("the next one is lost when the rate lets it") {
            REQUIRE(lost_hosts(lab) == 2);
            REQUIRE(lab.cluster().removals_held() == 0);
        }
    }
    WHEN("the host that waits comes back") {
        const auto before = lab.tasks_in(TaskState::Running);
        std::vector<TaskStatus> has;
        for (const auto& task : before) {
            if (lab.cluster().find_host(task.host)->info.hostname == "b") {
                has.push_back(HeartLab::status(task, TaskState::Running));
            }
        }
        lab.join("b", has);
        lab.live(70s);
        THEN("it is not lost at all, and what ran there runs on") {
            REQUIRE(lost_hosts(lab) == 1);
            REQUIRE(has.size() == 1);
            REQUIRE(lab.cluster().find_task(has[0].number)->running());
        }
    }
    WHEN("something new is to be placed") {
        (void)lab.take_sent<cluster::SendLaunch>();
        REQUIRE(lab.put(HeartLab::app("/more", 6)));
        THEN("the host that waits takes nothing") {
            for (const auto& task : lab.tasks_in(TaskState::Staging)) {
                const auto& host = lab.cluster().find_host(task.host)->info.hostname;
                REQUIRE((host != "a" && host != "b"));
            }
        }
    }
    WHEN("its executor's grace passes instead of silence") {
        lab.live(60s); // b is lost, and the rate's minute begins
        lab.close("c");
        lab.live(40s);
        REQUIRE(lost_hosts(lab) == 2);
        lab.live(25s);
        REQUIRE(lost_hosts(lab) == 3);
    }
}
