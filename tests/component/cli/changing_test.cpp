// The commands that change something, against a scripted master: what they send, how they wait,
// and every way in which a wait ends.
#include "tests/component/cli/scripted_master.hpp"
#include "tests/support/catch.hpp"

#include <atomic>

using namespace methos;
using namespace methos::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string task(const std::string& state, const std::string& message = "") {
    return R"({"id":"demo.)" + state +
           R"(","appId":"/demo","host":"n1","ports":[31000],"state":")" + state +
           R"(","message":")" + message + R"("})";
}

/// The app's document with these instances.
std::string app(int wanted, int running, const std::string& tasks = "") {
    return R"({"app":{"id":"/demo","instances":)" + std::to_string(wanted) + R"(,"tasksRunning":)" +
           std::to_string(running) + R"(,"tasks":[)" + tasks + "]}}";
}

constexpr const char* nothing_waits = R"({"wanted":1,"running":0,"waiting":[]})";
constexpr const char* stuck =
    R"({"wanted":1,"running":0,"waiting":[{"count":1,"reasons":[{"reason":"Cpus","hosts":1}],)"
    R"("text":"1 instance cannot be placed: 1 host has too little CPU free"}]})";

} // namespace

TEST_CASE("run creates the app and shows how it comes up", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string created = R"({"id":"/demo",  "version":"v"})";
    master.answer("POST /v2/apps", 201, created);
    master.answer("GET /methos/v1/why/demo", 200, nothing_waits);
    master.answer_in_turn(
        "GET /methos/v1/apps/demo",
        {app(1, 0),
         app(1, 0, task("TASK_STAGING", "pulling demo:1: 1.0/4.0 MB, 1/3 layers")),
         app(1, 0, task("TASK_STARTING")),
         app(1, 1, task("TASK_RUNNING"))});
    SECTION("for people") {
        const auto run = run_methos(url, {"run", "demo:1", "-p", "80", "--", "-x", "--", "y"});
        CHECK(run.code == 0);
        CHECK(run.err == "/demo: 0 of 1 running, 1 waiting\n"
                         "/demo: 0 of 1 running, 1 pulling (1.0/4.0 MB, 1/3 layers)\n"
                         "/demo: 0 of 1 running, 1 starting\n");
        CHECK(run.out == "/demo: 1 of 1 running at n1:31000\n");
        REQUIRE(master.changes().size() == 1);
        CHECK(contains(master.changes().front(), R"("args":["-x","--","y"])"));
        CHECK(contains(master.changes().front(), R"("image":"demo:1")"));
    }
    SECTION("for programs") {
        const auto run = run_methos(url, {"run", "demo:1", "-o", "json"});
        CHECK(run.code == 0);
        CHECK(run.out == created + "\n");
        CHECK(run_methos(url, {"run", "demo:1", "-o", "name"}).out == "/demo\n");
    }
    SECTION("without waiting") {
        const auto run = run_methos(url, {"run", "demo:1", "--detach"});
        CHECK(run.code == 0);
        CHECK(master.requests().size() == 1);
        CHECK(contains(run.out, "accepted"));
    }
}

TEST_CASE("run says what to do when the name is taken", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 409, R"({"message":"An app with id [/demo] already exists."})");
    const auto run = run_methos("http://" + master.address(), {"run", "demo"});
    CHECK(run.code == 1);
    CHECK(contains(run.err, "already exists"));
    CHECK(contains(run.err, "--name"));
}

TEST_CASE("deploy creates what is new and replaces what is there", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /v2/apps/demo", 200, app(1, 1, task("TASK_RUNNING")));
    master.answer("GET /methos/v1/apps/demo", 200, app(1, 1, task("TASK_RUNNING")));
    master.answer("GET /methos/v1/apps/new", 200, app(1, 1, task("TASK_RUNNING")));
    master.answer("PUT /v2/apps/demo", 200, R"({"version":"v","deploymentId":"d"})");
    master.answer("POST /v2/apps", 201, R"({"id":"/new"})");
    CliOptions options;
    options.input = "- {id: demo, instances: 1, env: {A: 1}}\n- {id: /new}\n";
    const auto run = run_methos(url, {"deploy", "-"}, options);
    INFO(run.err);
    CHECK(run.code == 0);
    CHECK(
        master.changes() ==
        std::vector<std::string>{
            R"(PUT /v2/apps/demo?partialUpdate=false {"env":{"A":"1"},"id":"/demo","instances":1})",
            R"(POST /v2/apps {"id":"/new"})"});
    const auto json = run_methos(url, {"deploy", "-", "-o", "json"}, options);
    CHECK(json.out == "{\"version\":\"v\",\"deploymentId\":\"d\"}\n{\"id\":\"/new\"}\n");
    master.answer("POST /v2/apps", 422, R"({"message":"Object is not valid"})");
    const auto refused = run_methos(url, {"deploy", "-"}, options);
    CHECK(refused.code == 2);
    CHECK(contains(refused.err,
                   "cannot deploy /new: Object is not valid; accepted before it: /demo"));
}

