// What becomes of instances when hosts, executors, Docker and the master fail: DESIGN.md section
// 8's table of faults, row by row, on the pure heart.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;

namespace {

/// Three hosts, six instances of /demo running, two on each.
void six_running(HeartLab& lab) {
    for (const auto* name : {"a", "b", "c"}) {
        lab.join(name);
    }
    REQUIRE(lab.put(HeartLab::app("/demo", 6)));
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 6);
    (void)lab.take_sent<cluster::SendLaunch>();
}

std::vector<TaskStatus> statuses_of(HeartLab& lab, const std::string& host) {
    std::vector<TaskStatus> list;
    for (const auto& [number, task] : lab.cluster().tasks()) {
        if (lab.cluster().find_host(task.host)->info.hostname == host) {
            // As an executor that was restarted knows them: by name only.
            auto status = HeartLab::status(task, TaskState::Running);
            status.number = TaskNumber();
            list.push_back(status);
        }
    }
    return list;
}

} // namespace

SCENARIO("a host that falls silent is replaced, and when it returns nothing runs twice") {
    HeartLab lab;
    six_running(lab);
    WHEN("its link is cut") {
        lab.cut("c");
        lab.live(1500ms);
        THEN("nothing happens before four beats have passed") {
            REQUIRE(lab.count(TaskState::Running) == 6);
        }
        lab.live(1500ms);
        THEN("its instances come up elsewhere") {
            REQUIRE(lab.count(TaskState::Unreachable) == 2);
            REQUIRE(lab.take_sent<cluster::SendLaunch>().size() == 2);
            lab.run_all();
            REQUIRE(lab.count(TaskState::Running) == 6);
            REQUIRE(lab.spread(TaskState::Running)["c"] == 0);

            AND_WHEN("it returns with what it had") {
                lab.join("c", statuses_of(lab, "c"));
                THEN("the older copies stay and the replacements are killed") {
                    REQUIRE(lab.count(TaskState::Unreachable) == 0);
                    REQUIRE(lab.take_sent<cluster::SendKill>().size() == 2);
                    lab.end_all_killed();
                    REQUIRE(lab.spread(TaskState::Running)["c"] == 2);
                    REQUIRE(lab.count(TaskState::Running) == 6);
                    REQUIRE(lab.take_sent<cluster::SendLaunch>().empty());
                }
            }
            AND_WHEN("it returns empty, as after a reboot") {
                lab.join("c");
                THEN("what it had is gone, and nothing else changes") {
                    REQUIRE(lab.count(TaskState::Unreachable) == 0);
                    REQUIRE(lab.take_sent<cluster::SendKill>().empty());
                    REQUIRE(lab.count(TaskState::Running) == 6);
                }
            }
            AND_WHEN("the master is killed before it returns") {
                lab.kill_and_restart();
                for (const auto* name : {"a", "b"}) {
                    lab.join(name, statuses_of(lab, name));
                }
                THEN("it is still known as lost, and its return is settled the same way") {
                    REQUIRE(lab.count(TaskState::Unreachable) == 2);
                    lab.join("c", statuses_of(lab, "c"));
                    lab.end_all_killed();
                    REQUIRE(lab.count(TaskState::Running) == 6);
                    REQUIRE(lab.spread(TaskState::Running)["c"] == 2);
                }
            }
        }
    }
}

SCENARIO("an executor that dies leaves its instances running for its grace") {
    HeartLab lab;
    six_running(lab);
    lab.close("b");
    REQUIRE(lab.cluster().hosts().at(lab.tasks_in(TaskState::Running)[0].host).number.value != 0);
    WHEN("it comes back within the grace") {
        lab.live(20s);
        lab.join("b", statuses_of(lab, "b"));
        lab.live(60s);
        THEN("nothing was launched or killed") {
            REQUIRE(lab.count(TaskState::Running) == 6);
            REQUIRE(lab.take_sent<cluster::SendLaunch>().empty());
            REQUIRE(lab.cluster().tasks().size() == 6);
        }
    }
    WHEN("it does not") {
        lab.live(31s);
        THEN("they are replaced") {
            REQUIRE(lab.count(TaskState::Unreachable) == 2);
            lab.run_all();
            REQUIRE(lab.spread(TaskState::Running)["a"] + lab.spread(TaskState::Running)["c"] == 6);
        }
    }
    WHEN("it had announced a longer stop") {
        lab.join("b", statuses_of(lab, "b"));
        const auto session = lab.session("b");
        lab.step([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().goodbye(session, 120s, step);
        });
        lab.cut("b");
        lab.live(100s);
        THEN("that one counts") {
            REQUIRE(lab.count(TaskState::Running) == 6);
        }
        lab.live(30s);
        THEN("and ends") {
            REQUIRE(lab.count(TaskState::Unreachable) == 2);
        }
    }
}

