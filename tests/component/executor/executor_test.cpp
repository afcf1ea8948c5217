// A whole executor against a fake Docker and a scripted master, over real sockets: launches, kills,
// restarts of everybody, lost ACKs, cut calls, pulls and logs.
#include "executor/session/host_claim.hpp"
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <sys/stat.h>

namespace methos::executor::test {

namespace {

using methos::test::FakeFault;
using methos::test::FakeProgram;

const auto demo_container = container_name_of(TaskName("demo.1"));

std::string label(const methos::test::FakeContainer& container, const std::string& name) {
    const auto found = container.labels.find(name);
    return found == container.labels.end() ? "" : found->second;
}

} // namespace

SCENARIO("an executor joins and says what its host is") {
    Joined one;
    one.run_until([&] { return one.master.host.docker_up; });
    CHECK(one.master.host.hostname == "test-host");
    CHECK_FALSE(one.master.host.docker_version.empty());
    CHECK(one.master.host.address == "127.0.0.1");
    CHECK(one.master.host.resources.ports.contains(31000));
    CHECK(one.master.inventory.empty());

    struct stat file {};

    REQUIRE(::stat((one.options.data_dir + "/host.key").c_str(), &file) == 0);
    CHECK((file.st_mode & 0777U) == 0600U);
    one.stop();
    one.run_until([&] { return one.master.goodbyes == 1; });
}

SCENARIO("a host's resources and attributes change while it runs") {
    Joined one;
    one.run_until([&] { return one.master.host.docker_up; });
    one.launch_and_wait("demo.1");
    auto options = one.options;
    options.resources = "cpus:3;ports:[20000-20009]";
    options.attributes = {{"rack", "b"}};
    options.role = "web";
    one.executor->reload(options);
    one.run_until([&] { return one.master.host.role == "web"; });
    CHECK(one.master.host.attributes == options.attributes);
    CHECK(one.master.host.resources.scalars.milli_cpus == 3000);
    CHECK(one.master.host.resources.ports == PortSet(PortRange{20000, 20009}));
    CHECK(one.master.hellos == 1); // the session goes on, and the task with it
    CHECK(one.starts() == 1);
}

SCENARIO("a host whose Docker answers does not join as one without") {
    ClusterOfOne one;
    one.options.docker_patience = std::chrono::minutes(1);
    one.options.data_dir = one.folder.file("known");
    (void)load_or_make_identity(one.options.data_dir);
    one.master.welcomes = false; // what it has of the host is what HELLO said
    FakeFault slow;
    slow.call = "GET /info";
    slow.kind = FakeFault::Kind::Hold;
    one.docker.inject(slow);
    one.start();
    one.run_until([&] { return one.docker.count("GET /info") == 1; });
    one.docker.release_held();
    one.run_until([&] { return one.master.hellos == 1; });
    CHECK(one.master.host.docker_up);
}

SCENARIO("Docker comes while the master has not answered yet") {
    ClusterOfOne one;
    one.options.docker_patience = Duration::zero();
    one.options.data_dir = one.folder.file("known");
    (void)load_or_make_identity(one.options.data_dir);
    one.master.welcomes = false;
    FakeFault slow;
    slow.call = "GET /info";
    slow.kind = FakeFault::Kind::Hold;
    one.docker.inject(slow);
    one.start();
    one.run_until([&] { return one.master.hellos == 1 && one.docker.count("GET /info") == 1; });
    CHECK_FALSE(one.master.host.docker_up);
    one.docker.release_held();
    one.run_until([&] { return one.docker.count("GET /containers/json") == 1; });
    one.run_until([&] { return one.docker.subscribers() == 1; });
    one.master.welcome();
    one.run_until([&] { return one.master.host.docker_up; });
    one.run_until([&] { return one.master.inventories == 1; });
}

SCENARIO("a host whose data directory was lost is known by its containers") {
    Joined one;
    one.launch_and_wait("demo.1");
    const auto id = one.master.host.id;
    one.stop(false);
    one.options.data_dir = one.folder.file("other");

    WHEN("all are of one host") {
        one.master.statuses.clear();
        one.start();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        CHECK(one.master.host.id == id);
        CHECK(one.starts() == 1);
    }
    WHEN("they are of two hosts") {
        methos::test::FakeContainer other;
        other.name = "other";
        other.image = "demo:1";
        other.image_id = one.docker.containers().front()->image_id;
        other.labels = one.docker.containers().front()->labels;
        other.labels["io.methos.host"] = std::string(32, 'a');
        one.docker.add_container(other);
        one.start();
        one.run_until([&] { return one.master.hellos == 2; });
        CHECK(one.master.host.id != id);
    }
    WHEN("they are of a host that runs, with an executor of its own") {
        const auto neighbour = HostClaim::of_host(id, "/neighbour");
        one.start();
        one.run_until([&] { return one.master.hellos == 2; });
        CHECK(one.master.host.id != id);
    }
    WHEN("they are another cluster's") {
        for (auto* container : one.docker.containers()) {
            container->labels["io.methos.cluster-key"] = "another's";
        }
        one.start();
        one.run_until([&] { return one.master.hellos == 2; });
        CHECK(one.master.host.id != id);
    }
}

SCENARIO("a task runs, is killed, and leaves nothing behind") {
    Joined one;
    one.launch_and_wait("demo.1");
    const auto& running = *one.master.last("demo.1");
    CHECK(running.host_ports == std::vector<std::uint16_t>{31001});
    REQUIRE(one.docker.containers().size() == 1);
    const auto& container = *one.docker.containers().front();
    CHECK(container.name == container_name_of(TaskName("demo.1")));
    CHECK(label(container, "io.methos.task") == "demo.1");
    CHECK(label(container, "io.methos.app") == "/demo");
    CHECK(label(container, "io.methos.cluster") == "c1");
    CHECK(label(container, "io.methos.request") == "r1");
    CHECK(label(container, "MESOS_TASK_ID") == "demo.1");

    one.master.kill("demo.1", 1000);
    one.run_until([&] { return one.docker.containers().empty(); });
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running, TaskState::Killed});
}

