// POST /api/v1 and the older GET /state, /slaves: what Mesos's tools read of hosts, tasks and
// frameworks, the stream of changes, and documents too long for one piece.
#include "tests/component/master/master_lab.hpp"
#include "tests/component/master/subscriber.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <set>

using namespace methos;
using methos::test::FakeExecutor;
using methos::test::MasterLab;
using methos::test::Subscriber;
using nlohmann::json;

namespace {

awaitable<http::ClientResponse> post(MasterLab& lab, std::string body) {
    http::Headers headers;
    headers.set("Content-Type", "application/json");
    co_return co_await lab.call("POST", "/api/v1", std::move(body), std::move(headers));
}

awaitable<json> ask(MasterLab& lab, std::string type) {
    json call;
    call["type"] = type;
    const auto answer = co_await post(lab, call.dump());
    CAPTURE(type, answer.body);
    REQUIRE(answer.status == 200);
    auto document = json::parse(answer.body);
    REQUIRE(document.at("type") == type);
    co_return document;
}

json app(const std::string& id, int instances) {
    json definition = json::parse(R"({"cpus":0.01,"mem":1,"cmd":"serve",
        "container":{"type":"DOCKER","docker":{"image":"busybox"},
                     "portMappings":[{"containerPort":80,"name":"http"}]},
        "networks":[{"mode":"container/bridge"}]})");
    definition["id"] = id;
    definition["instances"] = instances;
    return definition;
}

/// Deploys, and plays the host on which everything runs.
awaitable<> deploy(MasterLab& lab, FakeExecutor& executor, json definition) {
    const auto count = definition.at("instances").get<int>();
    const auto path = "/v2/apps" + definition.at("id").get<std::string>();
    const auto created = co_await lab.call("POST", "/v2/apps", definition.dump());
    REQUIRE(created.status == 201);
    for (int launched = 0; launched < count;) {
        const auto frame = co_await executor.next(wire::Frame::kLaunch);
        launched += frame.launch().tasks_size();
        for (const auto& task : frame.launch().tasks()) {
            executor.report(task, TaskState::Running);
        }
    }
    std::function<bool(const json&)> all = [count](const json& document) {
        return document.at("app").at("tasksRunning") == count;
    };
    (void)co_await lab.get_until(path, std::move(all));
}

awaitable<> questions(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    co_await deploy(lab, *executor, app("/shop/web", 2));

    const auto tasks = (co_await ask(lab, "GET_TASKS")).at("get_tasks").at("tasks");
    REQUIRE(tasks.size() == 2);
    REQUIRE(tasks.at(0).at("framework_id").at("value") == "services");
    REQUIRE(tasks.at(0).at("state") == "TASK_RUNNING");
    REQUIRE(tasks.at(0).at("agent_id").at("value") == "id-one");
    const auto agents = (co_await ask(lab, "GET_AGENTS")).at("get_agents").at("agents");
    REQUIRE(agents.at(0).at("agent_info").at("hostname") == "one");
    REQUIRE(agents.at(0).at("active") == true);
    const auto state = (co_await ask(lab, "GET_STATE")).at("get_state");
    REQUIRE(state.at("get_tasks").at("tasks") == tasks);
    REQUIRE(state.at("get_agents").at("agents").size() == 1);
    REQUIRE(state.at("get_frameworks").at("frameworks").at(0).at("framework_info").at("name") ==
            "services");
    const auto health = co_await ask(lab, "GET_HEALTH");
    REQUIRE(health.at("get_health").at("healthy") == true);
    const auto version = co_await ask(lab, "GET_VERSION");
    REQUIRE(version.at("get_version").at("version_info").at("version") == "1.11.0");
    const auto roles = co_await ask(lab, "GET_ROLES");
    REQUIRE(roles.at("get_roles").at("roles").at(0).at("name") == "*");
    const auto master = co_await ask(lab, "GET_MASTER");
    REQUIRE(master.at("get_master").at("master_info").at("port") == 8080);
    const auto executors = co_await ask(lab, "GET_EXECUTORS");
    REQUIRE(executors.at("get_executors").at("executors").empty());
}

awaitable<> roles(MasterLab& lab) {
    const auto weighed = co_await post(
        lab,
        R"({"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"dev","weight":2.5}]}})");
    REQUIRE(weighed.status == 202);
    const auto limited =
        co_await post(lab, R"({"type":"UPDATE_QUOTA","update_quota":{"quota_configs":
        [{"role":"dev","limits":{"cpus":{"value":1.5},"gpus":{"value":2}}}]}})");
    REQUIRE(limited.status == 200);
    const auto weights = (co_await ask(lab, "GET_WEIGHTS")).at("get_weights").at("weight_infos");
    REQUIRE(weights.size() == 1);
    REQUIRE(weights.at(0).at("weight") == 2.5);
    const auto quota = (co_await ask(lab, "GET_QUOTA")).at("get_quota").at("status").at("configs");
    REQUIRE(quota.at(0).at("limits").at("cpus").at("value") == 1.5);
    REQUIRE(quota.at(0).at("limits").at("gpus").at("value") == 2.0);
    const auto listed = (co_await ask(lab, "GET_ROLES")).at("get_roles").at("roles");
    REQUIRE(listed.at(1).at("name") == "dev");
    REQUIRE(listed.at(1).at("weight") == 2.5);

    static constexpr const char* wrong[] = {
        R"({"type":"UPDATE_WEIGHTS"})",
        R"({"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"dev","weight":0}]}})",
        R"({"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"a b","weight":1}]}})",
        R"({"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"weight":1}]}})",
        R"({"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[{"role":"dev","limits":
              {"cpus":{"value":-1}}}]}})",
        R"({"type":"TEARDOWN","teardown":[1]})"};
    for (const auto* bad : wrong) {
        const auto answer = co_await post(lab, bad);
        CAPTURE(bad, answer.body);
        REQUIRE(answer.status == 400);
    }
}

