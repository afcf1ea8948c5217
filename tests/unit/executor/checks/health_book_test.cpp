// Health checks as values under virtual time: what one check makes of its results, what a task's
// checks say together, and that probes of a host full of tasks are spread and never overlap.
#include "executor/checks/health_book.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Verdict = ProbeResult::Verdict;

const TaskName web("web.1");
const ProbeResult good{Verdict::Good, ""};
const ProbeResult bad{Verdict::Bad, "HTTP 503"};
const ProbeResult nothing{Verdict::Void, ""};

HealthCheck check_with(Duration delay, Duration grace, std::uint32_t failures_max) {
    HealthCheck check;
    check.port = 80;
    check.delay = delay;
    check.grace = grace;
    check.interval = 10s;
    check.timeout = 5s;
    check.failures_max = failures_max;
    return check;
}

/// A host with a clock that moves when told; first probes are not spread.
struct Bench {
    void watch(std::vector<HealthCheck> checks, Duration age = 0s) {
        CheckedTask task;
        task.checks = std::move(checks);
        task.container_id = "c1";
        task.host_network = true;
        task.age = age;
        book.watch(web, task, now);
    }

    /// Goes to the next probe and answers it.
    std::optional<HealthVerdict> answer_next(const ProbeResult& result) {
        REQUIRE(book.next_due());
        now = std::max(now, *book.next_due());
        const auto due = book.take_due(now);
        REQUIRE(due.size() == 1);
        return book.take(due.front(), result, now);
    }

    MonoTime now = MonoTime(1000s);
    HealthBook book{[] { return 0.0; }};
};

} // namespace

TEST_CASE("A task is healthy from its first success on, and that is told once") {
    Bench bench;
    bench.watch({check_with(15s, 0s, 3)});
    REQUIRE(bench.book.next_due() == bench.now + 15s);
    CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""});
    REQUIRE(bench.book.next_due() == bench.now + 10s);
    CHECK_FALSE(bench.answer_next(good));
}

TEST_CASE("A probe is not repeated while one is under way") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 3)});
    const auto due = bench.book.take_due(bench.now);
    REQUIRE(due.size() == 1);
    CHECK(bench.book.take_due(bench.now + 1h).empty());
    CHECK_FALSE(bench.book.next_due());
    bench.now += 60s; // it took longer than the interval
    (void)bench.book.take(due.front(), good, bench.now);
    CHECK(bench.book.next_due() == bench.now + 10s);
}

TEST_CASE("Failures in a row, not failures in all, bring the end") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 3)});
    CHECK(bench.answer_next(bad) == HealthVerdict{false, false, "HTTP 503"});
    CHECK_FALSE(bench.answer_next(bad));
    CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""});
    CHECK(bench.answer_next(bad) == HealthVerdict{false, false, "HTTP 503"});
    CHECK_FALSE(bench.answer_next(bad));
    CHECK(bench.answer_next(bad) == HealthVerdict{false, true, "HTTP 503 (3 failures in a row)"});
    CHECK_FALSE(bench.answer_next(bad)); // said once; the lifecycle remembers
}

TEST_CASE("With no number of failures a task is never killed for its health") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 0)});
    CHECK(bench.answer_next(bad) == HealthVerdict{false, false, "HTTP 503"});
    for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(bench.answer_next(bad));
    }
}

TEST_CASE("Within the grace period failures do not count, until the first success") {
    Bench bench;
    bench.watch({check_with(0s, 25s, 1)});
    SECTION("a task that starts slowly lives") {
        CHECK_FALSE(bench.answer_next(bad));                              // at 0 s
        CHECK_FALSE(bench.answer_next(bad));                              // at 10 s
        CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""}); // at 20 s
    }
    SECTION("one that never works is killed after it") {
        CHECK_FALSE(bench.answer_next(bad));
        CHECK_FALSE(bench.answer_next(bad));
        CHECK_FALSE(bench.answer_next(bad));
        CHECK(bench.answer_next(bad) == HealthVerdict{false, true, "HTTP 503"});
    }
    SECTION("one that has worked has no grace any more") {
        (void)bench.answer_next(good);
        CHECK(bench.answer_next(bad) == HealthVerdict{false, true, "HTTP 503"});
    }
}