SCENARIO("an executor that is killed and started again finds its task and does not touch it") {
    Joined one;
    one.launch_and_wait("demo.1");
    const auto id = one.docker.containers().front()->id;
    one.stop(false);
    one.master.statuses.clear();
    one.start();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.run_until([&] { return one.master.inventories > 1; });
    REQUIRE(one.master.inventory.size() == 1);
    CHECK(one.master.inventory.front().name.value == "demo.1");
    CHECK(one.docker.containers().front()->id == id);
    CHECK(one.starts() == 1);
    CHECK(one.docker.count("POST /containers/create") == 1);

    THEN("it can still be killed") {
        one.master.kill("demo.1", 0);
        one.run_until([&] { return one.docker.containers().empty(); });
        CHECK(one.master.has("demo.1", TaskState::Killed));
    }
}

SCENARIO("what ended while the executor was away is told when it is back") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.stop(false);
    one.docker.exit(demo_container, 3, false, false);
    one.start();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->exit_code == 3);
    CHECK(one.starts() == 1);
}

SCENARIO("a kill while Docker makes or starts the container leaves nothing behind") {
    Joined one;
    const bool is_started = GENERATE(false, true);
    FakeFault held;
    held.call = "POST /containers/"; // the create, and then the start
    held.kind = FakeFault::Kind::Hold;
    held.skip = is_started ? 1 : 0;
    one.docker.inject(held);
    one.master.launch("demo.1", "demo:1");
    const int calls = is_started ? 2 : 1;
    one.run_until([&] { return one.docker.count("POST /containers/") == calls; });
    one.master.kill("demo.1", 1000);
    one.master.launch("demo.2", "demo:1"); // when this runs, the kill has arrived
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    CHECK_FALSE(one.master.has("demo.1", TaskState::Killed));
    one.docker.release_held();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    one.run_until([&] { return one.docker.containers().size() == 1; });
    CHECK(one.starts() == 1);
    const std::vector started_first = {TaskState::Running, TaskState::Killed};
    const auto told = is_started ? started_first : std::vector{TaskState::Killed};
    CHECK(one.master.states("demo.1") == told);
}

