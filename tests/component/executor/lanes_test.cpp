// Calls that hang in Docker hold up nobody else's: only so many starts and creates are on their way
// at once, and kills, removals and looks do not wait for them. A whole executor against a fake
// Docker that does not answer some calls until it is told to.
#include "executor/session/host_resources.hpp"
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor::test {

namespace {

using methos::test::FakeFault;

constexpr int tasks = 24;

std::string name_of(int task) {
    return "crowd." + std::to_string(task);
}

/// One task runs; then all calls that begin like that hang.
struct Crowd : Joined {
    Crowd() { launch_and_wait("demo.1"); }

    void hang(const std::string& ends) {
        FakeFault fault;
        fault.call = "POST /containers/";
        fault.ends = ends;
        fault.kind = FakeFault::Kind::Hold;
        fault.times = -1;
        docker.inject(fault);
    }

    void launch_all() {
        for (int i = 1; i <= tasks; ++i) {
            master.launch(name_of(i), "demo:1");
        }
    }

    [[nodiscard]] int running() const {
        int count = 0;
        for (int i = 1; i <= tasks; ++i) {
            count += master.has(name_of(i), TaskState::Running) ? 1 : 0;
        }
        return count;
    }

    /// The first task is killed and removed, while others hang.
    void first_task_can_be_ended() {
        master.kill("demo.1", 1000);
        run_until([this] { return docker.find(container_name_of(TaskName("demo.1"))) == nullptr; });
        CHECK(master.has("demo.1", TaskState::Killed));
    }

    void all_run_in_the_end() {
        docker.forget_faults();
        run_until([this] {
            docker.release_held();
            return running() == tasks;
        });
        for (const auto* container : docker.containers()) {
            CHECK(container->starts == 1);
        }
        CHECK(docker.containers().size() == tasks);
    }
};

} // namespace

SCENARIO("starts that hang are no more than twice the CPUs, and hold up nothing else") {
    Crowd one;
    const auto cpus = detect_host_resources("").scalars.milli_cpus / 1000;
    const auto starts_max = static_cast<std::size_t>(cpus) * 2;
    REQUIRE(starts_max < tasks);
    one.hang("/start");
    one.launch_all();
    one.run_until([&] { return one.docker.count("POST /containers/create") == tasks + 1; });
    one.run_until([&] { return one.docker.held() == starts_max; });
    one.first_task_can_be_ended();
    CHECK(one.docker.held() == starts_max);

    one.all_run_in_the_end();
}

SCENARIO("creates that hang hold up no kill and no removal") {
    constexpr std::size_t creates_max = 8;
    Crowd one;
    one.hang("/create");
    one.launch_all();
    one.run_until([&] { return one.docker.held() == creates_max; });
    one.first_task_can_be_ended();
    CHECK(one.docker.held() == creates_max);
    one.all_run_in_the_end();
}

} // namespace methos::executor::test
