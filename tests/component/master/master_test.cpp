// The master's shell, bus and HTTP together: persist before seen, a disk that fills up, sessions,
// and answers to bad input. What the decisions are is tested on the heart alone
// (tests/unit/master/heart).
#include "tests/component/master/master_lab.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using methos::test::FakeExecutor;
using methos::test::MasterLab;
using nlohmann::json;

namespace {

const std::string demo = R"({"id":"/demo","cpus":0.1,"mem":32,"instances":2,"cmd":"serve",
    "container":{"type":"DOCKER","docker":{"image":"busybox"}}})";

std::size_t running(const json& document) {
    return document.at("app").at("tasksRunning").get<std::size_t>();
}

awaitable<wire::Launch> take_launches(FakeExecutor& executor, int count) {
    wire::Launch all;
    while (all.tasks_size() < count) {
        const auto frame = co_await executor.next(wire::Frame::kLaunch);
        all.MergeFrom(frame.launch());
    }
    co_return all;
}

awaitable<> deploy_and_scale(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    const auto created = co_await lab.call("POST", "/v2/apps", demo);
    REQUIRE(created.status == 201);
    const auto app = json::parse(created.body);
    REQUIRE(app.at("tasksStaged") == 0);
    REQUIRE(created.headers.get("Marathon-Deployment-Id") ==
            app.at("deployments").at(0).at("id").get<std::string>());
    const auto launches = co_await take_launches(*executor, 2);
    REQUIRE(launches.specs_size() == 1);
    REQUIRE(launches.specs(0).shell() == "serve");
    for (const auto& task : launches.tasks()) {
        REQUIRE(task.request() == created.headers.get("X-Request-Id"));
        executor->report(task, TaskState::Running);
    }
    const auto ack = co_await executor->next(wire::Frame::kAck);
    REQUIRE(ack.ack().tasks_size() >= 1);
    std::function<bool(const json&)> two = [](const json& document) {
        return running(document) == 2;
    };
    const auto settled = co_await lab.get_until("/v2/apps/demo", std::move(two));
    REQUIRE(settled.at("app").at("tasks").size() == 2);

    const auto scaled = co_await lab.call("PUT", "/v2/apps//demo", R"({"instances":1})");
    REQUIRE(scaled.status == 200);
    const auto kill = co_await executor->next(wire::Frame::kKill);
    REQUIRE(kill.kill().tasks_size() == 1);
    for (const auto& task : launches.tasks()) {
        if (task.number() == kill.kill().tasks(0).number()) {
            executor->report(task, TaskState::Killed);
        }
    }
    std::function<bool(const json&)> one = [](const json& document) {
        return document.at("app").at("tasks").size() == 1 &&
               document.at("app").at("deployments").empty();
    };
    (void)co_await lab.get_until("/v2/apps/demo", std::move(one));

    const auto removed = co_await lab.call("DELETE", "/v2/apps/demo");
    REQUIRE(removed.status == 200);
    const auto gone = co_await lab.call("GET", "/v2/apps/demo");
    REQUIRE(gone.status == 404);
    REQUIRE(json::parse(gone.body).at("message") == "App '/demo' does not exist");
}

awaitable<> nothing_before_it_is_durable(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    std::function<bool(const json&)> up = [](const json& document) {
        return document.at("hosts").size() == 1 && document.at("hosts").at(0).at("state") == "UP";
    };
    (void)co_await lab.get_until("/methos/v1/hosts", std::move(up));
    lab.store.hold();
    bool answered = false;
    TaskGroup tasks(co_await asio::this_coro::executor, [](const std::string&, const Error&) {});
    auto post = [](MasterLab& where, bool& done) -> awaitable<> {
        const auto response = co_await where.call("POST", "/v2/apps", demo);
        REQUIRE(response.status == 201);
        done = true;
    };
    const auto before = lab.store.commits_begun();
    tasks.spawn("post", post(lab, answered));
    while (lab.store.commits_begun() == before) {
        co_await sleep_for(std::chrono::milliseconds(1));
    }
    // The commit is under way and cannot end: beats still pass, and whatever comes first is not a
    // LAUNCH.
    for (int i = 0; i < 5; ++i) {
        executor->beat();
        const auto beat = co_await executor->next(wire::Frame::kBeat);
        REQUIRE(beat.beat().sequence() == static_cast<std::uint64_t>(i + 1));
    }
    REQUIRE_FALSE(answered);
    lab.store.let_go();
    const auto launches = co_await take_launches(*executor, 2);
    REQUIRE(launches.tasks_size() == 2);
    co_await tasks.join();
    REQUIRE(answered);
}