SCENARIO("ports are published on the address that is named") {
    ClusterOfOne one;
    one.options.publish_ip = "127.0.0.2";
    one.start();
    one.run_until([&] { return one.master.inventories == 1; });
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    const auto* container = one.docker.find(demo_container);
    REQUIRE(container != nullptr);
    REQUIRE(container->ports.size() == 1);
    CHECK(container->ports[0].host_ip == "127.0.0.2");
    CHECK(container->ports[0].host_port == 31001);
}

SCENARIO("Docker goes away and comes back") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.go_down();
    one.run_until([&] { return !one.master.host.docker_up; });
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});

    WHEN("the container went on") {
        const int before = one.master.inventories;
        one.docker.come_up();
        one.run_until([&] { return one.master.inventories > before; });
        CHECK(one.master.host.docker_up);
        CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});
        CHECK(one.starts() == 1);
    }
    WHEN("the container ended meanwhile, and no event ever tells") {
        one.docker.exit(demo_container, 137, false, false);
        one.docker.come_up();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
        CHECK(one.master.last("demo.1")->reason == Reason::DockerDown);
    }
    WHEN("a task was launched in the dark") {
        one.master.launch("demo.2", "demo:1");
        one.run_until([&] { return one.master.has("demo.2", TaskState::Staging); });
        one.docker.come_up();
        one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    }
}

SCENARIO("starts that a Docker that ends takes no more wait for the next one") {
    constexpr int tasks = 8;
    Joined one;
    FakeFault held;
    held.call = "POST /containers/create";
    held.kind = FakeFault::Kind::Hold;
    held.times = tasks;
    one.docker.inject(held);
    for (int i = 1; i <= tasks; ++i) {
        one.master.launch("demo." + std::to_string(i), "demo:1");
    }
    one.run_until([&] { return one.docker.count("POST /containers/create") == tasks; });
    one.docker.stop_listening();
    one.docker.release_held();
    one.run_until([&] { return !one.master.host.docker_up; });
    one.docker.go_down();
    one.docker.come_up();
    const auto running = [&] {
        int count = 0;
        for (int i = 1; i <= tasks; ++i) {
            const auto name = "demo." + std::to_string(i);
            REQUIRE_FALSE(one.master.has(name, TaskState::Failed));
            count += one.master.has(name, TaskState::Running) ? 1 : 0;
        }
        return count;
    };
    one.run_until([&] { return running() == tasks; });
    CHECK(one.starts() == tasks);
    CHECK(one.docker.count("POST /containers/create") == tasks);
}

SCENARIO("a Docker that ends stops the tasks, whatever they make of it") {
    Joined one;
    one.launch_and_wait("demo.1");
    const int code = GENERATE(0, 7, 143);
    one.docker.stop_listening();
    one.docker.terminate(demo_container, code);
    THEN("it counts as down before it is gone, and what it stopped is told as its doing") {
        one.run_until([&] { return !one.master.host.docker_up; });
        one.docker.go_down();
        one.docker.come_up();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
        CHECK(one.master.last("demo.1")->reason == Reason::DockerDown);
        CHECK(one.master.last("demo.1")->exit_code == code);
        one.run_until([&] { return one.master.host.docker_up; });
    }
}

