// A task's life through a Docker whose answers are cut anywhere, whose refusals are no text, and
// that is replaced by another version under running tasks: one start, one end, nothing left. A
// whole executor against a fake Docker; the client alone is in tests/component/docker.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <random>

namespace methos::executor::test {

namespace {

using methos::test::FakeFault;
using namespace std::chrono_literals;

struct Place {
    const char* call;
    const char* ends;
};

/// Each call of a task's life from its launch to its removal.
constexpr Place places[] = {{"GET /images/", ""},
                            {"POST /images/create", ""},
                            {"POST /containers/", "/create"},
                            {"POST /containers/", "/start"},
                            {"GET /containers/", ""},
                            {"POST /containers/", "/stop"},
                            {"DELETE /containers/", ""}};

} // namespace

SCENARIO("a task whose calls lose their answers anywhere starts once and ends once") {
    constexpr std::size_t bytes_max = 250; // some answers are shorter
    constexpr int rounds = 4;
    constexpr unsigned seed = 1;
    std::mt19937 random(seed);
    Joined one;
    int task = 0;
    for (const auto& place : places) {
        for (int round = 0; round < rounds; ++round) {
            const auto name = "demo." + std::to_string(++task);
            const auto image = "image" + std::to_string(task) + ":1";
            one.docker.add_remote(image);
            FakeFault fault;
            fault.call = place.call;
            fault.ends = place.ends;
            fault.kind = FakeFault::Kind::CutAnswer;
            fault.bytes = random() % bytes_max;
            one.docker.inject(fault);
            INFO("seed " << seed << ", " << place.call << place.ends << " cut after "
                         << fault.bytes);
            one.master.launch(name, image);
            one.run_until([&] { return one.master.has(name, TaskState::Running); });
            CHECK(one.starts() == 1);
            one.master.kill(name, 1000);
            one.run_until([&] { return one.docker.containers().empty(); });
            CHECK(one.master.states(name) == std::vector{TaskState::Running, TaskState::Killed});
            one.docker.forget_faults();
        }
    }
    CHECK(one.docker.cuts() > task / 2);
}

SCENARIO("a Docker that comes back and loses its first answers anywhere is asked again") {
    constexpr int rounds = 4;
    std::mt19937 random(7);
    Joined one;
    one.launch_and_wait("demo.1");
    for (const auto* call : {"GET /version", "GET /info", "GET /events", "GET /containers/json"}) {
        for (int round = 0; round < rounds; ++round) {
            FakeFault fault;
            fault.call = call;
            fault.kind = FakeFault::Kind::CutAnswer;
            fault.bytes = random() % 200;
            INFO(call << " cut after " << fault.bytes);
            one.docker.go_down();
            one.run_until([&] { return !one.master.host.docker_up; });
            one.docker.inject(fault);
            one.docker.come_up();
            one.run_until([&] { return one.master.host.docker_up; });
            one.docker.forget_faults();
        }
    }
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});
    CHECK(one.starts() == 1);
}

SCENARIO("a Docker is replaced by another version under a task that runs") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.go_down();
    one.run_until([&] { return !one.master.host.docker_up; });

    WHEN("it is one that is too old") {
        one.docker.set_api("1.40", "1.12", "19.03.15");
        const int before = one.docker.count("GET /version");
        one.docker.come_up();
        one.run_until([&] { return one.docker.count("GET /version") > before + 2; });
        CHECK_FALSE(one.master.host.docker_up);
        one.docker.set_api("1.41", "1.12", "20.10.24");
        one.run_until([&] { return one.master.host.docker_up; });
        CHECK(one.master.host.docker_api == "1.41");
    }
    WHEN("it is one that no longer speaks the version of before") {
        one.docker.set_api("1.52", "1.44", "29.0.0");
        one.docker.come_up();
        one.run_until([&] { return one.master.host.docker_up; });
        CHECK(one.master.host.docker_api == "1.52");
        CHECK(one.master.host.docker_version == "29.0.0");
    }
    WHEN("it is newer than this executor") {
        one.docker.set_api("1.60", "1.44", "33.0.0");
        one.docker.come_up();
        one.run_until([&] { return one.master.host.docker_up; });
        CHECK(one.master.host.docker_api == "1.52");
    }
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});
    one.launch_and_wait("demo.2");
    one.docker.exit(container_name_of(TaskName("demo.1")), 0);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Finished); });
    CHECK(one.docker.count("POST /containers/create") == 2);
}

SCENARIO("a refusal that is no text reaches the master all the same") {
    Joined one;
    FakeFault fault;
    fault.call = "POST /containers/create";
    fault.status = 400;
    fault.body = GENERATE("caf\xe9 \xff\xfe is no UTF-8",
                          "<html><body>502 Bad Gateway</body></html>",
                          R"({"message":"a \u0000 within"})",
                          R"({"message":["no","text"]})",
                          "");
    one.docker.inject(fault);
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK_FALSE(one.master.last("demo.1")->message.empty());
    one.launch_and_wait("demo.2"); // the session goes on
    CHECK(one.master.hellos == 1);
}

} // namespace methos::executor::test
