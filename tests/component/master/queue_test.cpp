// GET /v2/queue and DELETE of a delay: what Marathon's clients are told of instances that wait.
#include "tests/component/master/master_lab.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using methos::test::FakeExecutor;
using methos::test::MasterLab;
using nlohmann::json;

namespace {

std::string app(const std::string& id, double cpus, const std::string& more = "") {
    return R"({"id":")" + id + R"(","cpus":)" + std::to_string(cpus) +
           R"(,"mem":32,"instances":3,"cmd":"serve","backoffSeconds":300,
               "container":{"type":"DOCKER","docker":{"image":"busybox"}})" +
           more + "}";
}

awaitable<json> queue(MasterLab& lab, std::string query = "") {
    const auto answer = co_await lab.call("GET", "/v2/queue" + query);
    REQUIRE(answer.status == 200);
    co_return json::parse(answer.body).at("queue");
}

awaitable<> join(MasterLab& lab, FakeExecutor& executor) {
    co_await executor.join("one");
    std::function<bool(const json&)> up = [](const json& document) {
        return document.at("hosts").size() == 1 && document.at("hosts").at(0).at("state") == "UP";
    };
    (void)co_await lab.get_until("/methos/v1/hosts", std::move(up));
}

const json& row(const json& item, const std::string& reason) {
    for (const auto& entry : item.at("processedOffersSummary").at("rejectSummaryLastOffers")) {
        if (entry.at("reason") == reason) {
            return entry;
        }
    }
    FAIL("no row for " << reason);
    return item;
}

awaitable<> reasons(MasterLab& lab) {
    auto executor = lab.executor();
    co_await join(lab, *executor);
    REQUIRE((co_await queue(lab)).empty());
    const std::string picky = R"(,"constraints":[["rack","IS","a"]])";
    for (const auto& definition : {app("/large", 100), app("/picky", 0.1, picky)}) {
        const auto created = co_await lab.call("POST", "/v2/apps", definition);
        REQUIRE(created.status == 201);
    }
    const auto items = co_await queue(lab);
    REQUIRE(items.size() == 2);
    const auto& large = items.at(0);
    REQUIRE(large.at("app").at("id") == "/large");
    REQUIRE(large.at("count") == 3);
    REQUIRE(large.at("delay") == json({{"timeLeftSeconds", 0}, {"overdue", true}}));
    REQUIRE(large.at("since").get<std::string>().back() == 'Z');
    REQUIRE(row(large, "UnfulfilledConstraint").at("declined") == 0);
    REQUIRE(row(large, "InsufficientCpus").at("declined") == 1);
    REQUIRE(row(large, "InsufficientCpus").at("processed") == 1);
    REQUIRE(row(large, "InsufficientMemory").at("processed") == 0);
    REQUIRE_FALSE(large.contains("lastUnusedOffers"));
    REQUIRE(row(items.at(1), "UnfulfilledConstraint").at("declined") == 1);

    const auto embedded = co_await queue(lab, "?embed=lastUnusedOffers");
    const auto& unused = embedded.at(0).at("lastUnusedOffers").at(0);
    REQUIRE(unused.at("reason") == json::array({"InsufficientCpus"}));
    REQUIRE(unused.at("offer").at("hostname") == "one");
    REQUIRE(unused.at("offer").at("resources").at(0).at("scalar") == 4.0);
}

awaitable<> delays(MasterLab& lab) {
    auto executor = lab.executor();
    co_await join(lab, *executor);
    const auto created = co_await lab.call("POST", "/v2/apps", app("/shop/web", 0.1));
    REQUIRE(created.status == 201);
    const auto launches = co_await executor->next(wire::Frame::kLaunch);
    executor->report(launches.launch().tasks(0), TaskState::Failed);
    std::function<bool(const json&)> waits = [](const json& document) {
        return document.at("queue").size() == 1;
    };
    const auto item = (co_await lab.get_until("/v2/queue", std::move(waits))).at("queue").at(0);
    REQUIRE(item.at("count") == 1);
    REQUIRE(item.at("delay").at("overdue") == false);
    REQUIRE(item.at("delay").at("timeLeftSeconds").get<int>() > 200);

    const auto unknown = co_await lab.call("DELETE", "/v2/queue/shop/other/delay");
    REQUIRE(unknown.status == 404);
    REQUIRE(json::parse(unknown.body).at("message") ==
            "Application /shop/other not found in tasks queue.");
    const auto reset = co_await lab.call("DELETE", "/v2/queue//shop/web/delay");
    REQUIRE(reset.status == 204);
    const auto next = co_await executor->next(wire::Frame::kLaunch);
    REQUIRE(next.launch().tasks_size() == 1);
}

} // namespace

SCENARIO("the queue says what waits and how many hosts fall to which reason") {
    MasterLab().run(reasons);
}

SCENARIO("a delayed app is tried at once when its delay is reset") {
    MasterLab().run(delays);
}