SCENARIO("many hosts beat less often, and are given as much longer to be heard") {
    heart::Options options;
    options.policy.beats_per_second_max = 2;
    HeartLab lab(options);
    for (const auto* name : {"a", "b", "c", "d"}) {
        lab.join(name);
    }
    const auto& hosts = lab.cluster().hosts();
    REQUIRE(hosts.begin()->second.beat_interval == 500ms); // it was alone
    REQUIRE(hosts.rbegin()->second.beat_interval == 2s);
    lab.cut("a");
    lab.cut("d");
    const auto state = [&](const HostNumber& number) { return hosts.at(number).state; };
    lab.live(3s);
    REQUIRE(state(hosts.begin()->first) == cluster::HostState::Lost);
    REQUIRE(state(hosts.rbegin()->first) == cluster::HostState::Up);
    lab.live(6s);
    REQUIRE(state(hosts.rbegin()->first) == cluster::HostState::Lost);
}

SCENARIO("Docker's absence is borne for its own grace") {
    HeartLab lab;
    six_running(lab);
    auto info = HeartLab::host_info("a");
    info.docker_up = false;
    const auto session = lab.session("a");
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_changed(session, info, step);
    });
    THEN("nothing is placed there meanwhile") {
        REQUIRE(lab.put(HeartLab::app("/other", 2)));
        REQUIRE(lab.spread(TaskState::Staging)["a"] == 0);
    }
    THEN("after a minute its instances are replaced") {
        lab.live(59s);
        REQUIRE(lab.count(TaskState::Unreachable) == 0);
        lab.live(2s);
        REQUIRE(lab.count(TaskState::Unreachable) == 2);
    }
    THEN("when it is back in time all stay") {
        lab.live(30s);
        info.docker_up = true;
        const auto has = statuses_of(lab, "a");
        lab.step([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().host_changed(session, info, step);
        });
        lab.step([&](heart::Heart& heart, cluster::Step& step) {
            (void)heart.cluster().inventory(session, has, true, step);
        });
        lab.live(60s);
        REQUIRE(lab.count(TaskState::Running) == 6);
    }
}

SCENARIO("a host whose Docker stays away is not found again by its executor's words") {
    HeartLab lab;
    six_running(lab);
    auto info = HeartLab::host_info("a");
    info.docker_up = false;
    const auto had = statuses_of(lab, "a");
    lab.step([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_changed(lab.session("a"), info, step);
    });
    lab.live(61s);
    REQUIRE(lab.count(TaskState::Unreachable) == 2);
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 6);
    (void)lab.take_sent<cluster::SendAck>();
    (void)lab.take_sent<cluster::SendKill>();

    WHEN("its executor joins anew, again and again, and tells what it knew last") {
        for (int round = 0; round < 3; ++round) {
            lab.cut("a");
            lab.live(500ms);
            lab.join(info, had);
            lab.step([&](heart::Heart& heart, cluster::Step& step) {
                (void)heart.cluster().statuses(lab.session("a"), had, step);
            });
            lab.live(61s);
        }
        THEN("the replacements stay, and nothing is acknowledged that is not believed") {
            CHECK(lab.take_sent<cluster::SendAck>().empty());
            CHECK(lab.take_sent<cluster::SendKill>().empty());
            CHECK(lab.count(TaskState::Unreachable) == 2);
            CHECK(lab.spread(TaskState::Running)["a"] == 0);
            CHECK(lab.count(TaskState::Running) == 6);
        }
        AND_WHEN("Docker answers at last and has them") {
            info.docker_up = true;
            lab.step([&](heart::Heart& heart, cluster::Step& step) {
                heart.cluster().host_changed(lab.session("a"), info, step);
            });
            lab.step([&](heart::Heart& heart, cluster::Step& step) {
                (void)heart.cluster().inventory(lab.session("a"), had, true, step);
            });
            THEN("they are found, and of each instance one goes") {
                CHECK(lab.count(TaskState::Unreachable) == 0);
                CHECK(lab.take_sent<cluster::SendKill>().size() == 2);
            }
        }
        AND_WHEN("one is told to be over") {
            auto over = had.front();
            over.state = TaskState::Failed;
            lab.step([&](heart::Heart& heart, cluster::Step& step) {
                (void)heart.cluster().statuses(lab.session("a"), {&over, 1}, step);
            });
            THEN("it is") {
                CHECK(lab.count(TaskState::Unreachable) == 1);
            }
        }
    }
}

