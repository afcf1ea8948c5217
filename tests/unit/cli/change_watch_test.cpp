// How a waiting command judges a change, look by look: when it is done, stuck, failing, and what it
// shows meanwhile.
#include "cli/commands/change_watch.hpp"
#include "cli/commands/ls.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using namespace methos::cli;
using namespace std::chrono_literals;

namespace {

InstanceView instance(const std::string& state, const std::string& message = "") {
    InstanceView task;
    task.id = "demo." + state;
    task.state = state;
    task.message = message;
    return task;
}

/// An app with instances in these states.
AppView app_with(std::int64_t wanted, const std::vector<InstanceView>& tasks) {
    AppView app;
    app.id = "/demo";
    app.instances = wanted;
    app.tasks = tasks;
    for (const auto& task : tasks) {
        app.running += task.state == "TASK_RUNNING" ? 1 : 0;
    }
    return app;
}

WhyView why_of(const std::string& reason, std::int64_t count, const std::string& text) {
    WhyView why;
    WaitingView group;
    group.count = count;
    group.text = text;
    if (!reason.empty()) {
        group.reasons.push_back({reason, 1});
    }
    why.waiting.push_back(group);
    return why;
}

/// Looks at an app, with time under the test's control.
struct Watcher {
    explicit Watcher(Goal goal = Goal::Running) : watch(goal, 10s) {}

    ChangeStatus look(std::optional<AppView> app, std::optional<WhyView> why = std::nullopt) {
        Observation seen;
        seen.app = std::move(app);
        seen.why = std::move(why);
        seen.at = now;
        return watch.step(seen);
    }

    ChangeWatch watch;
    MonoTime now;
};

const auto running = instance("TASK_RUNNING");

} // namespace

TEST_CASE("the progress line tells how much of an image is there", "[cli]") {
    Watcher watcher;
    auto pulling = instance("TASK_STAGING", "pulling nginx:1.25: 12.3/45.6 MB, 2/5 layers");
    pulling.image_percent = 26;
    const auto status = watcher.look(app_with(1, {pulling}));
    CHECK(status.line == "0 of 1 running, 1 pulling (26 %, 12.3/45.6 MB, 2/5 layers)");
}

TEST_CASE("the progress line counts what instances do", "[cli]") {
    Watcher watcher;
    const auto status = watcher.look(
        app_with(4,
                 {running,
                  instance("TASK_STAGING", "pulling nginx:1.25: 12.3/45.6 MB, 2/5 layers"),
                  instance("TASK_STARTING"),
                  instance("TASK_FAILED")}),
        why_of("Cpus", 1, "1 instance cannot be placed: 1 host has too little CPU free"));
    CHECK(status.verdict == Verdict::Pending);
    CHECK(status.line == "1 of 4 running, 1 pulling (12.3/45.6 MB, 2/5 layers), 1 starting, "
                         "1 waiting (1 host has too little CPU free)");
}

TEST_CASE("a change is done when every wanted instance runs the newest definition", "[cli]") {
    Watcher watcher;
    CHECK(watcher.look(app_with(2, {running, running})).verdict == Verdict::Done);
    CHECK(watcher.look(app_with(0, {})).verdict == Verdict::Done);
    CHECK(watcher.look(app_with(2, {running, running, instance("TASK_UNREACHABLE")})).verdict ==
          Verdict::Done);
    CHECK(watcher.look(app_with(1, {running, running})).verdict == Verdict::Pending);
    CHECK(watcher.look(app_with(1, {running, instance("TASK_KILLING")})).verdict ==
          Verdict::Pending);
    auto deploying = app_with(1, {running});
    deploying.has_deployment = true;
    CHECK(watcher.look(deploying).verdict == Verdict::Pending);
    auto outdated = app_with(1, {running});
    outdated.tasks.front().version = "2026-01-01T00:00:00.000Z";
    outdated.config_version = "2026-01-01T00:00:01.000Z";
    const auto status = watcher.look(outdated);
    CHECK(status.verdict == Verdict::Pending);
    CHECK(status.line == "1 of 1 running, 1 to be replaced");
    outdated.config_version = "2026-01-01T00:00:00.000Z";
    CHECK(watcher.look(outdated).verdict == Verdict::Done);
}

TEST_CASE("a master that lists counts only is understood", "[cli]") {
    Watcher watcher;
    auto app = app_with(2, {});
    app.running = 1;
    app.staged = 1;
    CHECK(watcher.look(app).line == "1 of 2 running, 1 staging");
    app.running = 2;
    app.staged = 0;
    CHECK(watcher.look(app).verdict == Verdict::Done);
}

TEST_CASE("what no host can take is believed after nothing moved for ten seconds", "[cli]") {
    Watcher watcher;
    const auto app = app_with(2, {running});
    const auto why = why_of("Mem", 1, "1 instance cannot be placed: 1 host has too little memory");
    CHECK(watcher.look(app, why).verdict == Verdict::Pending);
    watcher.now += 9s;
    CHECK(watcher.look(app, why).verdict == Verdict::Pending);
    SECTION("nothing moved") {
        watcher.now += 1s;
        const auto status = watcher.look(app, why);
        CHECK(status.verdict == Verdict::NotPlaced);
        CHECK(status.reason == "1 host has too little memory");
    }
    SECTION("another reason starts the time anew") {
        watcher.now += 1s;
        CHECK(watcher.look(app, why_of("Cpus", 1, "x")).verdict == Verdict::Pending);
        watcher.now += 9s;
        CHECK(watcher.look(app, why).verdict == Verdict::Pending);
    }
    SECTION("an instance on its way starts the time anew") {
        watcher.now += 1s;
        CHECK(watcher.look(app_with(2, {running, instance("TASK_STAGING")}), why).verdict ==
              Verdict::Pending);
        CHECK(watcher.look(app, why).verdict == Verdict::Pending);
    }
}

