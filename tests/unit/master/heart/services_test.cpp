// Apps on the pure heart: placing, scaling, replacing, deleting, backing off, and saying why not.
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;

SCENARIO("instances are spread over hosts and get ports of their own") {
    HeartLab lab;
    for (const auto* name : {"a", "b", "c"}) {
        lab.join(name);
    }
    REQUIRE(lab.put(HeartLab::app("/demo", 7, R"("portDefinitions":[{"port":0},{"port":0}])")));
    const auto spread = lab.spread(TaskState::Staging);
    REQUIRE(spread.size() == 3);
    for (const auto& [host, count] : spread) {
        REQUIRE(count >= 2);
        REQUIRE(count <= 3);
    }
    std::set<std::pair<std::uint64_t, std::uint16_t>> ports;
    for (const auto& task : lab.tasks_in(TaskState::Staging)) {
        REQUIRE(task.host_ports.size() == 2);
        for (const auto port : task.host_ports) {
            REQUIRE(ports.insert({task.host.value, port}).second);
        }
    }
    AND_THEN("each launch says which ports, and each session carries the spec once") {
        std::size_t specs = 0;
        for (const auto& sent : lab.take_sent<cluster::SendLaunch>()) {
            const auto& launch = sent.launch;
            REQUIRE(launch.env.at("PORT0") == std::to_string(launch.host_ports[0]));
            REQUIRE(launch.env.at("MESOS_TASK_ID") == launch.name.value);
            specs += sent.spec ? 1U : 0U;
        }
        REQUIRE(specs == 3);
    }
}

SCENARIO("a host takes no more than it has") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(R"({"id":"/big","cpus":1.5,"mem":64,"instances":5,"cmd":"x",
                        "container":{"type":"DOCKER","docker":{"image":"busybox"}}})"));
    REQUIRE(lab.count(TaskState::Staging) == 2);
    const auto* app = lab.services().find(AppId("/big"));
    const auto reasons = lab.cluster().explain(lab.services().demand_of(*app, lab.now()));
    REQUIRE(reasons.at(cluster::Unfit::Cpus) == 1);
    REQUIRE(lab.services().demands().at(AppId("/big")).count == 3);
    WHEN("another host joins") {
        lab.join("b");
        THEN("it takes what did not fit") {
            REQUIRE(lab.count(TaskState::Staging) == 4);
        }
    }
}

SCENARIO("a fixed host port goes to one instance per host") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(
        HeartLab::app("/web", 3, R"("requirePorts":true,"portDefinitions":[{"port":31007}])")));
    REQUIRE(lab.count(TaskState::Staging) == 2);
    for (const auto& task : lab.tasks_in(TaskState::Staging)) {
        REQUIRE(task.host_ports.at(0) == 31007);
    }
}

SCENARIO("scaling starts and ends only what it must") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    lab.run_all();
    std::set<std::string> first;
    for (const auto& task : lab.tasks_in(TaskState::Running)) {
        first.insert(task.name.value);
    }
    REQUIRE(lab.services().find(AppId("/demo"))->deployment.empty());
    lab.live(10s);
    REQUIRE(lab.put(HeartLab::app("/demo", 5)));
    lab.run_all();
    REQUIRE(lab.count(TaskState::Running) == 5);
    lab.live(10s);
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    REQUIRE(lab.count(TaskState::Killing) == 2);
    lab.end_all_killed();
    THEN("the youngest have gone") {
        for (const auto& task : lab.tasks_in(TaskState::Running)) {
            REQUIRE(first.contains(task.name.value));
        }
    }
}

SCENARIO("a kill is repeated until it is true") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    lab.run_all();
    REQUIRE(lab.put(HeartLab::app("/demo", 0)));
    REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
    lab.live(6s);
    REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
    AND_WHEN("the master was killed in between") {
        lab.kill_and_restart();
        std::vector<TaskStatus> has;
        for (const auto& [number, task] : lab.cluster().tasks()) {
            has.push_back(HeartLab::status(task, TaskState::Running));
        }
        lab.join("a", has);
        THEN("it still knows what it wanted") {
            REQUIRE(lab.take_sent<cluster::SendKill>().size() >= 1);
        }
    }
    lab.end_all_killed();
    lab.live(20s);
    REQUIRE(lab.take_sent<cluster::SendKill>().empty());
}