TEST_CASE("What says nothing about the task changes nothing") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 2)});
    CHECK_FALSE(bench.answer_next(nothing));
    (void)bench.answer_next(bad);
    CHECK_FALSE(bench.answer_next(nothing));
    CHECK(bench.answer_next(bad)->kill);
}

TEST_CASE("A task that is found again is probed soon, and keeps what is left of its grace") {
    Bench bench;
    SECTION("an old one has none left, and needs all failures again") {
        bench.watch({check_with(15s, 300s, 2)}, 2h);
        CHECK(bench.book.next_due() == bench.now);
        CHECK(bench.answer_next(bad) == HealthVerdict{false, false, "HTTP 503"});
        CHECK(bench.answer_next(bad)->kill);
    }
    SECTION("a young one still has some") {
        bench.watch({check_with(0s, 300s, 1)}, 200s);
        CHECK_FALSE(bench.answer_next(bad));
    }
    SECTION("a start in the future (the wall clock was set back) is one just now") {
        bench.watch({check_with(15s, 0s, 1)}, -2h);
        CHECK(bench.book.next_due() == bench.now + 15s);
    }
}

TEST_CASE("Several checks: healthy is who passes all, ill is who fails one") {
    Bench bench;
    auto other = check_with(5s, 0s, 0);
    bench.watch({check_with(0s, 0s, 3), other});
    CHECK_FALSE(bench.answer_next(good)); // the other has not said anything yet
    CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""});
    CHECK_FALSE(bench.answer_next(good));
    CHECK(bench.answer_next(bad) == HealthVerdict{false, false, "HTTP 503"});
    CHECK_FALSE(bench.answer_next(good)); // of the first: the second is still ill
    CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""});
}

TEST_CASE("A result that comes after its task was forgotten counts for nobody") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 1)});
    const auto old = bench.book.take_due(bench.now);
    REQUIRE(old.size() == 1);
    bench.book.forget(web);
    CHECK_FALSE(bench.book.take(old.front(), bad, bench.now));
    bench.watch({check_with(0s, 0s, 1)}); // the same name again
    CHECK_FALSE(bench.book.take(old.front(), bad, bench.now));
    CHECK(bench.answer_next(good) == HealthVerdict{true, false, ""});
}

TEST_CASE("A container that is watched already goes on as it was") {
    Bench bench;
    bench.watch({check_with(0s, 0s, 2)});
    (void)bench.answer_next(bad);
    bench.watch({check_with(0s, 0s, 2)});
    CHECK(bench.answer_next(bad)->kill);
}

TEST_CASE("A host full of tasks is not probed all at once") {
    int drawn = 0;
    HealthBook book([&drawn] { return (drawn++ % 100) / 100.0; });
    const auto now = MonoTime(1000s);
    for (int i = 0; i < 100; ++i) {
        CheckedTask task;
        task.checks = {check_with(0s, 0s, 3)};
        task.container_id = "c" + std::to_string(i);
        task.host_network = true;
        task.age = 1h;
        book.watch(TaskName("web." + std::to_string(i)), task, now);
    }
    std::size_t most = 0;
    std::size_t all = 0;
    for (auto at = now; at <= now + 10s; at += 1s) {
        const auto due = book.take_due(at).size();
        most = std::max(most, due);
        all += due;
    }
    CHECK(all == 100);
    CHECK(most <= 11);
}

TEST_CASE("Who is asked: the container's address of the wanted kind, or the host's loopback") {
    HealthBook book([] { return 0.0; });
    CheckedTask task;
    task.container_id = "c1";
    auto check = check_with(0s, 0s, 3);
    const auto asked = [&] {
        task.checks = {check};
        book.watch(web, task, MonoTime(1000s));
        return book.take_due(MonoTime(1000s)).at(0).address;
    };
    SECTION("host network") {
        task.host_network = true;
        CHECK(asked() == "127.0.0.1");
    }
    SECTION("host network, IPv6") {
        task.host_network = true;
        check.ipv6 = true;
        CHECK(asked() == "::1");
    }
    SECTION("bridge") {
        task.ip_addresses = {"fd00::2", "172.17.0.2"};
        CHECK(asked() == "172.17.0.2");
    }
    SECTION("a bridge without IPv6") {
        task.ip_addresses = {"172.17.0.2"};
        check.ipv6 = true;
        CHECK(asked().empty());
    }
}

