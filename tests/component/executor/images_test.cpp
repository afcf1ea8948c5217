// How a whole executor gets its images: one pull for all who wait, by tag and by digest, forced,
// refused and given up.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor::test {

using methos::test::FakePull;

SCENARIO("an image that is not here is pulled once for all who wait") {
    Joined one;
    one.docker.add_remote("docker.io/library/other:1");
    one.docker.add_remote("other:1");
    one.master.launch("demo.1", "other:1");
    one.master.launch("demo.2", "other:1");
    one.run_until([&] {
        return one.master.has("demo.1", TaskState::Running) &&
               one.master.has("demo.2", TaskState::Running);
    });
    CHECK(one.docker.count("POST /images/create") == 1);
}

SCENARIO("how far an image is reaches all who wait for it, also who comes late") {
    Joined one;
    FakePull held;
    held.hold = true; // after half of the first layer
    held.layers = {4'000'000, 2'000'000};
    one.docker.add_remote("other:1", held);
    const auto is_half_there = [&one](const char* name) {
        const auto* told = one.master.last(name);
        return told != nullptr && told->image && told->image->bytes_done == 2'000'000;
    };
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return is_half_there("demo.1"); });
    one.master.launch("demo.2", "other:1");
    one.run_until([&] { return is_half_there("demo.2"); });
    const auto told = *one.master.last("demo.2");
    CHECK(told.state == TaskState::Staging);
    CHECK(told.message == "pulling other:1: 2.0/4.0 MB, 0/1 layers");
    CHECK(told.image->bytes_total == 4'000'000);
    CHECK(told.image->percent == 50);
    CHECK(told.image->layers_total == 1);
    one.docker.release_pulls();
    one.run_until([&] {
        return one.master.has("demo.1", TaskState::Running) &&
               one.master.has("demo.2", TaskState::Running);
    });
    CHECK_FALSE(one.master.last("demo.1")->image);
    CHECK(one.docker.count("POST /images/create") == 1);
}

SCENARIO("an image of a digest that came through the proxy is found again without it") {
    ClusterOfOne one;
    one.options.registry_proxy = HostPort{"127.0.0.1", 5000};
    one.start();
    one.run_until([&] { return one.master.inventories == 1; });
    const auto digest = "sha256:" + std::string(64, 'a');
    one.docker.add_remote("127.0.0.1:5000/docker.io/library/other@" + digest);
    one.master.launch("demo.1", "other@" + digest);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.master.launch("demo.2", "other@" + digest);
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    CHECK(one.docker.count("POST /images/create") == 1);
}

SCENARIO("an image of a digest that is here is not asked for again, forced or not") {
    Joined one;
    const auto digest = "sha256:" + std::string(64, 'a');
    one.docker.add_remote("other@" + digest);
    one.master.launch("demo.1", "other@" + digest);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.master.edit = [](TaskLaunch&, TaskSpec& spec) { spec.force_pull = true; };
    one.master.launch("demo.2", "other@" + digest);
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    CHECK(one.docker.count("POST /images/create") == 1);
}

SCENARIO("a pull that is denied is not asked for again") {
    Joined one;
    FakePull denied;
    denied.status = 404;
    denied.message = "pull access denied for secret, repository does not exist or may require "
                     "'docker login': denied: requested access to the resource is denied";
    one.docker.add_remote("secret:1", denied);
    one.master.launch("demo.1", "secret:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.docker.count("POST /images/create") == 1);
    CHECK(one.master.last("demo.1")->message.find("denied") != std::string::npos);
}

SCENARIO("a pull that has filled the disk is not begun again") {
    Joined one;
    FakePull large;
    large.stream_error = "failed to register layer: write /usr/bin/x: no space left on device";
    one.docker.add_remote("large:1", large);
    one.master.launch("demo.1", "large:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.docker.count("POST /images/create") == 1);
    CHECK(one.master.last("demo.1")->message.find("no space left") != std::string::npos);
}

SCENARIO("a forced and a plain pull of one image wait for each other") {
    Joined one;
    FakePull held;
    held.hold = true;
    one.docker.add_remote("other:1", held);
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.docker.pulls_held() == 1; });
    one.master.edit = [](TaskLaunch&, TaskSpec& spec) { spec.force_pull = true; };
    one.master.launch("demo.2", "other:1");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Staging); });
    CHECK(one.docker.count("POST /images/create") == 1);
    one.docker.add_remote("other:1");
    one.docker.release_pulls();
    one.run_until([&] {
        return one.master.has("demo.1", TaskState::Running) &&
               one.master.has("demo.2", TaskState::Running);
    });
    CHECK(one.docker.count("POST /images/create") == 2);
}

SCENARIO("what the proxy cannot serve comes from the upstream, if that is allowed") {
    struct Row {
        int status;
        const char* message;
        bool is_allowed;
        bool falls_back;
    };

    const auto row = GENERATE(values<Row>({
        {500,
         "Get \"http://127.0.0.1:5000/v2/\": dial tcp: connect: connection refused",
         true,
         true},
        {500, "received unexpected HTTP status: 503 Service Unavailable", true, true},
        {500, "Get \"http://127.0.0.1:5000/v2/\": net/http: request canceled", true, true},
        {403, "denied: this upstream is not allowed", true, true},
        {403, "denied: this upstream is not allowed", false, false},
        {404, "manifest for other:1 not found: manifest unknown", true, false},
    }));
    INFO(row.status << " " << row.message);
    ClusterOfOne one;
    one.options.registry_proxy = HostPort{"127.0.0.1", 5000};
    one.options.pull_fallback = row.is_allowed;
    one.start();
    one.run_until([&] { return one.master.inventories == 1; });
    FakePull refused;
    refused.status = row.status;
    refused.message = row.message;
    one.docker.add_remote("127.0.0.1:5000/docker.io/library/other:1", refused);
    one.docker.add_remote("other:1");
    one.master.launch("demo.1", "other:1");
    const auto end = row.falls_back ? TaskState::Running : TaskState::Failed;
    one.run_until([&] { return one.master.has("demo.1", end); });
    CHECK(one.docker.pulls_started("other:1") == (row.falls_back ? 1 : 0));
}