/// Calls that come while a commit is held are in the heart, one after the other, before any of them
/// is answered.
awaitable<> created_and_removed_in_one_breath(MasterLab& lab) {
    lab.store.hold();
    http::ClientResponse created;
    http::ClientResponse removed;
    TaskGroup tasks(co_await asio::this_coro::executor, [](const std::string&, const Error&) {});
    auto call = [](MasterLab& where,
                   http::ClientResponse& into,
                   std::string method,
                   std::string path,
                   std::string body) -> awaitable<> {
        into = co_await where.call(std::move(method), std::move(path), std::move(body));
    };
    const auto before = lab.store.commits_begun();
    const std::string unplaced = R"({"id":"/brief","cmd":"x","instances":0,
        "container":{"docker":{"image":"busybox"}}})";
    tasks.spawn("post", call(lab, created, "POST", "/v2/apps", unplaced));
    while (lab.store.commits_begun() == before) {
        co_await sleep_for(std::chrono::milliseconds(1));
    }
    tasks.spawn("delete", call(lab, removed, "DELETE", "/v2/apps/brief", ""));
    while (lab.shell->heart().services().find(AppId("/brief")) != nullptr) {
        co_await sleep_for(std::chrono::milliseconds(1));
    }
    lab.store.let_go();
    co_await tasks.join();
    REQUIRE(created.status == 201);
    REQUIRE(json::parse(created.body).at("id") == "/brief");
    REQUIRE(removed.status == 200);
}

awaitable<> step_over_the_caps(MasterLab& lab) {
    constexpr std::uint64_t first = 1'000'000;
    constexpr std::size_t many = state::batch_changes_max + 1;
    const std::function<void(heart::Heart&, cluster::Step&)> too_many = [](heart::Heart& /*heart*/,
                                                                           cluster::Step& step) {
        for (std::size_t i = 0; i < many; ++i) {
            step.put(state::Table::Update, first + i, "x");
        }
    };
    co_await lab.shell->change(too_many);
    REQUIRE(lab.shell->refusal().empty());
    std::size_t stored = 0;
    lab.store.load([&stored](state::Table table, std::uint64_t, const std::string&) {
        stored += table == state::Table::Update ? 1U : 0U;
    });
    REQUIRE(stored == many);
}

