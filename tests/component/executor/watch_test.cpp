// What the executor notices though nobody tells: ends without an event, a Docker that is silent,
// processes whose end Docker has missed, names that people change; and events that come twice, late
// or in another order. A whole executor, with short intervals, against a fake Docker.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

namespace methos::executor::test {

namespace {

using methos::test::FakeFault;
using namespace std::chrono_literals;

const auto demo_container = container_name_of(TaskName("demo.1"));

/// Lists by itself every few milliseconds. It pings never, since a loaded machine is not silent.
struct Watchful : ClusterOfOne {
    Watchful() {
        senses.list_interval = 10ms;
        senses.ping_interval = 1h;
        senses.proc_dir = folder.file("proc");
        senses.lost_process_patience = 10ms;
    }

    void join() {
        start();
        run_until([this] { return master.inventories > 0; });
    }

    void wait_for_lists(int more) {
        const int until = docker.count("GET /containers/json") + more;
        run_until([&] { return docker.count("GET /containers/json") >= until; });
    }

    /// /proc shows the process of that container.
    void show_process(std::int64_t pid, const std::string& container) const {
        const auto process = std::filesystem::path(senses.proc_dir) / std::to_string(pid);
        std::filesystem::create_directories(process);
        std::ofstream(process / "cgroup") << "0::/docker/" << container << "\n";
    }
};

} // namespace

SCENARIO("an end of which no event tells is seen by the next list") {
    Watchful one;
    one.join();
    one.launch_and_wait("demo.1");
    one.docker.exit(demo_container, 3, false, false);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->exit_code == 3);
    CHECK(one.docker.count("GET /events") == 2); // what is past and what comes: the first ones
}

SCENARIO("a Docker that takes connections and answers nothing is away") {
    Watchful one;
    one.senses.ping_interval = 10ms;
    one.senses.ping_limit = 200ms;
    one.join();
    one.launch_and_wait("demo.1");
    FakeFault silence;
    silence.call = "GET ";
    silence.kind = FakeFault::Kind::Hold;
    silence.times = -1;
    one.docker.inject(silence);
    one.run_until([&] { return !one.master.host.docker_up; });
    CHECK(one.docker.count("GET /_ping") >= 3);
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});
    one.docker.exit(demo_container, 3, false, false);
    one.docker.forget_faults();
    one.docker.release_held();
    one.run_until([&] { return one.master.host.docker_up; });
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.starts() == 1);
}

SCENARIO("a task whose process is gone though Docker says it runs is killed") {
    Watchful one;
    one.join();
    // Its process is seen with the inspect after its start.
    one.docker.set_program([&one](const methos::test::FakeContainer& container) {
        constexpr std::int64_t first_pid = 1000; // the fake's
        one.show_process(first_pid, container.id);
        return methos::test::FakeProgram();
    });
    one.launch_and_wait("demo.1");
    const auto id = one.docker.containers().front()->id;
    const auto kill = "POST /containers/" + id + "/kill";
    one.wait_for_lists(3);
    CHECK(one.docker.count(kill) == 0); // it lives

    WHEN("a kill makes Docker look") {
        std::filesystem::remove_all(one.senses.proc_dir);
        one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
        CHECK(one.docker.count(kill) == 1);
        CHECK(one.master.last("demo.1")->exit_code == 137);
    }
    WHEN("Docker does not believe three kills") {
        FakeFault ignores;
        ignores.call = kill;
        ignores.status = 204;
        ignores.body.clear();
        ignores.times = -1;
        one.docker.inject(ignores);
        std::filesystem::remove_all(one.senses.proc_dir);
        one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
        CHECK(one.docker.count(kill) == 3);
    }
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running, TaskState::Failed});
    CHECK(one.docker.count("POST /containers/create") == 1);
}

