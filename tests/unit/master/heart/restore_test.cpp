// What a restored state means to the heart: hosts run tasks that it does not know, and those are
// not killed before their grace; what it does know is killed as ever. And records of a newer Methos
// are refused.
#include "core/state/meta.pb.h"
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::test::HeartLab;

namespace {

using Records = std::map<std::pair<state::Table, std::uint64_t>, std::string>;
constexpr std::pair<state::Table, std::uint64_t> meta_place(state::Table::Meta, state::meta_key);

/// As a restore leaves the records of the cluster.
Records restored(const HeartLab& lab) {
    auto records = lab.records();
    state::MetaRecord meta;
    REQUIRE(meta.ParseFromString(records.at(meta_place)));
    meta.set_restored_at_ms(lab.now().wall.time_since_epoch().count());
    meta.set_numbers_reserved(meta.numbers_reserved() + 1'000'000);
    meta.set_restored_from_number(meta.numbers_reserved());
    records.at(meta_place) = meta.SerializeAsString();
    return records;
}

/// An app with one running instance, made after the records that are restored were read; the host
/// is back with it.
TaskStatus run_and_restore(HeartLab& lab) {
    lab.join("a");
    const auto records = restored(lab);
    REQUIRE(lab.put(HeartLab::app("/late", 1)));
    lab.run_all();
    const auto status =
        HeartLab::status(lab.tasks_in(TaskState::Running).at(0), TaskState::Running);
    lab.restart_from(records);
    (void)lab.take_sent<cluster::SendKill>();
    lab.join("a", {status});
    return status;
}

} // namespace

SCENARIO("a task that a restored state does not know is killed after a grace") {
    HeartLab lab;
    const auto status = run_and_restore(lab);
    THEN("it goes on for that long, whatever it reports meanwhile") {
        lab.report("a", status);
        lab.live(59s);
        REQUIRE(lab.take_sent<cluster::SendKill>().empty());
        lab.live(2s);
        const auto kills = lab.take_sent<cluster::SendKill>();
        REQUIRE(kills.size() == 1);
        REQUIRE(kills[0].name == status.name);
        AND_THEN("it gets no second one") {
            lab.join("a", {status});
            REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
        }
    }
    THEN("a host that comes back does not begin it anew") {
        lab.live(40s);
        lab.close("a");
        lab.join("a", {status});
        lab.live(19s);
        REQUIRE(lab.take_sent<cluster::SendKill>().empty());
        lab.live(2s);
        REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
    }
    THEN("one that ends by itself is not killed") {
        auto ended = status;
        ended.state = TaskState::Finished;
        lab.report("a", ended);
        lab.live(70s);
        REQUIRE(lab.take_sent<cluster::SendKill>().empty());
    }
    THEN("what the restored master itself ended is killed at once") {
        REQUIRE(lab.put(HeartLab::app("/new", 1)));
        const auto task = lab.tasks_in(TaskState::Staging).at(0);
        lab.report(task, TaskState::Failed);
        lab.report("a", HeartLab::status(task, TaskState::Running));
        REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
    }
}

SCENARIO("a day after a restore an unknown task is killed at once") {
    HeartLab lab;
    auto status = run_and_restore(lab);
    lab.live(61s);
    (void)lab.take_sent<cluster::SendKill>();
    lab.advance(24h);
    lab.kill_and_restart();
    lab.join("a", {status});
    REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
}

SCENARIO("a state that was never restored knows all its tasks: an unknown one is killed at once") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    auto stranger = HeartLab::status(lab.tasks_in(TaskState::Staging).at(0), TaskState::Running);
    stranger.number = TaskNumber();
    stranger.name = TaskName("somebody-else");
    lab.report("a", stranger);
    REQUIRE(lab.take_sent<cluster::SendKill>().size() == 1);
}

SCENARIO("a restored state gives out no number twice") {
    HeartLab lab;
    const auto status = run_and_restore(lab);
    REQUIRE(lab.put(HeartLab::app("/late", 1)));
    const auto again = lab.tasks_in(TaskState::Staging).at(0);
    REQUIRE(again.number.value > status.number.value);
    REQUIRE(again.name != status.name);
}

SCENARIO("records of a newer Methos are refused by name") {
    HeartLab lab;
    auto records = restored(lab);
    state::MetaRecord meta;
    REQUIRE(meta.ParseFromString(records.at(meta_place)));
    REQUIRE(meta.schema() == state::schema_version);
    meta.set_schema(state::schema_version + 1);
    records.at(meta_place) = meta.SerializeAsString();
    try {
        lab.restart_from(records);
        FAIL("it was loaded");
    } catch (const Failure& failure) {
        REQUIRE(failure.code() == Code::Conflict);
        REQUIRE(failure.error().message.find("newer Methos") != std::string::npos);
    }
}