awaitable<> refusals(MasterLab& lab) {
    const auto broken = co_await post(lab, "{");
    REQUIRE(broken.status == 400);
    const auto nameless = co_await post(lab, "{}");
    REQUIRE(nameless.status == 400);
    REQUIRE(nameless.body.find("'type'") != std::string::npos);
    const auto unknown = co_await post(lab, R"({"type":"MAKE_COFFEE"})");
    REQUIRE(unknown.status == 400);
    const auto not_here = co_await post(lab, R"({"type":"DRAIN_AGENT"})");
    REQUIRE(not_here.status == 501);
    const auto got = co_await lab.call("GET", "/api/v1");
    REQUIRE(got.status == 405);
    std::string deep(60'000, '[');
    const auto bomb = co_await post(lab, std::move(deep));
    REQUIRE(bomb.status == 400);
}

awaitable<> old_state(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    co_await deploy(lab, *executor, app("/shop/web", 1));
    const auto answer = co_await lab.call("GET", "/master/state.json");
    REQUIRE(answer.status == 200);
    const auto state = json::parse(answer.body);
    REQUIRE(state.at("leader") == "master@127.0.0.1:8080");
    const auto& slave = state.at("slaves").at(0);
    REQUIRE(slave.at("id") == "id-one");
    REQUIRE(slave.at("resources").at("ports") == "[31000-31999]");
    const auto& framework = state.at("frameworks").at(0);
    REQUIRE(framework.at("name") == "services");
    const auto& task = framework.at("tasks").at(0);
    // What mesos-dns makes web.shop.services.mesos of, and its SRV record.
    REQUIRE(task.at("name") == "web.shop");
    REQUIRE(task.at("state") == "TASK_RUNNING");
    REQUIRE(task.at("slave_id") == slave.at("id"));
    REQUIRE(task.at("statuses").at(0).at("state") == "TASK_RUNNING");
    const auto& port = task.at("discovery").at("ports").at("ports").at(0);
    REQUIRE(port.at("name") == "http");
    const auto number = std::to_string(port.at("number").get<int>());
    REQUIRE(task.at("resources").at("ports") == "[" + number + "-" + number + "]");
    REQUIRE(slave.at("used_resources").at("ports") == "[" + number + "-" + number + "]");

    static constexpr const char* paths[] = {
        "/slaves", "/master/slaves", "/state", "/frameworks", "/tasks"};
    for (const auto* path : paths) {
        const auto listed = co_await lab.call("GET", path);
        CAPTURE(path);
        REQUIRE(listed.status == 200);
        REQUIRE(json::accept(listed.body));
    }
    const auto version = co_await lab.call("GET", "/version");
    REQUIRE(json::parse(version.body).at("version") == "1.11.0");
    const auto health = co_await lab.call("GET", "/health");
    REQUIRE(health.status == 200);
}

awaitable<> long_documents(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    co_await deploy(lab, *executor, app("/many", 300));
    const auto answer = co_await post(lab, R"({"type":"GET_STATE"})");
    REQUIRE_FALSE(answer.headers.get("Content-Length").has_value()); // streamed
    const auto state = json::parse(answer.body).at("get_state");
    std::set<std::string> ids;
    for (const auto& task : state.at("get_tasks").at("tasks")) {
        ids.insert(task.at("task_id").at("value").get<std::string>());
    }
    REQUIRE(ids.size() == 300);
    const auto old = co_await lab.call("GET", "/state");
    REQUIRE(json::parse(old.body).at("frameworks").at(0).at("tasks").size() == 300);
}

/// What of an app's image is there is told to who watches, while its task waits for it.
awaitable<> image_events(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    auto stream = co_await Subscriber::open(lab.url, "/api/v1", R"({"type":"SUBSCRIBE"})");
    const auto created = co_await lab.call("POST", "/v2/apps", app("/web", 1).dump());
    REQUIRE(created.status == 201);
    const auto launch = co_await executor->next(wire::Frame::kLaunch);
    const auto& task = launch.launch().tasks(0);
    TaskStatus status;
    status.number = TaskNumber(task.number());
    status.name = TaskName(task.name());
    status.state = TaskState::Staging;
    status.message = "pulling busybox: 1.0/4.0 MB, 1/3 layers";
    status.image = ImageProgress{1'000'000, 4'000'000, 25, 1, 3};
    auto frame = wire::make_frame(executor->mark);
    wire::to_wire(status, *frame.mutable_status()->add_tasks());
    executor->send(frame);

    const auto updated = (co_await stream->next("TASK_UPDATED")).at("task_updated");
    REQUIRE(updated.at("state") == "TASK_STAGING");
    REQUIRE(updated.at("status").at("message") == status.message);
    std::map<std::string, std::string> labels;
    for (const auto& label : updated.at("status").at("labels").at("labels")) {
        labels[label.at("key").get<std::string>()] = label.at("value").get<std::string>();
    }
    REQUIRE(labels.at("io.methos.image.percent") == "25");
    REQUIRE(labels.at("io.methos.image.bytes-done") == "1000000");
    REQUIRE(labels.size() == 5);

    const auto ours = co_await lab.call("GET", "/methos/v1/apps/web");
    const auto shown = json::parse(ours.body).at("app").at("tasks").at(0).at("image");
    REQUIRE(shown.at("bytesDone") == 1'000'000);
    REQUIRE(shown.at("bytesTotal") == 4'000'000);
    REQUIRE(shown.at("percent") == 25);
    REQUIRE(shown.at("layersDone") == 1);
    REQUIRE(shown.at("layersTotal") == 3);
    const auto marathon = co_await lab.call("GET", "/v2/apps/web");
    REQUIRE_FALSE(json::parse(marathon.body).at("app").at("tasks").at(0).contains("image"));

    executor->report(task, TaskState::Running);
    const auto running = (co_await stream->next("TASK_UPDATED")).at("task_updated");
    REQUIRE(running.at("state") == "TASK_RUNNING");
    REQUIRE_FALSE(running.at("status").contains("labels"));
}

awaitable<> events(MasterLab& lab) {
    auto stream = co_await Subscriber::open(lab.url, "/api/v1", R"({"type":"SUBSCRIBE"})");
    REQUIRE(stream->status() == 200);
    const auto subscribed = co_await stream->event();
    REQUIRE(subscribed.at("type") == "SUBSCRIBED");
    REQUIRE(subscribed.at("subscribed").at("get_state").at("get_agents").at("agents").empty());

    auto executor = lab.executor();
    co_await executor->join("one");
    const auto agent = co_await stream->next("AGENT_ADDED");
    REQUIRE(agent.at("agent_added").at("agent").at("agent_info").at("hostname") == "one");

    co_await deploy(lab, *executor, app("/web", 1));
    const auto added = co_await stream->next("TASK_ADDED");
    const auto task = added.at("task_added").at("task").at("task_id");
    const auto updated = co_await stream->next("TASK_UPDATED");
    REQUIRE(updated.at("task_updated").at("status").at("task_id") == task);
    REQUIRE(updated.at("task_updated").at("state") == "TASK_RUNNING");

    const auto scheduler = co_await Subscriber::open(
        lab.url,
        "/api/v1/scheduler",
        R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"other"}}})");
    const auto framework = co_await stream->next("FRAMEWORK_ADDED");
    REQUIRE(framework.at("framework_added").at("framework").at("framework_info").at("name") ==
            "other");

    // A later subscriber finds all of it in its first record.
    const auto later = co_await Subscriber::open(lab.url, "/api/v1", R"({"type":"SUBSCRIBE"})");
    const auto state = (co_await later->event()).at("subscribed").at("get_state");
    REQUIRE(state.at("get_tasks").at("tasks").at(0).at("task_id") == task);
    REQUIRE(state.at("get_frameworks").at("frameworks").size() == 2);

    const auto removed = co_await lab.call("DELETE", "/v2/apps/web");
    REQUIRE(removed.status == 200);
    const auto kill = co_await executor->next(wire::Frame::kKill);
    wire::TaskLaunch ended;
    ended.set_number(kill.kill().tasks(0).number());
    executor->report(ended, TaskState::Killed);
    for (auto event = co_await stream->next("TASK_UPDATED");
         event.at("task_updated").at("state") != "TASK_KILLED";
         event = co_await stream->next("TASK_UPDATED")) {
    }
}

} // namespace

SCENARIO("Mesos's tools are told of hosts, tasks and frameworks") {
    MasterLab().run(questions);
}

SCENARIO("what is no call of Mesos's operator API is refused") {
    MasterLab().run(refusals);
}

SCENARIO("old tools find in GET /state what they read") {
    MasterLab().run(old_state);
}

SCENARIO("the state of a large cluster is printed while it is sent") {
    MasterLab().run(long_documents);
}

SCENARIO("how far an image is can be watched") {
    MasterLab().run(image_events);
}

SCENARIO("subscribers of the operator API are told of every change") {
    MasterLab().run(events);
}

SCENARIO("roles have weights and limits, set by an operator") {
    MasterLab().run(roles);
}
