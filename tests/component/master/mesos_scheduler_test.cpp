// POST /api/v1/scheduler over real sockets: what HTTP refuses, streams of one record per chunk, and
// how subscriptions begin and end. What calls mean is tested on the heart alone
// (tests/unit/master/external).
#include "tests/component/master/master_lab.hpp"
#include "tests/component/master/subscriber.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <map>

using namespace methos;
using methos::test::FakeExecutor;
using methos::test::MasterLab;
using methos::test::Subscriber;
using nlohmann::json;

namespace {

constexpr const char* scheduler_path = "/api/v1/scheduler";

json subscribe_call(const std::string& framework_id = "") {
    json info = {
        {"user", "root"}, {"name", "test"}, {"failover_timeout", 600.0}, {"role", nullptr}};
    json call;
    call["type"] = "SUBSCRIBE";
    if (!framework_id.empty()) {
        info["id"]["value"] = framework_id;
        call["framework_id"]["value"] = framework_id;
    }
    call["subscribe"]["framework_info"] = std::move(info);
    return call;
}

json call_of(const std::string& framework_id, const char* type) {
    json call;
    call["type"] = type;
    call["framework_id"]["value"] = framework_id;
    return call;
}

struct Framework {
    std::shared_ptr<Subscriber> stream;
    std::string id;
    json subscribed;
};

awaitable<Framework> subscribe(MasterLab& lab, std::string framework_id = "") {
    const auto call = subscribe_call(framework_id).dump();
    Framework framework;
    framework.stream = co_await Subscriber::open(lab.url, scheduler_path, call);
    REQUIRE(framework.stream->status() == 200);
    REQUIRE(framework.stream->header("Content-Type") == "application/json");
    const auto event = co_await framework.stream->event();
    REQUIRE(event.at("type") == "SUBSCRIBED");
    framework.subscribed = event.at("subscribed");
    framework.id = framework.subscribed.at("framework_id").at("value").get<std::string>();
    co_return framework;
}

http::Headers json_headers() {
    http::Headers headers;
    headers.set("Content-Type", "application/json");
    return headers;
}

awaitable<http::ClientResponse> post(MasterLab& lab, std::string body, http::Headers headers) {
    co_return co_await lab.call("POST", scheduler_path, std::move(body), std::move(headers));
}

awaitable<http::ClientResponse> post(MasterLab& lab, Framework& framework, json call) {
    auto headers = json_headers();
    headers.set("Mesos-Stream-Id", framework.stream->header("Mesos-Stream-Id"));
    co_return co_await post(lab, call.dump(), std::move(headers));
}

/// What the operator API says of a framework; null when it is not listed.
awaitable<json> framework_seen(MasterLab& lab, std::string id, std::string list) {
    const auto answer =
        co_await lab.call("POST", "/api/v1", R"({"type":"GET_FRAMEWORKS"})", json_headers());
    REQUIRE(answer.status == 200);
    const auto document = json::parse(answer.body);
    for (const auto& entry : document.at("get_frameworks").at(list)) {
        if (entry.at("framework_info").at("id").at("value") == id) {
            co_return entry;
        }
    }
    co_return json();
}

awaitable<> wait_connected(MasterLab& lab, std::string id, bool connected) {
    for (int tries = 0; tries < 500; ++tries) {
        const auto seen = co_await framework_seen(lab, id, "frameworks");
        if (seen.is_object() && seen.at("connected") == connected) {
            co_return;
        }
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    FAIL("the framework does not become " << (connected ? "connected" : "disconnected"));
}

awaitable<> refusals(MasterLab& lab) {
    const auto subscribing = subscribe_call().dump();
    const auto none = co_await post(lab, subscribing, http::Headers());
    REQUIRE(none.status == 400);
    auto headers = http::Headers();
    headers.set("Content-Type", "application/x-protobuf");
    const auto protobuf = co_await post(lab, subscribing, headers);
    REQUIRE(protobuf.status == 415);
    headers = json_headers();
    headers.set("Accept", "application/x-protobuf");
    const auto not_acceptable = co_await post(lab, subscribing, headers);
    REQUIRE(not_acceptable.status == 406);
    headers = json_headers();
    headers.set("Mesos-Stream-Id", "of-somebody");
    const auto with_id = co_await post(lab, subscribing, headers);
    REQUIRE(with_id.status == 400);

    const auto broken = co_await post(lab, "{\"type\":", json_headers());
    REQUIRE(broken.status == 400);
    REQUIRE(broken.headers.get("Content-Type").value_or("").find("text/plain") == 0);
    const auto wrong = co_await post(
        lab,
        R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":7}}})",
        json_headers());
    REQUIRE(wrong.status == 400);
    CAPTURE(wrong.body);
    REQUIRE(wrong.body.find("framework_info.name") != std::string::npos);
    const auto stranger = co_await post(lab, call_of("nobody", "REVIVE").dump(), json_headers());
    REQUIRE((stranger.status == 400 || stranger.status == 403));
    const auto got = co_await lab.call("GET", scheduler_path);
    REQUIRE(got.status == 405);
    REQUIRE(got.headers.get("Allow") == "POST");
}

awaitable<> a_subscription(MasterLab& lab) {
    auto framework = co_await subscribe(lab);
    REQUIRE(framework.subscribed.at("heartbeat_interval_seconds").get<double>() <= 5.0);
    REQUIRE(framework.subscribed.at("master_info").at("port") == 8080);
    REQUIRE_FALSE(framework.stream->header("Mesos-Stream-Id").empty());
    co_await wait_connected(lab, framework.id, true);

    auto executor = lab.executor();
    co_await executor->join("one");
    const auto offers = co_await framework.stream->next("OFFERS");
    REQUIRE(offers.at("offers").at("offers").at(0).at("hostname") == "one");

    const auto revived = co_await post(lab, framework, call_of(framework.id, "REVIVE"));
    REQUIRE(revived.status == 202);
    REQUIRE(revived.body.empty());
    const auto call = call_of(framework.id, "REVIVE").dump();
    const auto without = co_await post(lab, call, json_headers());
    REQUIRE(without.status == 400);
    REQUIRE(without.body.find("Mesos-Stream-Id") != std::string::npos);
    auto headers = json_headers();
    headers.set("Mesos-Stream-Id", "of-somebody");
    const auto wrong = co_await post(lab, call, headers);
    REQUIRE(wrong.status == 400);

    const auto torn = co_await post(lab, framework, call_of(framework.id, "TEARDOWN"));
    REQUIRE(torn.status == 202);
    auto last = co_await framework.stream->event();
    while (!last.is_null()) { // what was on its way; then the proper end of the body
        last = co_await framework.stream->event();
    }
    const auto completed = co_await framework_seen(lab, framework.id, "completed_frameworks");
    REQUIRE(completed.is_object());
    const auto after = co_await post(lab, framework, call_of(framework.id, "REVIVE"));
    REQUIRE((after.status == 400 || after.status == 403));
}

awaitable<> vanish_and_take_over(MasterLab& lab) {
    auto first = co_await subscribe(lab);
    first.stream->close();
    co_await wait_connected(lab, first.id, false);

    auto second = co_await subscribe(lab, first.id);
    REQUIRE(second.id == first.id);
    co_await wait_connected(lab, first.id, true);

    auto third = co_await subscribe(lab, first.id);
    const auto error = co_await second.stream->next("ERROR");
    REQUIRE(error.at("error").at("message") == "Framework failed over");
    const auto end = co_await second.stream->event();
    REQUIRE(end.is_null());
    const auto stale = co_await post(lab, second, call_of(first.id, "REVIVE"));
    REQUIRE(stale.status == 400);
    const auto current = co_await post(lab, third, call_of(first.id, "REVIVE"));
    REQUIRE(current.status == 202);
    co_await wait_connected(
        lab, first.id, true); // the old stream's end was not taken for the new one's
}

awaitable<> nothing_before_the_commit(MasterLab& lab) {
    lab.store.hold();
    const auto before = lab.store.commits_begun();
    std::shared_ptr<Subscriber> answered;
    TaskGroup tasks(co_await asio::this_coro::executor, [](const std::string&, const Error&) {});
    auto open = [](MasterLab& where, std::shared_ptr<Subscriber>& stream) -> awaitable<> {
        const auto call = subscribe_call().dump();
        stream = co_await Subscriber::open(where.url, scheduler_path, call);
    };
    tasks.spawn("subscribe", open(lab, answered));
    while (lab.store.commits_begun() == before) {
        co_await sleep_for(std::chrono::milliseconds(1));
    }
    for (int i = 0; i < 5; ++i) {
        const auto ping = co_await lab.call("GET", "/ping");
        REQUIRE(ping.status == 200);
    }
    REQUIRE(answered == nullptr);
    lab.store.let_go();
    co_await tasks.join();
    const auto event = co_await answered->event();
    REQUIRE(event.at("type") == "SUBSCRIBED");
}

awaitable<> full_disk(MasterLab& lab) {
    auto framework = co_await subscribe(lab);
    lab.store.fill_disk();
    const auto refused = co_await post(lab, framework, call_of(framework.id, "SUPPRESS"));
    const auto again = co_await post(lab, subscribe_call().dump(), json_headers());
    REQUIRE(again.status == 503);
    if (refused.status != 202) { // it had something to make durable: what was said is undone
        REQUIRE(refused.status == 503);
    }
    auto event = co_await framework.stream->event();
    while (!event.is_null()) { // nobody is left on a connection that the master has forgotten
        event = co_await framework.stream->event();
    }
    lab.store.make_room();
    for (int tries = 0; !lab.shell->refusal().empty() && tries < 1000; ++tries) {
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    auto back = co_await subscribe(lab, framework.id);
    REQUIRE(back.id == framework.id);
}

awaitable<> orderly_end(MasterLab& lab) {
    auto framework = co_await subscribe(lab);
    TaskGroup tasks(co_await asio::this_coro::executor, [](const std::string&, const Error&) {});
    tasks.spawn("close", lab.schedulers->close(std::chrono::seconds(10)));
    auto event = co_await framework.stream->event();
    while (!event.is_null()) {
        event = co_await framework.stream->event();
    }
    co_await tasks.join();
    REQUIRE(lab.schedulers->size() == 0);
    const auto seen = co_await framework_seen(lab, framework.id, "frameworks");
    REQUIRE(seen.at("connected") == true); // the master went, not the framework
}

awaitable<> slow_reader(MasterLab& lab) {
    auto framework = co_await subscribe(lab);
    std::vector<std::string> kept;
    // Nothing is read any more; each question is answered by an update about an unknown task.
    auto question = call_of(framework.id, "RECONCILE");
    question["reconcile"]["tasks"] = json::array();
    for (int i = 0; i < 500; ++i) {
        json task;
        task["task_id"]["value"] = std::string(200, 'x') + std::to_string(i);
        question["reconcile"]["tasks"].push_back(std::move(task));
    }
    int status = 202;
    for (int tries = 0; status == 202 && tries < 2000; ++tries) {
        const auto answer = co_await post(lab, framework, question);
        status = answer.status;
    }
    REQUIRE((status == 400 || status == 403));
    REQUIRE(lab.schedulers->size() == 0);
    const auto seen = co_await framework_seen(lab, framework.id, "frameworks");
    REQUIRE(seen.at("connected") == false);
    const auto error = co_await framework.stream->next("ERROR");
    REQUIRE(error.at("error").at("message").get<std::string>().find("too slowly") !=
            std::string::npos);
    const auto end = co_await framework.stream->event();
    REQUIRE(end.is_null());
}

json one_cpu_task(const std::string& id, const json& agent_id) {
    json task = json::parse(R"({"resources":[
            {"name":"cpus","type":"SCALAR","scalar":{"value":1}},
            {"name":"mem","type":"SCALAR","scalar":{"value":1}}],
        "command":{"value":"serve","shell":true},
        "container":{"type":"DOCKER","docker":{"image":"busybox"}}})");
    task["name"] = id;
    task["task_id"]["value"] = id;
    task["agent_id"] = agent_id;
    return task;
}

/// Takes one cpu of each offer, for ever; is in `running` from its subscription on.
awaitable<> be_greedy(MasterLab& lab, std::string role, std::map<std::string, int>& running) {
    auto call = subscribe_call();
    call["subscribe"]["framework_info"]["roles"] = json::array();
    call["subscribe"]["framework_info"]["roles"].push_back(role);
    call["subscribe"]["framework_info"]["capabilities"] = json::parse(R"([{"type":"MULTI_ROLE"}])");
    Framework framework;
    framework.stream = co_await Subscriber::open(lab.url, scheduler_path, call.dump());
    const auto subscribed = co_await framework.stream->next("SUBSCRIBED");
    framework.id = subscribed.at("subscribed").at("framework_id").at("value").get<std::string>();
    running[role] = 0;
    for (int number = 0;;) {
        const auto event = co_await framework.stream->event();
        if (event.at("type") == "OFFERS") {
            for (const auto& offer : event.at("offers").at("offers")) {
                json accept;
                accept["offer_ids"].push_back(offer.at("id"));
                accept["filters"]["refuse_seconds"] = 0;
                json launch;
                launch["type"] = "LAUNCH";
                launch["launch"]["task_infos"].push_back(
                    one_cpu_task(role + std::to_string(++number), offer.at("agent_id")));
                accept["operations"].push_back(std::move(launch));
                auto answer = call_of(framework.id, "ACCEPT");
                answer["accept"] = std::move(accept);
                const auto taken = co_await post(lab, framework, std::move(answer));
                REQUIRE(taken.status == 202);
            }
        } else if (event.at("type") == "UPDATE") {
            const auto& status = event.at("update").at("status");
            running[role] += status.at("state") == "TASK_RUNNING" ? 1 : 0;
        }
    }
}

awaitable<> run_what_comes(FakeExecutor& executor) {
    for (;;) {
        const auto frame = co_await executor.next(wire::Frame::kLaunch);
        for (const auto& task : frame.launch().tasks()) {
            executor.report(task, TaskState::Running);
        }
    }
}

awaitable<> beat(FakeExecutor& executor) {
    for (;;) {
        executor.beat();
        co_await sleep_for(std::chrono::milliseconds(200));
    }
}

awaitable<> weights(MasterLab& lab) {
    const auto set = co_await lab.call(
        "POST",
        "/api/v1",
        R"({"type":"UPDATE_WEIGHTS","update_weights":{"weight_infos":[{"role":"big","weight":2}]}})",
        json_headers());
    REQUIRE(set.status == 202);
    TaskGroup tasks(co_await asio::this_coro::executor, [](const std::string&, const Error&) {});
    std::map<std::string, int> running;
    tasks.spawn("big", be_greedy(lab, "big", running));
    tasks.spawn("small", be_greedy(lab, "small", running));
    for (int tries = 0; running.size() < 2 && tries < 2000; ++tries) {
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(running.size() == 2);
    std::vector<std::unique_ptr<FakeExecutor>> executors;
    for (int i = 0; i < 3; ++i) { // 12 cpus
        executors.push_back(lab.executor());
        co_await executors.back()->join("h" + std::to_string(i));
        tasks.spawn("executor", run_what_comes(*executors.back()));
        tasks.spawn("beats", beat(*executors.back()));
    }
    for (int tries = 0; running["big"] + running["small"] < 12 && tries < 2000; ++tries) {
        co_await sleep_for(std::chrono::milliseconds(10));
    }
    tasks.stop();
    co_await tasks.join();
    CAPTURE(running["big"], running["small"]);
    REQUIRE(running["big"] + running["small"] == 12);
    // 8 and 4 by shares; but who is slow to answer holds whole hosts meanwhile, and counts as rich.
    REQUIRE(running["big"] >= 7);
    REQUIRE(running["small"] >= 1);
}

} // namespace

SCENARIO("what is no call of Mesos's scheduler API is refused as Mesos refuses it") {
    MasterLab().run(refusals);
}

SCENARIO("a framework subscribes, calls, and tears itself down") {
    MasterLab().run(a_subscription);
}

SCENARIO("a framework that vanished may come back, and one that is there be taken over") {
    MasterLab().run(vanish_and_take_over);
}

SCENARIO("a subscription is durable before its framework hears of it") {
    MasterLab().run(nothing_before_the_commit);
}

SCENARIO("when the disk is full no framework stays subscribed to what was undone") {
    MasterLab().run(full_disk);
}

SCENARIO("a master that stops ends its subscriptions in order") {
    MasterLab().run(orderly_end);
}

SCENARIO("a framework that does not read is told so, and disconnected") {
    MasterLab lab;
    lab.scheduler_limits.bytes_max = 256 * 1024;
    lab.run(slow_reader);
}

SCENARIO("frameworks share the hosts as their roles' weights say") {
    MasterLab().run(weights);
}