TEST_CASE("what will be tried again, or placed at once, is not stuck", "[cli]") {
    const std::string reason = GENERATE("Backoff", "MassLossHold", "Staging", "");
    Watcher watcher;
    const auto why = why_of(reason, 1, "1 instance will be tried again in 5s");
    const auto app = app_with(1, {});
    CHECK(watcher.look(app, why).verdict == Verdict::Pending);
    watcher.now += 60s;
    const auto status = watcher.look(app, why);
    CHECK(status.verdict == Verdict::Pending);
    if (reason == "Backoff") {
        CHECK(status.line == "0 of 1 running, 1 delayed (will be tried again in 5s)");
    }
}

TEST_CASE("instance after instance that fails ends the wait, one that came up does not", "[cli]") {
    Watcher watcher;
    auto app = app_with(1, {});
    app.last_failure = FailureView{"old", "node1", "TASK_FAILED", "from before", ""};
    REQUIRE(watcher.look(app).line == "0 of 1 running, 1 waiting");
    for (int i = 1; i < ChangeWatch::failures_max; ++i) {
        app.last_failure = FailureView{std::to_string(i), "node1", "TASK_FAILED", "exit 1", ""};
        const auto status = watcher.look(app);
        CHECK(status.verdict == Verdict::Pending);
        CHECK(status.line == "0 of 1 running, 1 waiting; last failure: exit 1");
        CHECK(watcher.look(app).verdict == Verdict::Pending);
    }
    SECTION("the last straw") {
        app.last_failure->task_id = "last";
        const auto status = watcher.look(app);
        CHECK(status.verdict == Verdict::Failing);
        CHECK(status.reason.find("exit 1") != std::string::npos);
    }
    SECTION("progress") {
        auto better = app_with(2, {running});
        better.last_failure = app.last_failure;
        CHECK(watcher.look(better).verdict == Verdict::Pending);
        app.last_failure->task_id = "last";
        CHECK(watcher.look(app).verdict == Verdict::Pending);
    }
}

TEST_CASE("a removal is done when neither app nor instances are left", "[cli]") {
    Watcher watcher(Goal::Gone);
    Observation seen;
    seen.app = app_with(0, {});
    CHECK(watcher.watch.step(seen).verdict == Verdict::Pending);
    seen.app.reset();
    seen.tasks_left = {running, running};
    CHECK(watcher.watch.step(seen).line == "2 instances still stopping");
    seen.tasks_left.clear();
    CHECK(watcher.watch.step(seen).verdict == Verdict::Done);
}

TEST_CASE("an app that vanishes while it is waited for is told of", "[cli]") {
    Watcher watcher;
    CHECK(watcher.look(std::nullopt).verdict == Verdict::Vanished);
}

TEST_CASE("the status of an app is one word", "[cli]") {
    auto app = app_with(2, {running, running});
    CHECK(status_of(app, std::nullopt) == "Running");
    app.has_deployment = true;
    CHECK(status_of(app, std::nullopt) == "Deploying");
    app.running = 1;
    CHECK(status_of(app, std::nullopt) == "Waiting");
    CHECK(status_of(app, why_of("Backoff", 1, "x")) == "Delayed");
    CHECK(status_of(app, why_of("Cpus", 1, "x")) == "Waiting");
    app.staged = 1;
    CHECK(status_of(app, std::nullopt) == "Deploying");
    CHECK(status_of(app_with(0, {}), std::nullopt) == "Suspended");
}

TEST_CASE("documents are read as far as they go, and those of another kind are refused", "[cli]") {
    using nlohmann::ordered_json;
    const auto app = read_app(ordered_json::parse(
        R"({"app":{"id":"/a","instances":2,"tasksRunning":1,"container":{"docker":{"image":"x"},
            "portMappings":[{"containerPort":80}]},"args":["a","b"],"deployments":[{"id":"d"}],
            "tasks":[{"id":"t","host":"h","ports":[1,2],"state":"TASK_RUNNING",
                      "healthCheckResults":[{"alive":true},{"alive":false}]}, 3],
            "lastTaskFailure":{"message":"m"}}})"));
    CHECK(app.image == "x");
    CHECK(app.command == "a b");
    CHECK(app.has_deployment);
    CHECK(app.container_ports == std::vector<std::string>{"80/tcp"});
    REQUIRE(app.tasks.size() == 2);
    CHECK(app.tasks[0].healthy == false);
    CHECK(endpoints_of(app.tasks[0]) == std::vector<std::string>{"h:1", "h:2"});
    CHECK(app.last_failure->message == "m");
    CHECK(read_app(ordered_json::parse(R"({"id":"/a"})")).id == "/a");
    for (const auto* wrong : {"[]", "3", "{}", "null", R"({"app":{}})", R"({"app":[]})"}) {
        INFO(wrong);
        CHECK_THROWS_AS(read_app(ordered_json::parse(wrong)), Failure);
        CHECK_THROWS_AS(read_apps(ordered_json::parse(wrong)), Failure);
        CHECK_THROWS_AS(read_tasks(ordered_json::parse(wrong)), Failure);
        CHECK_THROWS_AS(read_why(ordered_json::parse(wrong)), Failure);
    }
}
