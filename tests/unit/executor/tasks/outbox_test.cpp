// Status updates: one outstanding per task, again until acknowledged, again in a new session.
#include "executor/tasks/outbox.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

TaskStatus status_of(const std::string& name, TaskState state, std::uint64_t number = 0) {
    TaskStatus status;
    status.name = TaskName(name);
    status.number = TaskNumber(number);
    status.state = state;
    return status;
}

const MonoTime start{1000s};

} // namespace

SCENARIO("updates of one task go one at a time, in order") {
    StatusOutbox outbox;
    outbox.session_opened();
    outbox.add(status_of("a", TaskState::Running), true);
    outbox.add(status_of("a", TaskState::Finished), true);
    outbox.add(status_of("b", TaskState::Running), true);
    const auto first = outbox.take_due(start);
    REQUIRE(first.size() == 2);
    CHECK(first[0].state == TaskState::Running);
    CHECK(outbox.take_due(start).empty());

    WHEN("the first is acknowledged") {
        const auto acked = outbox.ack(TaskNumber(), TaskName("a"), first[0].stamp);
        REQUIRE(acked);
        CHECK_FALSE(acked->terminal);
        const auto second = outbox.take_due(start);
        REQUIRE(second.size() == 1);
        CHECK(second[0].state == TaskState::Finished);
        CHECK(second[0].stamp > first[0].stamp);
        CHECK(outbox.ack(TaskNumber(), TaskName("a"), second[0].stamp)->terminal);
        CHECK(outbox.outstanding(TaskName("a")) == nullptr);
    }
    WHEN("an ACK of another stamp or task comes") {
        CHECK_FALSE(outbox.ack(TaskNumber(), TaskName("a"), first[0].stamp + 50));
        CHECK_FALSE(outbox.ack(TaskNumber(), TaskName("c"), first[0].stamp));
        CHECK(outbox.outstanding(TaskName("a"))->state == TaskState::Running);
    }
    WHEN("no ACK comes") {
        CHECK(outbox.next_due() == start + 1s);
        CHECK(outbox.take_due(start + 1s).size() == 2);
        CHECK(outbox.next_due() == start + 3s); // 1 s, 2 s, 4 s, 8 s, 10 s, 10 s
        CHECK(outbox.take_due(start + 2s).empty());
    }
    WHEN("the session is lost and another opens") {
        outbox.session_closed();
        CHECK(outbox.take_due(start + 1min).empty());
        CHECK_FALSE(outbox.next_due());
        outbox.session_opened();
        CHECK(outbox.take_due(start + 1min).size() == 2);
    }
}

SCENARIO("what needs no ACK is sent once, and not over what is outstanding") {
    StatusOutbox outbox;
    outbox.add(status_of("a", TaskState::Staging), false); // no session: nobody would hear it
    outbox.session_opened();
    CHECK(outbox.take_due(start).empty());
    outbox.add(status_of("a", TaskState::Starting), false);
    const auto sent = outbox.take_due(start);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].stamp == 0);
    outbox.add(status_of("a", TaskState::Running), true);
    outbox.add(status_of("a", TaskState::Killing), false);
    CHECK(outbox.take_due(start).size() == 1);
}

SCENARIO("an ACK by number finds the task") {
    StatusOutbox outbox;
    outbox.session_opened();
    outbox.add(status_of("a", TaskState::Running, 7), true);
    const auto stamp = outbox.take_due(start).front().stamp;
    CHECK(outbox.ack(TaskNumber(7), TaskName(), stamp)->name.value == "a");
}

SCENARIO("health that changes for hours without a master takes the room of one update") {
    StatusOutbox outbox;
    outbox.session_opened();
    outbox.add(status_of("a", TaskState::Running), true);
    const auto first = outbox.take_due(start);
    outbox.session_closed();
    for (int i = 0; i < 1000; ++i) {
        auto changed = status_of("a", TaskState::Running);
        changed.healthy = i % 2 == 0;
        outbox.add(changed, true);
    }
    auto over = status_of("a", TaskState::Killed);
    outbox.add(over, true);
    outbox.session_opened();
    std::vector<TaskStatus> told;
    for (int i = 0; i < 3; ++i) {
        const auto due = outbox.take_due(start);
        REQUIRE(due.size() == 1);
        told.push_back(due.front());
        REQUIRE(outbox.ack(TaskNumber(), TaskName("a"), due.front().stamp));
    }
    CHECK(told[0].stamp == first.front().stamp); // it may have been on its way
    CHECK(told[1].healthy == false);             // the last word
    CHECK(told[2].state == TaskState::Killed);
    CHECK(outbox.take_due(start).empty());
}

} // namespace methos::executor