SCENARIO("a new definition replaces instances without falling below the wanted count") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 4)));
    lab.run_all();
    REQUIRE(lab.put(HeartLab::app("/demo", 4, R"("env":{"COLOUR":"green"})")));
    REQUIRE(lab.count(TaskState::Running) == 4);
    REQUIRE(lab.count(TaskState::Staging) == 4);
    for (int i = 0; i < 20 && lab.cluster().tasks().size() > 0; ++i) {
        const auto staged = lab.tasks_in(TaskState::Staging);
        if (staged.empty()) {
            break;
        }
        lab.report(staged.front(), TaskState::Running);
        REQUIRE(lab.count(TaskState::Running) >= 4);
        lab.end_all_killed();
        REQUIRE(lab.count(TaskState::Running) >= 4);
    }
    lab.end_all_killed();
    REQUIRE(lab.cluster().tasks().size() == 4);
    const auto* app = lab.services().find(AppId("/demo"));
    REQUIRE(app->deployment.empty());
    for (const auto& [number, task] : lab.cluster().tasks()) {
        REQUIRE(task.spec == app->spec);
    }
    AND_THEN("the old spec is forgotten") {
        std::size_t specs = 0;
        for (const auto& [place, value] : lab.records()) {
            specs += place.first == state::Table::Spec ? 1U : 0U;
        }
        REQUIRE(specs == 1);
    }
}

SCENARIO("a replacement moves on although half of one instance is one instance") {
    const std::string strategy =
        R"("upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.5})";
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1, strategy)));
    lab.run_all();
    REQUIRE(lab.put(HeartLab::app("/demo", 1, strategy + R"(,"env":{"COLOUR":"green"})")));
    REQUIRE(lab.count(TaskState::Staging) == 1);
    REQUIRE(lab.count(TaskState::Running) == 1);
    lab.run_all();
    lab.end_all_killed();
    REQUIRE(lab.cluster().tasks().size() == 1);
    REQUIRE(lab.services().find(AppId("/demo"))->deployment.empty());
}

SCENARIO("failing instances are started again more and more slowly") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1, R"("backoffSeconds":2,"backoffFactor":2)")));
    lab.report(lab.tasks_in(TaskState::Staging).at(0), TaskState::Failed);
    REQUIRE(lab.count(TaskState::Staging) == 0);
    lab.live(1500ms);
    REQUIRE(lab.count(TaskState::Staging) == 0);
    lab.live(1s);
    REQUIRE(lab.count(TaskState::Staging) == 1);
    lab.report(lab.tasks_in(TaskState::Staging).at(0), TaskState::Failed);
    lab.live(3s);
    REQUIRE(lab.count(TaskState::Staging) == 0);
    lab.live(1500ms);
    REQUIRE(lab.count(TaskState::Staging) == 1);
    AND_THEN("the failure is remembered over a restart of the master") {
        lab.kill_and_restart();
        REQUIRE(lab.services().find(AppId("/demo"))->last_failure.has_value());
    }
}

SCENARIO("a deleted app leaves nothing behind") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/demo", 4)));
    lab.run_all();
    WHEN("all hosts are there") {
        lab.remove("/demo");
        REQUIRE(lab.services().find(AppId("/demo")) == nullptr);
        lab.end_all_killed();
        THEN("no record of it is left") {
            for (const auto& [place, value] : lab.records()) {
                REQUIRE(place.first != state::Table::App);
                REQUIRE(place.first != state::Table::Task);
                REQUIRE(place.first != state::Table::Spec);
            }
        }
    }
    WHEN("a host is lost") {
        lab.cut("b");
        lab.live(3s);
        lab.remove("/demo");
        lab.end_all_killed();
        REQUIRE(lab.services().apps().empty());
        std::vector<TaskStatus> has;
        for (const auto& [number, task] : lab.cluster().tasks()) {
            has.push_back(HeartLab::status(task, TaskState::Running));
        }
        REQUIRE(has.size() == 2);
        (void)lab.take_sent<cluster::SendKill>();
        lab.join("b", has);
        THEN("what it brings back is killed") {
            REQUIRE(lab.take_sent<cluster::SendKill>().size() >= 2);
            lab.end_all_killed();
            REQUIRE(lab.cluster().tasks().empty());
        }
    }
}

SCENARIO("a big app is placed and removed within the store's caps") {
    HeartLab lab;
    auto info = HeartLab::host_info("a");
    info.resources.scalars = {1'000'000, 1'000'000 * bytes_per_mb, 0, 0};
    info.resources.ports = PortSet(PortRange{10000, 20000});
    lab.join(info);
    REQUIRE(lab.put(HeartLab::app("/many", 700)));
    REQUIRE(lab.count(TaskState::Staging) == 700); // HeartLab refuses a batch over the caps
    lab.remove("/many");
    REQUIRE(lab.count(TaskState::Killing) == 700);
    lab.join(info); // and all of them missing at once
    REQUIRE(lab.cluster().tasks().empty());
    REQUIRE(lab.services().apps().empty());
}

