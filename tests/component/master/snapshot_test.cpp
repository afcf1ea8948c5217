// GET /methos/v1/snapshot of a whole master: what it holds is what the store holds, the heart goes
// on meanwhile, and a disk that takes no writes does not keep anybody from saving the state.
#include "core/state/snapshot.hpp"
#include "tests/component/master/master_lab.hpp"
#include "tests/support/catch.hpp"

#include <map>
#include <sstream>

using namespace methos;
using methos::test::MasterLab;

namespace {

using Records = std::map<std::pair<state::Table, std::uint64_t>, std::string>;

std::string app(const std::string& id) {
    return R"({"id":")" + id + R"(","cmd":"serve","container":{"docker":{"image":"busybox"}}})";
}

Records stored(MasterLab& lab) {
    Records records;
    lab.store.load([&records](state::Table table, std::uint64_t key, const std::string& value) {
        records[{table, key}] = value;
    });
    return records;
}

state::SnapshotSummary read(const std::string& bytes, Records& records) {
    std::istringstream in(bytes);
    return state::read_snapshot(
        in,
        [](const state::SnapshotHeader&) {},
        [&records](const state::Record& record) {
            records[{record.table, record.key}] = record.value;
        });
}

awaitable<> whole(MasterLab& lab) {
    auto executor = lab.executor();
    co_await executor->join("one");
    for (const auto* id : {"/a", "/b", "/c"}) {
        const auto created = co_await lab.call("POST", "/v2/apps", app(id));
        REQUIRE(created.status == 201);
    }
    const auto response = co_await lab.call("GET", "/methos/v1/snapshot");
    REQUIRE(response.status == 200);
    REQUIRE(response.headers.get("Content-Type") == "application/octet-stream");
    Records records;
    const auto summary = read(response.body, records);
    const auto& cluster = lab.shell->heart().cluster();
    REQUIRE(summary.header.cluster == cluster.id());
    REQUIRE(summary.header.epoch == cluster.epoch());
    REQUIRE(summary.header.schema == state::schema_version);
    REQUIRE(summary.records.at(state::Table::App) == 3);
    REQUIRE(summary.records.at(state::Table::Host) == 1);
    // What was answered is in it; what is still under way may have been added since.
    for (const auto& [place, value] : stored(lab)) {
        REQUIRE((records.contains(place) || place.first == state::Table::Task));
    }
    REQUIRE(response.body.find(methos::test::admin_token) == std::string::npos);
    REQUIRE(response.body.find(methos::test::join_secret) == std::string::npos);
}

awaitable<> of_a_full_disk(MasterLab& lab) {
    const auto created = co_await lab.call("POST", "/v2/apps", app("/a"));
    REQUIRE(created.status == 201);
    lab.store.fill_disk();
    const auto refused = co_await lab.call("POST", "/v2/apps", app("/b"));
    REQUIRE(refused.status >= 500);
    const auto response = co_await lab.call("GET", "/methos/v1/snapshot");
    REQUIRE(response.status == 200);
    Records records;
    (void)read(response.body, records);
    REQUIRE(records == stored(lab));
    lab.store.make_room();
}

awaitable<> of_a_large_state(MasterLab& lab) {
    constexpr std::uint64_t count = 300;
    for (std::uint64_t key = 1; key <= count; ++key) {
        lab.store.commit({{{state::Table::Role, key, std::string(10'000, 'x')}}});
    }
    const auto response = co_await lab.call("GET", "/methos/v1/snapshot");
    REQUIRE(response.status == 200);
    Records records;
    const auto summary = read(response.body, records);
    REQUIRE(summary.records.at(state::Table::Role) == count);
    REQUIRE(records == stored(lab));
}

} // namespace

SCENARIO("a snapshot holds what the master has made durable, and no secret") {
    MasterLab().run(whole);
}

SCENARIO("a master whose disk is full gives its state away") {
    MasterLab().run(of_a_full_disk);
}

SCENARIO("a state of many slices arrives whole") {
    MasterLab().run(of_a_large_state);
}