TEST_CASE("A task whose address is not known is asked nowhere, until it is") {
    HealthBook book([] { return 0.0; });
    CheckedTask task;
    task.checks = {check_with(0s, 0s, 1)};
    task.container_id = "c1";
    task.age = 1h;
    auto now = MonoTime(1000s);
    book.watch(web, task, now);
    CHECK(book.take_due(now).empty());
    REQUIRE(book.next_due() == now + 10s); // looked into again, as often as it would be probed
    now += 10s;
    CHECK(book.take_due(now).empty());
    task.ip_addresses = {"172.17.0.2"};
    book.watch(web, task, now);
    const auto due = book.take_due(now);
    REQUIRE(due.size() == 1);
    CHECK(due[0].address == "172.17.0.2");
    CHECK(book.take(due[0], good, now) == HealthVerdict{true, false, ""});
}

TEST_CASE("A task's commands run one after the other, and each has its turn") {
    HealthBook book([] { return 0.0; });
    CheckedTask task;
    task.checks = {check_with(0s, 0s, 0), check_with(0s, 0s, 0), check_with(0s, 0s, 0)};
    for (auto& check : task.checks) {
        check.kind = ProbeKind::Command;
        check.interval = 1s;
    }
    task.checks.push_back(check_with(0s, 0s, 0)); // a request waits for no command
    task.container_id = "c1";
    task.host_network = true;
    auto now = MonoTime(1000s);
    book.watch(web, task, now);
    auto due = book.take_due(now);
    REQUIRE(due.size() == 2);
    CHECK(due[0].index == 0);
    CHECK(due[1].index == 3);
    CHECK_FALSE(book.next_due()); // nor is it looked at in vain
    for (const std::size_t next : {1U, 2U, 0U, 1U}) {
        now += 5s; // longer than the interval
        (void)book.take(due[0], good, now);
        now += 1s;
        due = book.take_due(now);
        REQUIRE(due.size() == 1);
        CHECK(due[0].index == next);
    }
}

TEST_CASE("What one probe may take is bounded, and who takes long is told apart") {
    HealthBook book([] { return 0.0; });
    CheckedTask task;
    task.checks = {check_with(0s, 0s, 0)};
    task.checks[0].kind = ProbeKind::Command;
    task.container_id = "c1";
    auto now = MonoTime(1000s);
    const auto next = [&] {
        now = book.next_due().value();
        return book.take_due(now).at(0);
    };
    SECTION("a timeout of days, and one of nothing") {
        task.checks[0].timeout = 24h;
        book.watch(web, task, now);
        auto probe = next();
        CHECK(probe.limit == 10min);
        CHECK(probe.slow);
        task.container_id = "c2";
        task.checks[0].timeout = 1ms;
        book.watch(web, task, now);
        probe = next();
        CHECK(probe.limit == 100ms);
        CHECK_FALSE(probe.slow);
    }
    SECTION("one that hung, until it ends in its time") {
        book.watch(web, task, now);
        auto probe = next();
        CHECK(probe.limit == 5s);
        CHECK_FALSE(probe.slow);
        (void)book.take(probe, ProbeResult{Verdict::Bad, "overdue", true}, now);
        probe = next();
        CHECK(probe.slow);
        (void)book.take(probe, nothing, now); // says nothing, changes nothing
        probe = next();
        CHECK(probe.slow);
        (void)book.take(probe, bad, now);
        CHECK_FALSE(next().slow);
    }
}

TEST_CASE("A command needs no address") {
    HealthBook book([] { return 0.0; });
    CheckedTask task;
    task.checks = {check_with(0s, 0s, 1)};
    task.checks[0].kind = ProbeKind::Command;
    task.container_id = "c1";
    book.watch(web, task, MonoTime(1000s));
    CHECK(book.take_due(MonoTime(1000s)).size() == 1);
}

} // namespace methos::executor