TEST_CASE("a bad file is told before anything is sent", "[cli]") {
    ScriptedMaster master;
    CliOptions options;
    options.input = "id: /a\nid: /b\n";
    const auto run = run_methos("http://" + master.address(), {"deploy", "-"}, options);
    CHECK(run.code == 2);
    CHECK(contains(run.err, "standard input: line 2, column 1"));
    CHECK(master.requests().empty());
}

TEST_CASE("scale changes the count alone and waits for it", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /v2/apps/demo", 200, app(1, 1));
    master.answer("PUT /v2/apps/demo", 200, R"({"version":"v","deploymentId":"d"})");
    master.answer("GET /methos/v1/why/demo", 200, nothing_waits);
    master.answer_in_turn("GET /methos/v1/apps/demo",
                          {app(2, 1, task("TASK_RUNNING")),
                           app(2, 2, task("TASK_RUNNING") + "," + task("TASK_RUNNING"))});
    const auto run = run_methos("http://" + master.address(), {"scale", "demo", "2"});
    CHECK(run.code == 0);
    CHECK(master.changes() == std::vector<std::string>{R"(PUT /v2/apps/demo {"instances":2})"});
    CHECK(contains(run.out, "2 of 2 running"));
}

TEST_CASE("rm waits until the last instance has ended", "[cli]") {
    ScriptedMaster master;
    master.answer("DELETE /v2/apps/demo", 200, R"({"version":"v","deploymentId":"d"})");
    master.answer_in_turn(
        "GET /v2/tasks",
        {R"({"tasks":[)" + task("TASK_KILLING") + "," + task("TASK_KILLED") + "]}",
         R"({"tasks":[]})"});
    const auto run = run_methos("http://" + master.address(), {"rm", "demo"});
    CHECK(run.code == 0);
    CHECK(run.err == "/demo: 1 instance still stopping\n");
    CHECK(run.out == "/demo: removed\n");
}

TEST_CASE("a wait ends with 124, and says that the change goes on", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 201, R"({"id":"/demo"})");
    master.answer("GET /methos/v1/why/demo", 200, nothing_waits);
    master.answer("GET /methos/v1/apps/demo", 200, app(1, 0));
    const auto run =
        run_methos("http://" + master.address(), {"run", "demo", "--timeout", "100ms"});
    CHECK(run.code == 124);
    CHECK(contains(run.err, "not done after 100ms (0 of 1 running, 1 waiting)"));
    CHECK(contains(run.err, "in the background"));
}

TEST_CASE("what no host can take ends with 3 and the reason", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 201, R"({"id":"/demo"})");
    master.answer("GET /methos/v1/why/demo", 200, stuck);
    master.answer("GET /methos/v1/apps/demo", 200, app(1, 0));
    CliOptions options;
    options.settle_time = 30ms;
    const auto run = run_methos("http://" + master.address(), {"run", "demo"}, options);
    CHECK(run.code == 3);
    CHECK(contains(run.err,
                   "/demo cannot be placed: 1 host has too little CPU free (0 of 1 running"));
}

TEST_CASE("a master that restarts meanwhile is waited for", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 201, R"({"id":"/demo"})");
    const auto looks = std::make_shared<std::atomic<int>>(0);
    master.answer("GET /methos/v1/apps/demo", [looks](const http::Request&) {
        if ((*looks)++ < 3) {
            return http::Response(503, "application/json", R"({"message":"starting"})");
        }
        return http::Response(200, "application/json", app(1, 1, task("TASK_RUNNING")));
    });
    const auto run = run_methos("http://" + master.address(), {"run", "demo"});
    CHECK(run.code == 0);
    CHECK(contains(run.err, "waiting for the master"));
}

TEST_CASE("an app that somebody else removes ends the wait", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 201, R"({"id":"/demo"})");
    const auto run = run_methos("http://" + master.address(), {"run", "demo"});
    CHECK(run.code == 1);
    CHECK(contains(run.err, "/demo was removed"));
}

TEST_CASE("restart asks for it and waits until every instance is a new one", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string accepted = R"({"version":"v","deploymentId":"d"})";
    master.answer("POST /v2/apps/demo/restart", 200, accepted);
    const auto deploying =
        R"({"app":{"id":"/demo","instances":1,"tasksRunning":1,"deployments":[{"id":"d"}],)"
        R"("tasks":[)" +
        task("TASK_RUNNING") + "," + task("TASK_STAGING") + "]}}";
    master.answer_in_turn("GET /methos/v1/apps/demo", {deploying, app(1, 1, task("TASK_RUNNING"))});
    SECTION("for people") {
        const auto run = run_methos(url, {"restart", "demo"});
        CHECK(run.code == 0);
        CHECK(run.err == "/demo: 1 of 1 running, 1 staging\n");
        CHECK(master.changes() == std::vector<std::string>{"POST /v2/apps/demo/restart"});
    }
    SECTION("for programs") {
        CHECK(run_methos(url, {"restart", "demo", "--detach", "-o", "json"}).out ==
              accepted + "\n");
    }
    SECTION("an unknown one") {
        CHECK(run_methos(url, {"restart", "other"}).code == 4);
    }
}

