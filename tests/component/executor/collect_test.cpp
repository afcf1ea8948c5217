// A whole executor that clears images away: those it has pulled and nobody uses, also after it was
// started again, and no others.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>

namespace methos::executor::test {

using namespace std::chrono_literals;
using methos::test::FakeContainer;
using methos::test::FakePull;

namespace {

struct Collecting : ClusterOfOne {
    Collecting() {
        options.images.delay = 1ms;
        senses.look_interval = 5ms;
        senses.collect_interval = 5ms;
        docker.add_remote("other:1");
    }

    void join() {
        start();
        const auto before = master.inventories;
        run_until([this, before] { return master.inventories > before; });
    }

    void run_and_end(const std::string& task, const std::string& image) {
        master.launch(task, image);
        run_until([&] { return master.has(task, TaskState::Running); });
        master.kill(task, 0);
        run_until([&] { return master.has(task, TaskState::Killed); });
        run_until([this] { return docker.containers().empty(); });
    }

    /// So many more rounds have looked at what containers there are.
    void rounds(int more) {
        const auto wanted = docker.count("GET /containers/json?all=1") + more;
        run_until([&] { return docker.count("GET /containers/json?all=1") >= wanted; });
    }

    int deletions() { return docker.count("DELETE /images/"); }
};

} // namespace

SCENARIO("an image that was pulled and that nobody uses any more is removed") {
    Collecting one;
    one.join();
    one.run_and_end("demo.1", "other:1");
    one.run_and_end("demo.2", "demo:1"); // was here before
    one.run_until([&] { return !one.docker.has_image("other:1"); });
    CHECK(one.docker.has_image("demo:1"));
    AND_WHEN("it is wanted again, it is pulled again") {
        one.master.launch("demo.3", "other:1");
        one.run_until([&] { return one.master.has("demo.3", TaskState::Running); });
    }
}

SCENARIO("an image stays as long as a container has it, whoever's that is") {
    Collecting one;
    one.join();
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    const auto before =
        one.deletions(); // with so short a delay it may go before its container is made
    one.rounds(3);
    CHECK(one.docker.has_image("other:1"));
    FakeContainer neighbour;
    neighbour.name = "somebodys";
    neighbour.image = "other:1";
    neighbour.image_id = one.docker.containers().front()->image_id;
    one.docker.add_container(neighbour);
    one.master.kill("demo.1", 0);
    one.run_until([&] { return one.docker.containers().size() == 1; });
    one.rounds(3);
    CHECK(one.docker.has_image("other:1"));
    CHECK(one.deletions() == before);
    one.docker.remove("somebodys");
    one.run_until([&] { return !one.docker.has_image("other:1"); });
}

SCENARIO("an executor that was started again still knows which images are its own") {
    Collecting one;
    one.options.images.delay = std::chrono::hours(1);
    one.join();
    one.run_and_end("demo.1", "other:1");
    one.stop();
    one.options.images.delay = 1ms;
    WHEN("it has its data directory") {
        one.join();
        one.run_until([&] { return !one.docker.has_image("other:1"); });
        CHECK(one.docker.has_image("demo:1"));
    }
    WHEN("it has lost what it knew, all images stay") {
        std::filesystem::remove(one.options.data_dir + "/images.json");
        one.join();
        one.run_and_end("demo.2", "demo:1");
        CHECK(one.docker.has_image("other:1"));
        CHECK(one.deletions() == 0);
    }
}

SCENARIO("an image that somebody else has too stays") {
    Collecting one;
    one.docker.add_remote("ours:1");
    one.join();
    WHEN("it got another name") {
        one.master.launch("demo.1", "other:1");
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        methos::test::FakeImage same;
        same.id = one.docker.containers().front()->image_id;
        one.docker.add_image("mine:1", same);
    }
    WHEN("it was there before it was pulled") {
        FakePull pull;
        pull.image.id = one.docker.add_image("somebodys:1").id;
        one.docker.add_remote("other:1", pull);
        one.master.launch("demo.1", "other:1");
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        CHECK(one.docker.count("POST /images/create") == 1);
    }
    one.master.kill("demo.1", 0);
    one.run_until([&] { return one.docker.containers().empty(); });
    one.run_and_end("demo.2", "ours:1"); // used later, so it goes later
    one.run_until([&] { return !one.docker.has_image("ours:1"); });
    CHECK(one.docker.has_image("other:1"));
    CHECK(one.docker.count("DELETE /images/mine") == 0);
    CHECK(one.docker.count("DELETE /images/somebodys") == 0);
}

SCENARIO("an image of a digest that came through the proxy goes with all its names") {
    Collecting one;
    one.options.registry_proxy = HostPort{"127.0.0.1", 5000};
    const auto digest = "sha256:" + std::string(64, 'a');
    const auto through = "127.0.0.1:5000/docker.io/library/other@" + digest;
    one.docker.add_remote(through);
    one.join();
    one.run_and_end("demo.1", "other@" + digest);
    one.run_until([&] { return !one.docker.has_image(through); });
    CHECK_FALSE(one.docker.has_image("methos.local/docker.io/library/other:sha256-" +
                                     std::string(32, 'a')));
}

SCENARIO("a disk that is filling up costs no image that was used a moment ago") {
    constexpr std::int64_t gib = 1LL << 30;
    std::int64_t free_bytes = 50 * gib;
    Collecting one;
    one.options.images.delay = std::chrono::hours(24 * 7);
    one.options.disk_watermark = DiskWatermark{DiskWatermark::Kind::Bytes, gib};
    one.senses.measure_disk = [&free_bytes](const std::string& /*where*/) {
        return DiskSpace{100 * gib, free_bytes, 0, 0};
    };
    one.join();
    one.run_and_end("demo.1", "other:1");
    one.rounds(2);
    CHECK(one.docker.has_image("other:1"));
    free_bytes = gib + gib / 2;
    one.rounds(2);
    CHECK(one.docker.has_image("other:1"));
    CHECK(one.master.host.trouble.empty());
}

} // namespace methos::executor::test