SCENARIO("a Docker that starts stops the tasks that a killed one has left") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.go_down();
    one.run_until([&] { return !one.master.host.docker_up; });
    const bool executor_restarts = GENERATE(false, true);
    if (executor_restarts) {
        one.stop(false);
        one.start();
    }
    one.docker.terminate(demo_container, 0); // its events are in the new one's ring
    one.docker.come_up();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->reason == Reason::DockerDown);
}

SCENARIO("a task that is stopped by hand has not been stopped by Docker") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.terminate(demo_container, 143);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->reason == Reason::CommandExited);
    CHECK(one.master.host.docker_up);
}

SCENARIO("an end before Docker has subscribed us to its events needs no list to be seen") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.stop(false);
    one.docker.hold_subscribers();
    const int before = one.master.inventories;
    one.start();
    one.run_until([&] { return one.master.inventories > before; });
    const int lists = one.docker.count("GET /containers/json");
    one.docker.exit(demo_container, 3);
    one.docker.release_subscribers();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->exit_code == 3);
    CHECK(one.docker.count("GET /containers/json") == lists);
}

SCENARIO("an update that is not acknowledged is sent again") {
    Joined one;
    one.master.acknowledges = false;
    one.launch_and_wait("demo.1");
    one.run_until([&] { return one.master.repeats > 0; });
    one.docker.exit(demo_container, 0);
    one.master.acknowledges = true;
    one.run_until([&] { return one.master.has("demo.1", TaskState::Finished); });
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running, TaskState::Finished});
}

SCENARIO("a master that is restarted gets a session and an inventory, and no container notices") {
    Joined one;
    one.launch_and_wait("demo.1");
    const int before = one.master.inventories;
    one.master.restart();
    one.run_until([&] { return one.master.inventories > before; });
    CHECK(one.master.hellos >= 2);
    REQUIRE(one.master.inventory.size() == 1);
    CHECK(one.master.inventory.front().state == TaskState::Running);
    CHECK(one.starts() == 1);
}

SCENARIO("a connection cut in the middle of a call neither loses nor doubles the container") {
    Joined one;

    struct Call {
        const char* begins;
        int skip;
    };

    const auto call = GENERATE(Call{"POST /containers/create", 0},
                               Call{"POST /containers/", 1}, // the start
                               Call{"GET /containers/", 0});
    const auto kind = GENERATE(FakeFault::Kind::DropAfter, FakeFault::Kind::DropBefore);
    FakeFault fault;
    fault.call = call.begins;
    fault.skip = call.skip;
    fault.kind = kind;
    one.docker.inject(fault);
    one.launch_and_wait("demo.1");
    CHECK(one.docker.containers().size() == 1);
    CHECK(one.starts() == 1);
}

SCENARIO("what the host's policy forbids is refused with its reason") {
    Joined one;
    one.master.edit = [](TaskLaunch&, TaskSpec& spec) {
        spec.volumes.push_back(VolumeMount{"/var/run/docker.sock", "/sock", false});
    };
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Error); });
    CHECK(one.master.last("demo.1")->reason == Reason::PolicyDenied);
    CHECK(one.docker.containers().empty());
}

SCENARIO("a container that cannot be started fails its task and is removed") {
    Joined one;
    one.docker.set_program([](const methos::test::FakeContainer&) {
        FakeProgram program;
        program.start_status = 500;
        program.start_error = "driver failed: Bind for 0.0.0.0:31001 failed: port is already "
                              "allocated";
        program.start_exit_code = 128;
        return program;
    });
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Failed});
    CHECK(one.master.last("demo.1")->reason == Reason::PortConflict);
    one.run_until([&] { return one.docker.containers().empty(); });
}

SCENARIO("a kill for a task that is not here is answered") {
    Joined one;
    one.master.kill("nobody.1", 0);
    one.run_until([&] { return one.master.has("nobody.1", TaskState::Dropped); });
}

