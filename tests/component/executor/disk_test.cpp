// A whole executor on a disk that fills up: the master is told, launches that are on their way are
// refused as nobody's fault, and what runs goes on.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor::test {

using namespace std::chrono_literals;
using methos::test::FakeFault;

namespace {

constexpr std::int64_t gib = 1LL << 30;

struct OnADisk : ClusterOfOne {
    OnADisk() {
        options.disk_watermark = DiskWatermark{DiskWatermark::Kind::Bytes, gib};
        senses.measure_disk = [this](const std::string& where) {
            measured = where;
            return DiskSpace{100 * gib, free_bytes, 0, 0};
        };
        senses.look_interval = 5ms;
    }

    OnADisk(const OnADisk&) = delete;
    OnADisk& operator=(const OnADisk&) = delete;

    ~OnADisk() {
        if (executor) {
            stop(false); // it looks at what is below
        }
    }

    void join() {
        start();
        run_until([this] { return master.inventories > 0; });
    }

    std::int64_t free_bytes = 50 * gib;
    std::string measured;
};

} // namespace

SCENARIO("a disk that fills up keeps new tasks away, and ends none") {
    OnADisk one;
    one.join();
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    CHECK(one.master.host.trouble.empty());
    one.free_bytes = gib / 2;
    one.run_until([&] { return !one.master.host.trouble.empty(); });
    CHECK(one.master.host.trouble.find(one.measured) != std::string::npos);
    CHECK(one.master.host.docker_up);

    one.master.launch("demo.2", "demo:1");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Dropped); });
    CHECK(one.master.last("demo.2")->reason == Reason::LaunchFailed);
    CHECK(one.master.last("demo.2")->message.find(one.master.host.trouble) != std::string::npos);
    CHECK(one.docker.containers().size() == 1);
    CHECK(one.master.states("demo.1").back() == TaskState::Running);

    AND_WHEN("a task that runs is launched again, it is only reported") {
        const auto before = one.master.statuses.size();
        one.master.launch("demo.1", "demo:1");
        one.run_until([&] { return one.master.statuses.size() > before; });
        CHECK(one.master.last("demo.1")->state == TaskState::Running);
    }
    AND_WHEN("there is room again") {
        one.free_bytes = 50 * gib;
        one.run_until([&] { return one.master.host.trouble.empty(); });
        one.master.launch("demo.3", "demo:1");
        one.run_until([&] { return one.master.has("demo.3", TaskState::Running); });
    }
}

SCENARIO("a host with a full disk joins with its trouble") {
    OnADisk one;
    one.free_bytes = 0;
    one.master.welcomes = false;
    one.start();
    one.run_until([&] { return one.master.hellos > 0; });
    CHECK_FALSE(one.master.host.trouble.empty());
}

SCENARIO("a full disk is told before the failure that it caused") {
    OnADisk one;
    one.senses.look_interval = std::chrono::hours(1);
    one.join();
    one.free_bytes = 0;
    FakeFault full;
    full.call = "POST /containers/create";
    full.body = R"({"message":"mkdir /var/lib/docker/overlay2/x: no space left on device"})";
    one.docker.inject(full);
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK_FALSE(one.master.host.trouble.empty());
}

} // namespace methos::executor::test
