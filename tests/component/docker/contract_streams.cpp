// What an Engine promises of what flows: events, logs with and without a terminal, and the output
// of commands run inside a container.
#include "executor/streams/log_reader.hpp"
#include "tests/component/docker/bench.hpp"
#include "tests/component/docker/contract.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <set>

namespace methos::test::contract {

namespace {

using namespace docker;

awaitable<std::vector<streams::LogLine>> read_log(Case& test, LogQuery query, bool tty) {
    auto body = co_await test.engine.logs(test.name, query);
    streams::LogFormat format;
    format.tty = tty;
    format.timestamps = query.timestamps;
    streams::LogReader reader(std::move(body).value(), format);
    std::vector<streams::LogLine> all;
    for (;;) {
        const auto lines = co_await reader.read();
        if (lines.empty()) {
            co_return all;
        }
        all.insert(all.end(), lines.begin(), lines.end());
    }
}

std::vector<std::string> texts_of(const std::vector<streams::LogLine>& lines, Channel channel) {
    std::vector<std::string> texts;
    for (const auto& line : lines) {
        if (line.channel == channel) {
            texts.push_back(line.text);
        }
    }
    return texts;
}

awaitable<void> events_tell_what_happens(Engine& engine) {
    Case test(engine);
    EventQuery query;
    query.types = {"container"};
    query.labels.emplace_back("methos.contract", test.name);
    auto events = co_await engine.events(query);
    const auto id = co_await create(test, test.script("exit 3"));
    co_await start(test);
    co_await wait_for_exit(test);
    co_await remove(test);
    std::set<std::string> seen;
    UnixNanos first = 0;
    UnixNanos last = 0;
    while (seen.count("destroy") == 0) {
        const auto event = co_await events->next();
        REQUIRE(event);
        CHECK(event->type == "container");
        CHECK(event->id == id);
        CHECK(event->time > 0);
        first = first == 0 ? event->time : first;
        last = event->time;
        if (event->action == "die") {
            CHECK(event->exit_code() == 3);
        }
        seen.insert(event->action);
    }
    const std::set<std::string> wanted{"create", "start", "die", "destroy"};
    CHECK(std::includes(seen.begin(), seen.end(), wanted.begin(), wanted.end()));

    query.since = first;
    query.actions = {"die"};
    auto replay = co_await engine.events(query);
    const auto again = co_await replay->next();
    REQUIRE(again);
    CHECK(again->action == "die");
    CHECK(again->id == id);

    query.until = last; // with an end in the past the stream ends too
    auto past = co_await engine.events(query);
    const auto of_past = co_await past->next();
    REQUIRE(of_past);
    CHECK(of_past->time == again->time);
    const auto end_of_past = co_await past->next();
    CHECK_FALSE(end_of_past);
}

awaitable<void> logs_are_read_as_lines(Engine& engine) {
    Case test(engine);
    co_await create(
        test,
        test.script("echo one; echo two; head -c 40000 /dev/zero | tr '\\0' x; echo; echo bad >&2; "
                    "exit 0"));
    co_await start(test);
    LogQuery query;
    query.follow = true; // ends with the container
    const auto lines = co_await read_log(test, query, false);
    const auto out = texts_of(lines, Channel::Out);
    REQUIRE(out.size() >= 3);
    CHECK(out[0] == "one");
    CHECK(out[1] == "two");
    CHECK(out[2] == std::string(40000, 'x')); // three parts of a line, joined
    CHECK(texts_of(lines, Channel::Err) == std::vector<std::string>{"bad"});
    CHECK(std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.time > 0; }));
    co_await wait_for_exit(test);

    LogQuery errors;
    errors.out = false;
    errors.timestamps = false;
    const auto bad = co_await read_log(test, errors, false);
    REQUIRE(bad.size() == 1);
    CHECK(bad[0].text == "bad");
    CHECK(bad[0].time == 0);

    LogQuery since;
    since.err = false;
    since.since = lines[1].time;
    const auto later = co_await read_log(test, since, false);
    REQUIRE_FALSE(later.empty());
    CHECK(later[0].text == "two"); // inclusive

    LogQuery tail;
    tail.tail = 1;
    const auto last = co_await read_log(test, tail, false);
    CHECK(last.size() == 1);
    co_await remove(test);
}

awaitable<void> a_terminals_log_is_raw(Engine& engine) {
    Case test(engine);
    auto config = test.script("echo one; echo two; exit 0");
    config.tty = true;
    co_await create(test, config);
    co_await start(test);
    const auto state = co_await wait_for_exit(test);
    CHECK(state.tty);
    LogQuery query;
    const auto lines = co_await read_log(test, query, state.tty);
    CHECK(texts_of(lines, Channel::Out) == std::vector<std::string>{"one", "two"});
    co_await remove(test);
}

awaitable<void> commands_run_inside(Engine& engine) {
    Case test(engine);
    co_await create(test, test.script("exec sleep 1000"));
    co_await start(test);
    ExecRequest request;
    request.command = {"/bin/sh", "-c", "echo hello; exit 5"};
    const auto result = (co_await engine.exec(test.name, request)).value();
    CHECK(result.exit_code == 5);
    CHECK(result.output == "hello\n");
    const auto killed = co_await engine.kill_container(test.name, "SIGKILL");
    CHECK(killed.has_value());
    co_await wait_for_exit(test);
    const auto late = co_await engine.exec(test.name, request);
    REQUIRE_FALSE(late);
    CHECK(late.error().fault == EngineFault::NotRunning);
    co_await remove(test);
}

} // namespace

std::vector<Clause> stream_clauses() {
    return {
        {"events tell what happens", events_tell_what_happens},
        {"logs are read as lines", logs_are_read_as_lines},
        {"a terminal's log is raw", a_terminals_log_is_raw},
        {"commands run inside", commands_run_inside},
    };
}

} // namespace methos::test::contract