awaitable<> record_over_the_caps(MasterLab& lab) {
    const std::function<void(heart::Heart&, cluster::Step&)> too_large = [](heart::Heart& /*heart*/,
                                                                            cluster::Step& step) {
        step.put(state::Table::Update, 1, std::string(state::batch_bytes_max, 'x'));
    };
    std::optional<Error> refused;
    try {
        co_await lab.shell->change(too_large);
    } catch (const Failure& failure) {
        refused = failure.error();
    }
    REQUIRE(refused.has_value());
    REQUIRE(refused->code == Code::Internal);
    REQUIRE(refused->message.find("batch_bytes_max") != std::string::npos);
    for (int tries = 0; !lab.shell->refusal().empty() && tries < 1000; ++tries) {
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    const auto created = co_await lab.call("POST", "/v2/apps", demo);
    REQUIRE(created.status == 201);
}

awaitable<> full_disk(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    const auto created = co_await lab.call("POST", "/v2/apps", demo);
    REQUIRE(created.status == 201);
    const auto launches = co_await take_launches(*executor, 2);
    lab.store.fill_disk();
    const auto refused = co_await lab.call("PUT", "/v2/apps/demo", R"({"instances":5})");
    REQUIRE(refused.status == 507);
    const auto again = co_await lab.call("DELETE", "/v2/apps/demo");
    REQUIRE(again.status == 507);
    REQUIRE(json::parse(again.body).at("message").get<std::string>().find("disk is full") !=
            std::string::npos);
    // Reading goes on and shows what is durable; the session lives.
    const auto shown = co_await lab.call("GET", "/v2/apps/demo");
    REQUIRE(json::parse(shown.body).at("app").at("instances") == 2);
    executor->beat();
    (void)co_await executor->next(wire::Frame::kBeat);
    const auto hosts = co_await lab.call("GET", "/methos/v1/hosts");
    REQUIRE(json::parse(hosts.body).at("hosts").at(0).at("state") == "UP");

    lab.store.make_room();
    for (int tries = 0; !lab.shell->refusal().empty() && tries < 1000; ++tries) {
        executor->beat();
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    // What was told meanwhile was not taken down: hosts join anew and tell what they have.
    executor->beat();
    const auto over = co_await executor->next(wire::Frame::kRefused);
    REQUIRE(over.refused().why() == wire::Refused::UNKNOWN_SESSION);
    wire::Inventory has;
    for (const auto& task : launches.tasks()) {
        auto& status = *has.add_tasks();
        status.set_number(task.number());
        status.set_name(task.name());
        status.set_state(static_cast<std::uint32_t>(TaskState::Running));
    }
    co_await executor->join("one", std::move(has));
    const auto accepted = co_await lab.call("PUT", "/v2/apps/demo", R"({"instances":3})");
    REQUIRE(accepted.status == 200);
    const auto one_more = co_await take_launches(*executor, 1);
    REQUIRE(one_more.tasks_size() == 1);
}

awaitable<> turned_away(MasterLab& lab) {
    auto executor = lab.executor();
    executor->send(FakeExecutor::hello("x", "wrong"));
    const auto bad_secret = co_await executor->next(wire::Frame::kRefused);
    REQUIRE(bad_secret.refused().why() == wire::Refused::BAD_SECRET);
    executor->send_raw("\xff\xff\xff garbage");
    const auto bad_frame = co_await executor->next(wire::Frame::kRefused);
    REQUIRE(bad_frame.refused().why() == wire::Refused::BAD_FRAME);
    executor->send(wire::make_beat({12345, 1}, 1));
    const auto unknown = co_await executor->next(wire::Frame::kRefused);
    REQUIRE(unknown.refused().why() == wire::Refused::UNKNOWN_SESSION);
    auto newer = FakeExecutor::hello("x", methos::test::join_secret);
    newer.mutable_hello()->set_protocol_min(99);
    newer.mutable_hello()->set_protocol_max(99);
    executor->send(newer);
    const auto protocol = co_await executor->next(wire::Frame::kRefused);
    REQUIRE(protocol.refused().why() == wire::Refused::BAD_PROTOCOL);
    const auto hosts = co_await lab.call("GET", "/methos/v1/hosts");
    REQUIRE(json::parse(hosts.body).at("hosts").empty());
}

awaitable<> twins(MasterLab& lab) {
    auto first = lab.executor();
    co_await first->join("one");
    first->beat();
    (void)co_await first->next(wire::Frame::kBeat);
    auto second = lab.executor();
    auto hello = FakeExecutor::hello("one", methos::test::join_secret);
    hello.mutable_hello()->set_host_key("another key");
    second->send(hello);
    const auto refused = co_await second->next(wire::Frame::kRefused);
    REQUIRE(refused.refused().why() == wire::Refused::DUPLICATE_HOST);
    first->beat();
    (void)co_await first->next(wire::Frame::kBeat);
}

awaitable<> newer_session_wins(MasterLab& lab) {
    auto first = lab.executor();
    co_await first->join("one");
    auto second = lab.executor();
    co_await second->join("one");
    first->beat();
    const auto refused = co_await first->next(wire::Frame::kRefused);
    REQUIRE(refused.refused().why() == wire::Refused::UNKNOWN_SESSION);
    second->beat();
    (void)co_await second->next(wire::Frame::kBeat);
    first->close(); // and its end is not taken for the host's
    second->beat();
    (void)co_await second->next(wire::Frame::kBeat);
    const auto hosts = co_await lab.call("GET", "/methos/v1/hosts");
    REQUIRE(json::parse(hosts.body).at("hosts").size() == 1);
    REQUIRE(json::parse(hosts.body).at("hosts").at(0).at("state") == "UP");
}

awaitable<> endless_contest(MasterLab& lab) {
    const methos::test::CapturedStderr said;
    const std::string warning = "two executors claim to be one host";
    std::vector<decltype(lab.executor())> executors;
    constexpr int turns = 4;
    for (int turn = 0; turn <= turns; ++turn) {
        REQUIRE(said.text().find(warning) == std::string::npos);
        executors.push_back(lab.executor());
        co_await executors.back()->join("one");
    }
    REQUIRE(said.text().find(warning) != std::string::npos);
}

awaitable<> bad_requests(MasterLab& lab) {
    struct Case {
        const char* method;
        const char* path;
        const char* body;
        int status;
    };

    static constexpr Case cases[] = {
        {"POST", "/v2/apps", "{", 400},
        {"POST", "/v2/apps", "", 400},
        {"POST", "/v2/apps", "[]", 422},
        {"POST", "/v2/apps", R"({"id":"/x","cmd":"a"})", 422},
        {"POST",
         "/v2/apps",
         R"({"id":"/UPPER","cmd":"a","container":{"docker":{"image":"b"}}})",
         422},
        {"POST",
         "/v2/apps",
         R"({"id":"/x","cmd":"a","cpus":-1,"container":{"docker":{"image":"b"}}})",
         422},
        {"POST",
         "/v2/apps",
         R"({"id":"/x","cmd":"a","mem":2000000000,"container":{"docker":{"image":"b"}}})",
         422}, // bytes for MB: it could never be stored and loaded again
        {"PUT", "/v2/apps/x", R"({"instances":"many"})", 422},
        {"DELETE", "/v2/apps/x", "", 404},
        {"GET", "/v2/apps/x", "", 404},
        {"GET", "/v2/apps/x/tasks", "", 404},
        {"GET", "/methos/v1/why/x", "", 404},
        {"GET", "/methos/v1/logs/x", "", 404},
        {"GET", "/v2/groups", "", 501},
        {"POST", "/v2/apps/x/restart", "", 404},
        {"GET", "/v2/apps/x/versions", "", 404},
        {"GET", "/v2/apps/x/versions/2014-03-01T23:42:20.938Z", "", 404},
        {"GET", "/v2/apps/x/versions/yesterday", "", 422},
        {"PUT", "/v2/apps/x", R"({"version":"2014-03-01T23:42:20.938Z"})", 404},
        {"PUT", "/v2/apps/x", R"({"version":"yesterday"})", 422},
        {"PATCH", "/v2/apps/x", "", 501},
        {"POST", "/v2/pods", "{}", 501},
        {"GET", "/v1/scheduler/jobs", "", 501},
        {"GET", "/nowhere", "", 404},
    };
    for (const auto& one : cases) {
        const auto response = co_await lab.call(one.method, one.path, one.body);
        CAPTURE(one.method, one.path, one.body, response.body);
        REQUIRE(response.status == one.status);
        const auto document = json::parse(response.body);
        REQUIRE((document.contains("message") || document.contains("error")));
    }
    // Nobody was hurt, and nothing was kept.
    const auto apps = co_await lab.call("GET", "/v2/apps");
    REQUIRE(json::parse(apps.body).at("apps").empty());
}

} // namespace

SCENARIO("a deployed app is launched, scaled and removed over the bus") {
    MasterLab().run(deploy_and_scale);
}

SCENARIO("nothing is seen outside before it is durable") {
    MasterLab().run(nothing_before_it_is_durable);
}

SCENARIO("the answer to a creation is made of what was created") {
    MasterLab().run(created_and_removed_in_one_breath);
}

SCENARIO("a full disk refuses changes and keeps reads and liveness") {
    MasterLab().run(full_disk);
}

SCENARIO("a step over the store's caps becomes durable all the same") {
    MasterLab().run(step_over_the_caps);
}

SCENARIO("a record that no store takes ends nothing but the change it belongs to") {
    MasterLab().run(record_over_the_caps);
}

SCENARIO("strangers and garbage are refused by name") {
    MasterLab().run(turned_away);
}

SCENARIO("a copy of a host's data directory does not push the host out") {
    MasterLab().run(twins);
}

SCENARIO("of two sessions of one host the newer one counts") {
    MasterLab().run(newer_session_wins);
}

SCENARIO("two executors that end each other's sessions for ever are told of") {
    MasterLab().run(endless_contest);
}

SCENARIO("bad requests get an answer and change nothing") {
    MasterLab().run(bad_requests);
}

SCENARIO("every route of the master says who may call it") {
    test::ScriptedStore store;
    asio::io_context context;
    asio::thread_pool pool(1);
    const SystemClock clock;
    Metrics metrics;
    master::Shell shell(context.get_executor(), pool, clock, store, heart::Options(), metrics);
    master::LogStreams streams;
    const auto loop = context.get_executor();
    master::SchedulerStreams schedulers(loop, shell, external::MasterInfo());
    master::OperatorStreams operators(loop, shell);
    master::ApiContext api{loop,
                           shell,
                           streams,
                           metrics,
                           "test",
                           "127.0.0.1:8080",
                           pool,
                           schedulers,
                           operators,
                           external::MasterInfo(),
                           WallTime()};
    const auto router = master::make_router(api);
    std::size_t open = 0;
    for (const auto& route : router.routes()) {
        CAPTURE(route.method, route.pattern);
        REQUIRE(route.auth != http::Auth::Undeclared);
        open += route.auth == http::Auth::Public ? 1U : 0U;
    }
    REQUIRE(open == 1); // /ping
    http::Route careless;
    careless.method = "GET";
    careless.pattern = "/secret";
    careless.handler = [](http::Request) -> awaitable<http::Response> {
        co_return http::Response();
    };
    http::Router other;
    REQUIRE_THROWS_AS(other.add(careless), Failure);
}