SCENARIO("constraints are kept, and those this build cannot keep are refused") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/one-each", 3, R"("constraints":[["hostname","UNIQUE"]])")));
    REQUIRE(lab.count(TaskState::Staging) == 2);
    const auto refused =
        lab.put(HeartLab::app("/like", 1, R"("constraints":[["rack","LIKE","r[12]"]])"));
    REQUIRE_FALSE(refused);
    REQUIRE(refused.error().status == 422);
}

SCENARIO("an app is never where a group is") {
    HeartLab lab;
    const auto refused = [&lab](const std::string& id) {
        const auto changed = lab.put(HeartLab::app(id, 1));
        return !changed && changed.error().status == 422 &&
               changed.error().body_json.find(
                   "Groups and Applications may not have the same identifier.") !=
                   std::string::npos;
    };
    REQUIRE(lab.put(HeartLab::app("/shop/web", 1)));
    REQUIRE(refused("/shop"));
    REQUIRE(refused("/shop/web/front"));
    REQUIRE(refused("/shop/web/front/left"));
    REQUIRE(lab.put(HeartLab::app("/shop/web-2", 1)));
    REQUIRE(lab.put(HeartLab::app("/sho", 1)));
    REQUIRE(lab.put(HeartLab::app("/shop/web", 2)));
    WHEN("a state of before holds both") {
        auto records = lab.records();
        for (auto& [place, value] : records) {
            const auto web = value.find("/shop/web-2");
            if (place.first == state::Table::App && web != std::string::npos) {
                value.replace(web, 11, "/shop/web/b"); // as long: the record stays readable
            }
        }
        lab.restart_from(records);
        THEN("it is loaded, and its apps can be changed") {
            REQUIRE(lab.services().find(AppId("/shop/web/b")) != nullptr);
            REQUIRE(lab.put(HeartLab::app("/shop/web", 3)));
            REQUIRE(lab.put(HeartLab::app("/shop/web/b", 3)));
            REQUIRE(refused("/shop/web/c"));
        }
    }
    WHEN("what is in the way goes") {
        lab.remove("/shop/web");
        lab.remove("/shop/web-2");
        THEN("the name is free") {
            REQUIRE(lab.put(HeartLab::app("/shop", 1)));
        }
    }
}

SCENARIO("one port number for tcp and for udp is one port of the host") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(
        HeartLab::app("/dns",
                      1,
                      R"("networks":[{"mode":"container/bridge"}],"container":{"type":"DOCKER",
           "docker":{"image":"busybox"},"portMappings":[
             {"containerPort":53,"hostPort":31053,"protocol":"tcp"},
             {"containerPort":53,"hostPort":31053,"protocol":"udp"}]})")));
    REQUIRE(lab.count(TaskState::Staging) == 1);
    REQUIRE(lab.tasks_in(TaskState::Staging)[0].host_ports ==
            std::vector<std::uint16_t>{31053, 31053});
}

SCENARIO("instances that fail together delay the next try once") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 30, R"("backoffSeconds":1,"backoffFactor":2)")));
    lab.run_all();
    for (const auto& task : lab.tasks_in(TaskState::Running)) {
        lab.report(task, TaskState::Failed);
    }
    lab.live(2s);
    REQUIRE(lab.count(TaskState::Staging) == 30);
}

SCENARIO("what Docker has stopped is replaced at once, and what failed by itself is not") {
    struct Row {
        Reason reason;
        std::size_t replaced;
    };

    const auto row = GENERATE(Row{Reason::DockerDown, 2}, Row{Reason::CommandExited, 0});
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(
        HeartLab::app("/demo", 2, R"("backoffSeconds":3600,"maxLaunchDelaySeconds":3600)")));
    lab.run_all();
    for (const auto& task : lab.tasks_in(TaskState::Running)) {
        auto ended = HeartLab::status(task, TaskState::Failed);
        ended.reason = row.reason;
        ended.message = "it ended";
        lab.report("a", ended);
    }
    REQUIRE(lab.count(TaskState::Staging) == row.replaced);
    const auto& app = lab.services().apps().begin()->second;
    REQUIRE(app.last_failure);
    REQUIRE(app.last_failure->message == "it ended");
}