SCENARIO("a master that is killed forgets nothing and does nothing twice") {
    HeartLab lab;
    six_running(lab);
    lab.kill_and_restart();
    THEN("its hosts have thirty seconds to come back, and nothing is launched meanwhile") {
        lab.live(29s);
        REQUIRE(lab.count(TaskState::Running) == 6);
        REQUIRE(lab.take_sent<cluster::SendLaunch>().empty());
        for (const auto* name : {"a", "b", "c"}) {
            lab.join(name, statuses_of(lab, name));
        }
        lab.live(60s);
        REQUIRE(lab.count(TaskState::Running) == 6);
        REQUIRE(lab.take_sent<cluster::SendLaunch>().empty());
        REQUIRE(lab.take_sent<cluster::SendKill>().empty());
    }
    THEN("names are never used again") {
        std::set<std::string> names;
        for (const auto& [number, task] : lab.cluster().tasks()) {
            names.insert(task.name.value);
        }
        for (const auto* name : {"a", "b", "c"}) {
            lab.join(name, statuses_of(lab, name));
        }
        REQUIRE(lab.put(HeartLab::app("/demo", 20)));
        REQUIRE(lab.cluster().tasks().size() == 20);
        for (const auto& [number, task] : lab.cluster().tasks()) {
            names.insert(task.name.value);
        }
        REQUIRE(names.size() == 20);
    }
    THEN("an epoch is never used again") {
        const auto epoch = lab.cluster().epoch();
        lab.kill_and_restart();
        REQUIRE(lab.cluster().epoch() == epoch + 1);
    }
}

SCENARIO("a launch that got lost is found when the host's list comes") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    const auto lost = lab.tasks_in(TaskState::Staging).at(0).name;
    lab.join("a"); // a new session whose list does not have it
    lab.live(3s);  // past the backoff of a failed launch
    REQUIRE(lab.cluster().find_task(lost) == nullptr);
    REQUIRE(lab.count(TaskState::Staging) == 1);
}

SCENARIO("a host's list names a task that nobody knows") {
    HeartLab lab;
    TaskStatus stranger;
    stranger.name = TaskName("old.instance-1._app.1");
    stranger.state = TaskState::Running;
    stranger.stamp = 7;
    lab.join("a", {stranger});
    const auto kills = lab.take_sent<cluster::SendKill>();
    REQUIRE(kills.size() == 1);
    REQUIRE(kills[0].name.value == stranger.name.value);
}

SCENARIO("most hosts vanishing at once is taken for the master's own fault") {
    HeartLab lab;
    for (const auto* name : {"a", "b", "c", "d", "e"}) {
        lab.join(name);
    }
    REQUIRE(lab.put(HeartLab::app("/demo", 10)));
    lab.run_all();
    (void)lab.take_sent<cluster::SendLaunch>();
    for (const auto* name : {"a", "b", "c"}) {
        lab.cut(name);
    }
    lab.live(10s);
    REQUIRE(lab.count(TaskState::Unreachable) == 6);
    REQUIRE(lab.take_sent<cluster::SendLaunch>().empty());
    lab.live(30s);
    THEN("replacements come after the hold") {
        REQUIRE(lab.take_sent<cluster::SendLaunch>().size() == 6);
    }
}

SCENARIO("hosts that died long ago do not hide that all others vanish") {
    HeartLab lab;
    for (const auto* name : {"a", "b", "c", "old1", "old2", "old3", "old4"}) {
        lab.join(name);
        if (name[0] == 'o') {
            lab.cut(name);
            lab.live(20s);
        }
    }
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    lab.run_all();
    for (const auto* name : {"a", "b", "c"}) {
        lab.cut(name);
    }
    lab.live(15s);
    REQUIRE(lab.count(TaskState::Unreachable) == 3);
    REQUIRE(lab.cluster().holds_replacements(lab.now()));
}

SCENARIO("the master's own pause is not held against the hosts") {
    HeartLab lab;
    six_running(lab);
    lab.advance(60s);
    lab.heart().paused(60s);
    lab.decide();
    REQUIRE(lab.count(TaskState::Running) == 6);
}