SCENARIO("a container that somebody renames is the same task") {
    Watchful one;
    one.join();
    one.launch_and_wait("demo.1");
    one.docker.rename(demo_container, "somebody-elses-idea");
    one.wait_for_lists(2);

    WHEN("it is killed") {
        one.master.kill("demo.1", 1000);
        one.run_until([&] { return one.docker.containers().empty(); });
        CHECK(one.master.states("demo.1") == std::vector{TaskState::Running, TaskState::Killed});
    }
    WHEN("it ends") {
        one.docker.exit("somebody-elses-idea", 4);
        one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
        CHECK(one.master.last("demo.1")->exit_code == 4);
    }
    WHEN("the executor is started again") {
        one.stop(false);
        one.master.statuses.clear();
        one.start();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        one.master.kill("demo.1", 1000);
        one.run_until([&] { return one.docker.containers().empty(); });
        CHECK(one.master.has("demo.1", TaskState::Killed));
    }
    CHECK(one.docker.count("POST /containers/create") == 1);
}

SCENARIO("hundreds of containers cost one list, and an inspect for each that differs") {
    constexpr int tasks = 300;
    constexpr std::size_t inspects_at_once = 16;
    Watchful one;
    one.senses.list_interval = 100ms;
    one.join();
    one.launch_and_wait("demo.1");
    const auto pattern = *one.docker.containers().front();
    one.stop(false);
    for (int i = 2; i <= tasks; ++i) {
        auto container = pattern;
        const auto name = TaskName("demo." + std::to_string(i));
        container.id = "feed" + std::string(60 - std::to_string(i).size(), '0') + std::to_string(i);
        container.name = container_name_of(name);
        container.labels["io.methos.task"] = name.value;
        container.labels["MESOS_TASK_ID"] = name.value;
        one.docker.add_container(container);
    }
    FakeFault hold;
    hold.call = "GET /containers/feed";
    hold.kind = FakeFault::Kind::Hold;
    hold.times = -1;
    one.docker.inject(hold);
    const int inventories = one.master.inventories;
    one.start();
    one.run_until([&] { return one.docker.held() == inspects_at_once; });
    one.wait_for_lists(2); // others are served
    CHECK(one.docker.held() == inspects_at_once);
    one.run_until([&] {
        one.docker.release_held();
        return one.master.inventories > inventories;
    });
    CHECK(one.master.inventory.size() == tasks);
    const auto inspects = [&one] { return one.docker.count("GET /containers/feed"); };
    CHECK(inspects() == tasks - 1);
    one.docker.forget_faults();
    one.wait_for_lists(3);
    CHECK(inspects() == tasks - 1);
    one.docker.exit(container_name_of(TaskName("demo.77")), 3, false, false);
    one.run_until([&] { return one.master.has("demo.77", TaskState::Failed); });
    CHECK(inspects() == tasks);
    CHECK(one.starts() == tasks);
}

SCENARIO("events that come twice, late or in another order change nothing") {
    constexpr int tasks = 6;
    const auto seed = GENERATE(range(1U, 6U));
    std::mt19937 random(seed);
    INFO("seed " << seed);
    Watchful one;
    one.senses.list_interval = 1h; // events only
    one.join();
    one.docker.hold_events();
    for (int i = 1; i <= tasks; ++i) {
        one.launch_and_wait("demo." + std::to_string(i));
    }
    for (int i = 1; i <= tasks; ++i) {
        one.docker.exit(container_name_of(TaskName("demo." + std::to_string(i))), i);
    }
    one.docker.release_events([&random](std::vector<std::string>& lines) {
        const auto once = lines;
        lines.insert(lines.end(), once.begin(), once.end());
        std::shuffle(lines.begin(), lines.end(), random);
    });
    for (int i = 1; i <= tasks; ++i) {
        const auto name = "demo." + std::to_string(i);
        one.run_until([&] { return one.master.has(name, TaskState::Failed); });
        CHECK(one.master.last(name)->exit_code == i);
    }
    one.launch_and_wait("demo.7"); // and with it all that they may have led to
    for (int i = 1; i <= tasks; ++i) {
        const auto name = "demo." + std::to_string(i);
        CHECK(one.master.states(name) == std::vector{TaskState::Running, TaskState::Failed});
    }
    for (const auto* container : one.docker.containers()) {
        CHECK(container->starts == 1);
    }
    CHECK(one.docker.count("POST /containers/create") == tasks + 1);
}

} // namespace methos::executor::test
