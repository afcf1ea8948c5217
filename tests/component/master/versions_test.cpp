// Versions, restart and rollback as Marathon's clients ask for them.
#include "tests/component/master/master_lab.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using methos::test::MasterLab;
using nlohmann::json;

namespace {

std::string app(int instances) {
    return R"({"id":"/shop/web","cpus":0.1,"mem":32,"cmd":"serve","instances":)" +
           std::to_string(instances) +
           R"(,"container":{"type":"DOCKER","docker":{"image":"busybox"}}})";
}

awaitable<json> get(MasterLab& lab, std::string path) {
    const auto answer = co_await lab.call("GET", path);
    CAPTURE(path, answer.body);
    REQUIRE(answer.status == 200);
    co_return json::parse(answer.body);
}

awaitable<std::vector<std::string>> versions(MasterLab& lab) {
    const auto document = co_await get(lab, "/v2/apps/shop/web/versions");
    REQUIRE(document.size() == 1);
    co_return document.at("versions").get<std::vector<std::string>>();
}

awaitable<> history(MasterLab& lab) {
    const auto created = co_await lab.call("POST", "/v2/apps", app(1));
    REQUIRE(created.status == 201);
    const auto first = json::parse(created.body).at("version").get<std::string>();
    const auto scaled = co_await lab.call("PUT", "/v2/apps/shop/web", R"({"instances":3})");
    REQUIRE(scaled.status == 200);
    const auto second = json::parse(scaled.body).at("version").get<std::string>();
    const auto both = co_await versions(lab);
    REQUIRE(both.size() == 2);
    REQUIRE(both.front() == second);
    REQUIRE(both.back() == first);

    const auto then = co_await get(lab, "/v2/apps/shop/web/versions/" + first);
    REQUIRE(then.at("id") == "/shop/web");
    REQUIRE(then.at("instances") == 1);
    REQUIRE(then.at("version") == first);
    REQUIRE(then.at("versionInfo").at("lastConfigChangeAt") == first);
    REQUIRE_FALSE(then.contains("app"));
    REQUIRE_FALSE(then.contains("tasksRunning"));
    const auto now = co_await get(lab, "/v2/apps/shop/web/versions/" + second);
    REQUIRE(now.at("instances") == 3);
    REQUIRE(now.at("versionInfo").at("lastConfigChangeAt") == first);
    REQUIRE(now.at("versionInfo").at("lastScalingAt") == second);

    const auto unknown =
        co_await lab.call("GET", "/v2/apps/shop/web/versions/2014-03-01T23:42:20.938Z");
    REQUIRE(unknown.status == 404);
    REQUIRE(json::parse(unknown.body).at("message") ==
            "App '/shop/web' does not exist in version 2014-03-01T23:42:20.938Z");
}

awaitable<> rollback(MasterLab& lab) {
    const auto created = co_await lab.call("POST", "/v2/apps", app(1));
    REQUIRE(created.status == 201);
    const auto first = json::parse(created.body).at("version").get<std::string>();
    const auto scaled = co_await lab.call("PUT", "/v2/apps/shop/web", R"({"instances":3})");
    REQUIRE(scaled.status == 200);
    json body;
    body["version"] = first;
    body["id"] = "/shop/web";
    const auto back = co_await lab.call("PUT", "/v2/apps/shop/web", body.dump());
    REQUIRE(back.status == 200);
    const auto answer = json::parse(back.body);
    REQUIRE(answer.size() == 2);
    REQUIRE(back.headers.get("Marathon-Deployment-Id").value() ==
            answer.at("deploymentId").get<std::string>());
    const auto shown = co_await get(lab, "/v2/apps/shop/web");
    REQUIRE(shown.at("app").at("instances") == 1);
    REQUIRE(shown.at("app").at("version") == answer.at("version"));
    const auto all = co_await versions(lab);
    REQUIRE(all.size() == 3);

    body["version"] = "2014-03-01T23:42:20.938Z";
    const auto unknown = co_await lab.call("PUT", "/v2/apps/shop/web", body.dump());
    REQUIRE(unknown.status == 404);
    const auto same = co_await versions(lab);
    REQUIRE(same == all);
}

awaitable<> restart(MasterLab& lab) {
    const auto created = co_await lab.call("POST", "/v2/apps", app(1));
    REQUIRE(created.status == 201);
    auto executor = lab.executor();
    co_await executor->join("one");
    const auto old = co_await executor->next(wire::Frame::kLaunch);
    executor->report(old.launch().tasks(0), TaskState::Running);
    std::function<bool(const json&)> runs = [](const json& document) {
        return document.at("app").at("tasksRunning") == 1 &&
               document.at("app").at("deployments").empty();
    };
    (void)co_await lab.get_until("/v2/apps/shop/web", std::move(runs));
    const auto restarted = co_await lab.call("POST", "/v2/apps//shop/web/restart?force=true");
    REQUIRE(restarted.status == 200);
    const auto answer = json::parse(restarted.body);
    REQUIRE(answer.size() == 2);
    REQUIRE(restarted.headers.get("Marathon-Deployment-Id").value() ==
            answer.at("deploymentId").get<std::string>());
    const auto launched = co_await executor->next(wire::Frame::kLaunch);
    REQUIRE(launched.launch().specs(0).version() == answer.at("version").get<std::string>());
    executor->report(launched.launch().tasks(0), TaskState::Running);
    const auto killed = co_await executor->next(wire::Frame::kKill);
    REQUIRE(killed.kill().tasks(0).number() == old.launch().tasks(0).number());
}

} // namespace

SCENARIO("what an app was can be looked at") {
    MasterLab().run(history);
}

SCENARIO("an app goes back to an older version by a PUT of that version") {
    MasterLab().run(rollback);
}

SCENARIO("a restart launches a new version before the old one is killed") {
    MasterLab().run(restart);
}