SCENARIO("no host is called silent for what it has sent and the master has not read") {
    HeartLab lab;
    six_running(lab);
    lab.close("b"); // its executor is gone, and has its grace
    const auto flooded_at = lab.now().mono;
    lab.heart().unread_since(flooded_at);
    lab.advance(10s);
    lab.decide();
    REQUIRE(lab.count(TaskState::Running) == 6);
    WHEN("all of it is read, and theirs was among it") {
        for (const auto* name : {"a", "c"}) {
            lab.heart().heard(lab.session(name), lab.now());
        }
        lab.heart().unread_since(std::nullopt);
        lab.decide();
        THEN("nobody is lost") {
            REQUIRE(lab.count(TaskState::Running) == 6);
        }
    }
    WHEN("all of it is read, and theirs was not") {
        lab.heart().unread_since(std::nullopt);
        lab.decide();
        THEN("they are lost") {
            REQUIRE(lab.count(TaskState::Unreachable) == 4);
        }
    }
    WHEN("the flood does not end") {
        lab.advance(25s);
        lab.decide();
        THEN("it excuses nobody for ever") {
            REQUIRE(lab.count(TaskState::Unreachable) > 0);
        }
    }
}

SCENARIO("a status that arrives twice, or after the end, is acknowledged and changes nothing") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    const auto task = lab.tasks_in(TaskState::Staging).at(0);
    lab.report(task, TaskState::Running);
    (void)lab.take_sent<cluster::SendAck>();
    lab.report(task, TaskState::Running);
    REQUIRE(lab.take_sent<cluster::SendAck>().size() == 1);
    lab.report(task, TaskState::Failed);
    REQUIRE(lab.cluster().find_task(task.number) == nullptr);
    lab.report("a", HeartLab::status(task, TaskState::Failed, 9));
    const auto acks = lab.take_sent<cluster::SendAck>();
    REQUIRE(acks.size() == 2);
    REQUIRE(acks[1].stamp == 9);
}

SCENARIO("hosts tell everything anew after a commit was refused") {
    HeartLab lab;
    six_running(lab);
    const auto session = lab.session("a");
    const std::vector<TaskStatus> nothing;
    WHEN("the refused step ended what a host no longer has") {
        lab.refuse([&](heart::Heart& heart, cluster::Step& step) {
            (void)heart.cluster().inventory(session, nothing, true, step);
        });
        THEN("its session is over, and the next list says it again") {
            REQUIRE(lab.count(TaskState::Running) == 6);
            REQUIRE(lab.cluster().find_host(session) == nullptr);
            lab.join("a");
            lab.join("b", statuses_of(lab, "b"));
            lab.join("c", statuses_of(lab, "c"));
            REQUIRE(lab.count(TaskState::Running) == 4);
        }
    }
    WHEN("a host without an executor was waited for") {
        lab.close("a");
        lab.refuse([](heart::Heart&, cluster::Step&) {});
        lab.join("b", statuses_of(lab, "b"));
        lab.join("c", statuses_of(lab, "c"));
        THEN("it is not waited for without end") {
            lab.live(29s);
            REQUIRE(lab.count(TaskState::Unreachable) == 0);
            lab.live(2s);
            REQUIRE(lab.count(TaskState::Unreachable) == 2);
        }
    }
}

SCENARIO("a jump of the master's clock does not stretch how long an unreachable instance is kept") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app(
        "/web",
        2,
        R"("unreachableStrategy":{"inactiveAfterSeconds":7,"expungeAfterSeconds":20})")));
    lab.run_all();
    lab.cut("a");
    lab.live(4s);
    REQUIRE(lab.count(TaskState::Unreachable) == 1);
    REQUIRE(lab.count(TaskState::Staging) == 0);
    lab.jump_clock(-2h);
    WHEN("time goes on") {
        lab.live(7s);
    }
    WHEN("the store refuses a commit in between") {
        lab.refuse([](heart::Heart&, cluster::Step&) {});
        lab.join("b");
        lab.live(7s);
    }
    WHEN("the master starts again") {
        lab.kill_and_restart();
        lab.join("b", {});
        lab.live(8s);
    }
    REQUIRE(lab.count(TaskState::Staging) >= 1);
}

SCENARIO("an instance of an app that was deleted may outlive it into an app of the same name") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/web", 1)));
    lab.run_all();
    const auto old = lab.tasks_in(TaskState::Running).front();
    lab.cut("a");
    lab.live(4s);
    lab.remove("/web");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/web", 1)));
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 1);
    lab.join("a", {HeartLab::status(old, TaskState::Running)});
    lab.report(old, TaskState::Killed);
    REQUIRE(lab.count(TaskState::Running) == 1);
    REQUIRE(lab.cluster().tasks().size() == 1);
}