SCENARIO("logs are read on demand, as far as credit goes") {
    Joined one;
    one.launch_and_wait("demo.1");
    const std::string line(1000, 'x');
    for (int i = 0; i < 20; ++i) {
        one.docker.write_log(demo_container, line + "\n");
    }
    one.run_until([&] { return one.master.has_stream(); });
    const auto credit = static_cast<std::uint32_t>(4 * (1000 + wire::log_line_overhead_bytes));
    one.master.open_logs(1, "demo.1", false, credit);
    one.run_until([&] { return one.master.log_text.size() >= 4 * 1001; });
    CHECK(one.master.log_text.size() == 4 * 1001);
    CHECK(one.master.stream_ends.empty());
    while (one.master.stream_ends.empty()) {
        const auto before = one.master.log_text.size();
        one.master.give_credit(1, credit);
        one.run_until(
            [&] { return one.master.log_text.size() > before || !one.master.stream_ends.empty(); });
    }
    CHECK(one.master.log_text.size() == 20 * 1001);
    CHECK(one.master.stream_ends == std::vector<std::string>{""});

    one.master.open_logs(2, "nobody.1", false, 4000);
    one.run_until([&] { return one.master.stream_ends.size() == 2; });
    CHECK(one.master.stream_ends.back() == "not_found");
}

SCENARIO("a followed log that the Engine has lost sight of goes on where it stalled") {
    ClusterOfOne one;
    one.options.log_stall_limit = std::chrono::milliseconds(20);
    one.start();
    one.run_until([&] { return one.master.host.docker_up; });
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.docker.write_log(demo_container, "one\n");
    one.docker.write_log(demo_container, "two\n");
    one.run_until([&] { return one.master.has_stream(); });
    one.master.open_logs(1, "demo.1", true, 4000);
    one.run_until([&] { return one.master.log_text == "one\ntwo\n"; });
    one.docker.stall_logs();
    one.docker.write_log(demo_container, "three\n");
    one.run_until([&] { return one.master.log_text.size() > 8; });
    CHECK(one.master.log_text == "one\ntwo\nthree\n");
    one.docker.write_log(demo_container, "four\n");
    one.run_until([&] { return one.master.log_text == "one\ntwo\nthree\nfour\n"; });
    one.docker.exit(demo_container, 0);
    one.run_until([&] { return !one.master.stream_ends.empty(); });
    CHECK(one.master.stream_ends == std::vector<std::string>{""});
}

SCENARIO("logs of before an executor's restart are there after it") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.write_log(demo_container, "before\n");
    one.stop(false);
    one.docker.write_log(demo_container, "meanwhile\n");
    const int inventories = one.master.inventories;
    one.start();
    one.run_until([&] { return one.master.inventories > inventories && one.master.has_stream(); });
    one.master.open_logs(1, "demo.1", false, 4000);
    one.run_until([&] { return !one.master.stream_ends.empty(); });
    CHECK(one.master.log_text == "before\nmeanwhile\n");
}

SCENARIO("a removal that somebody else has begun is waited for") {
    Joined one;
    one.launch_and_wait("demo.1");
    FakeFault fault;
    fault.call = "DELETE /containers/";
    fault.status = 409;
    fault.body = R"({"message":"removal of container c1 is already in progress"})";
    fault.times = 2;
    one.docker.inject(fault);
    one.master.kill("demo.1", 1000);
    one.run_until([&] { return one.docker.containers().empty(); });
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running, TaskState::Killed});
    CHECK(one.docker.count("DELETE /containers/") == 3);
}

SCENARIO("a stream connection that is refused introduces itself again") {
    ClusterOfOne one;
    one.master.stream_refusals = 1;
    one.start();
    one.run_until([&] { return one.master.host.docker_up; });
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.docker.write_log(demo_container, "hello\n");
    one.run_until([&] { return one.master.has_stream(); });
    one.master.open_logs(1, "demo.1", false, 4000);
    one.run_until([&] { return one.master.log_text == "hello\n"; });
}

} // namespace methos::executor::test