TEST_CASE("rollback goes to a version, or to the one before", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /v2/apps/demo/versions",
                  200,
                  R"({"versions":["2026-01-01T00:00:01.000Z","2026-01-01T00:00:03.000Z",)"
                  R"("2026-01-01T00:00:02.000Z"]})");
    const auto is_then = [&master](const std::string& second, const std::string& command) {
        const auto version = "2026-01-01T00:00:0" + second + ".000Z";
        master.answer("GET /v2/apps/demo/versions/" + version,
                      200,
                      R"({"id":"/demo","cmd":")" + command + R"(","version":")" + version +
                          R"(","versionInfo":{"lastScalingAt":")" + version + R"("}})");
    };
    is_then("1", "old");
    is_then("2", "older");
    is_then("3", "new");
    master.answer("PUT /v2/apps/demo", 200, R"({"version":"v","deploymentId":"d"})");
    master.answer("GET /methos/v1/apps/demo", 200, app(1, 1, task("TASK_RUNNING")));
    SECTION("the one before, whatever order they come in") {
        CHECK(run_methos(url, {"rollback", "demo"}).code == 0);
        CHECK(master.changes() ==
              std::vector<std::string>{
                  R"(PUT /v2/apps/demo {"version":"2026-01-01T00:00:02.000Z"})"});
    }
    SECTION("not one that a restart has only repeated") {
        is_then("2", "new");
        CHECK(run_methos(url, {"rollback", "demo"}).code == 0);
        CHECK(master.changes() ==
              std::vector<std::string>{
                  R"(PUT /v2/apps/demo {"version":"2026-01-01T00:00:01.000Z"})"});
    }
    SECTION("none of them differs") {
        is_then("1", "new");
        is_then("2", "new");
        CHECK(run_methos(url, {"rollback", "demo"}).code == 4);
        CHECK(master.changes().empty());
    }
    SECTION("the one that is named") {
        CHECK(run_methos(url, {"rollback", "demo", "2026-01-01T00:00:01.000Z"}).code == 0);
        CHECK(master.changes() ==
              std::vector<std::string>{
                  R"(PUT /v2/apps/demo {"version":"2026-01-01T00:00:01.000Z"})"});
    }
    SECTION("there is none before") {
        master.answer(
            "GET /v2/apps/demo/versions", 200, R"({"versions":["2026-01-01T00:00:01.000Z"]})");
        const auto run = run_methos(url, {"rollback", "demo"});
        CHECK(run.code == 4);
        CHECK(contains(run.err, "no version before"));
        CHECK(master.changes().empty());
    }
    SECTION("the app is unknown") {
        CHECK(run_methos(url, {"rollback", "other"}).code == 4);
    }
    SECTION("the master's answer is of another kind") {
        master.answer("GET /v2/apps/demo/versions", 200, "[]");
        CHECK(run_methos(url, {"rollback", "demo"}).code == 1);
    }
}

TEST_CASE("versions shows what each version ran", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string list =
        R"({"versions":["2026-01-01T00:00:02.000Z","2026-01-01T00:00:01.000Z"]})";
    master.answer("GET /v2/apps/demo/versions", 200, list);
    master.answer("GET /v2/apps/demo/versions/2026-01-01T00:00:02.000Z",
                  200,
                  R"({"id":"/demo","instances":4,"container":{"docker":{"image":"web:1"}},)"
                  R"("versionInfo":{"lastConfigChangeAt":"2026-01-01T00:00:01.000Z"}})");
    master.answer("GET /v2/apps/demo/versions/2026-01-01T00:00:01.000Z",
                  200,
                  R"({"id":"/demo","instances":1,"container":{"docker":{"image":"web:1"}},)"
                  R"("versionInfo":{"lastConfigChangeAt":"2026-01-01T00:00:01.000Z"}})");
    const auto run = run_methos(url, {"versions", "demo"});
    INFO(run.out);
    CHECK(run.code == 0);
    CHECK(contains(run.out, "scaled or restarted  4 "));
    CHECK(contains(run.out, "configured           1 "));
    CHECK(run_methos(url, {"versions", "demo", "-o", "json"}).out == list + "\n");
    CHECK(run_methos(url, {"versions", "demo", "-o", "name"}).out ==
          "2026-01-01T00:00:02.000Z\n2026-01-01T00:00:01.000Z\n");
    CHECK(run_methos(url, {"versions", "other"}).code == 4);
}