SCENARIO("an image that only the proxy has is asked of nobody else") {
    ClusterOfOne one;
    one.options.registry_proxy = HostPort{"127.0.0.1", 5000};
    one.start();
    one.run_until([&] { return one.master.inventories == 1; });
    FakePull denied;
    denied.status = 403;
    denied.message = "denied: no such repository";
    one.docker.add_remote("127.0.0.1:5000/registry.internal/other:1", denied);
    one.master.launch("demo.1", "registry.internal/other:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.docker.count("POST /images/create") == 1);
}

SCENARIO("an image that nobody has fails the task for good") {
    Joined one;
    one.master.launch("demo.1", "nowhere:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->reason == Reason::ImageNotFound);
    CHECK(one.docker.containers().empty());
}

SCENARIO("a pull that goes on for too long is given up") {
    ClusterOfOne one;
    one.options.pull_limit = std::chrono::milliseconds(50);
    one.start();
    one.run_until([&] { return one.master.inventories == 1; });
    FakePull pull;
    pull.hold = true;
    one.docker.add_remote("other:1", pull);
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.master.last("demo.1")->reason == Reason::ImagePullFailed);
    CHECK(one.master.last("demo.1")->message.find("not here after 50ms") != std::string::npos);
    CHECK(one.docker.count("POST /images/create") == 1);
    one.run_until([&] { return one.docker.pulls_active() == 0; });
}

SCENARIO("a kill while the image is pulled gives up the pull") {
    Joined one;
    FakePull pull;
    pull.hold = true;
    one.docker.add_remote("other:1", pull);
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.docker.pulls_active() == 1; });
    one.master.kill("demo.1", 0);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    one.run_until([&] { return one.docker.pulls_active() == 0; });
    CHECK(one.docker.containers().empty());
}

namespace {

/// Joined, with its stream connection, and an image that a registry has.
struct Prefetching : Joined {
    Prefetching() {
        run_until([this] { return master.has_stream(); });
        docker.add_remote("other:1");
    }

    void hold_pull() {
        FakePull held;
        held.hold = true;
        docker.add_remote("other:1", held);
    }

    int pulls() { return docker.count("POST /images/create"); }
};

} // namespace

SCENARIO("an image is fetched ahead of the task that needs it") {
    Prefetching one;
    one.hold_pull();
    CHECK(one.master.stream_features == std::vector<std::string>{"pull_image"});
    one.master.pull_image(1, "other:1");
    one.run_until([&] {
        const auto& told = one.master.pull_reports;
        return !told.empty() && told.back().progress().bytes_done() == 500;
    });
    CHECK(one.master.pull_reports.back().progress().percent() == 50);
    CHECK(one.master.pull_reports.back().image_id().empty());
    one.docker.release_pulls();
    one.run_until([&] { return !one.master.stream_ends.empty(); });
    CHECK(one.master.stream_ends.back().empty());
    CHECK(one.master.pull_reports.back().image_id().rfind("sha256:", 0) == 0);

    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    CHECK(one.pulls() == 1);
}

SCENARIO("an image that is there already is asked for only when that is forced") {
    Prefetching one;
    one.docker.add_image("other:1");
    one.master.pull_image(1, "other:1");
    one.run_until([&] { return one.master.stream_ends.size() == 1; });
    CHECK(one.pulls() == 0);
    one.master.pull_image(2, "other:1", true);
    one.run_until([&] { return one.master.stream_ends.size() == 2; });
    CHECK(one.pulls() == 1);
    CHECK(one.master.stream_ends == std::vector<std::string>(2));
}

SCENARIO("an image that cannot be fetched ahead says why") {
    Prefetching one;
    one.master.pull_image(1, "nowhere:1");
    one.run_until([&] { return one.master.stream_ends.size() == 1; });
    one.master.pull_image(2, "UPPER:1");
    one.run_until([&] { return one.master.stream_ends.size() == 2; });
    CHECK(one.master.stream_ends == std::vector<std::string>{"not_found", "invalid_input"});
}

SCENARIO("when the operator hangs up a pull ends, unless a task waits for it") {
    Prefetching one;
    one.hold_pull();
    one.master.pull_image(1, "other:1");
    one.run_until([&] { return one.docker.pulls_active() == 1; });
    GIVEN("nobody else") {
        one.master.end_stream(1);
        one.run_until([&] { return one.docker.pulls_active() == 0; });
        CHECK_FALSE(one.docker.has_image("other:1"));
    }
    GIVEN("a task") {
        one.master.launch("demo.1", "other:1");
        one.run_until([&] { return one.master.last("demo.1") != nullptr; });
        one.master.end_stream(1);
        one.run_until([&] { return !one.master.stream_ends.empty(); });
        CHECK(one.docker.pulls_active() == 1);
        one.docker.release_pulls();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        CHECK(one.pulls() == 1);
    }
    GIVEN("a master that has forgotten everything") {
        one.master.restart();
        one.run_until([&] { return one.docker.pulls_active() == 0; });
    }
}

} // namespace methos::executor::test
