// The asynchronous tools: who is woken, in which order, and what cancellation leaves behind.
#include "core/runtime/async.hpp"
#include "core/runtime/timeout.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>

using namespace methos;

namespace {

void ignore_errors(const std::string&, const Error&) {}

void run(asio::io_context& context, awaitable<> body) {
    std::exception_ptr failure;
    auto done = [&failure](const std::exception_ptr& exception) { failure = exception; };
    asio::co_spawn(context, std::move(body), std::move(done));
    context.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

awaitable<> turn() {
    for (int i = 0; i < 10; ++i) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
}

awaitable<> count_wake(Signal& signal, int& woken) {
    co_await signal.wait();
    ++woken;
}

awaitable<> fail_now() {
    co_await turn();
    throw Failure(Code::NotFound, "not there");
}

awaitable<> hold(Semaphore& semaphore, std::vector<int>& order, int number) {
    const auto permit = co_await semaphore.acquire();
    order.push_back(number);
    co_await turn();
}

} // namespace

TEST_CASE("one notify wakes every waiter, once") {
    asio::io_context context;
    Signal signal(context.get_executor());
    TaskGroup tasks(context.get_executor(), ignore_errors);
    int woken = 0;
    auto body = [](Signal& s, TaskGroup& group, int& count) -> awaitable<> {
        for (int i = 0; i < 3; ++i) {
            auto child = count_wake(s, count);
            group.spawn("waiter", std::move(child));
        }
        s.notify();
        co_await group.join();
        CHECK(count == 3);
        const bool again = co_await s.wait_for(std::chrono::milliseconds(1));
        CHECK_FALSE(again);
        s.notify();
        s.notify();
        const bool remembered = co_await s.wait_for(std::chrono::minutes(1));
        CHECK(remembered);
    };
    run(context, body(signal, tasks, woken));
}

TEST_CASE("a deadline passes an early failure on at once and cuts a late operation") {
    asio::io_context context;
    auto body = []() -> awaitable<> {
        std::optional<Code> early;
        try {
            auto child = fail_now();
            co_await with_timeout(std::move(child), std::chrono::hours(1), "the call");
        } catch (const Failure& failure) {
            early = failure.code();
        }
        CHECK(early == Code::NotFound);
        std::optional<Error> late;
        try {
            auto child = sleep_for(std::chrono::hours(1));
            co_await with_timeout(std::move(child), std::chrono::milliseconds(1), "the call");
        } catch (const Failure& failure) {
            late = failure.error();
        }
        REQUIRE(late);
        CHECK(late->code == Code::Timeout);
        CHECK(late->message == "the call took longer than 1ms");
    };
    run(context, body());
}

TEST_CASE("permits go round in order, and a cancelled waiter takes none with it") {
    asio::io_context context;
    Semaphore semaphore(context.get_executor(), 1);
    TaskGroup cancelled(context.get_executor(), ignore_errors);
    TaskGroup tasks(context.get_executor(), ignore_errors);
    std::vector<int> order;
    auto body =
        [](Semaphore& s, TaskGroup& lost, TaskGroup& group, std::vector<int>& o) -> awaitable<> {
        auto held = co_await s.acquire();
        auto first = hold(s, o, 1);
        lost.spawn("cancelled", std::move(first));
        for (int number = 2; number < 5; ++number) {
            auto child = hold(s, o, number);
            group.spawn("waiter", std::move(child));
        }
        CHECK(s.waiting() == 4);
        held = Semaphore::Permit(); // granted to the first, which is cancelled before it runs
        lost.stop();
        co_await lost.join();
        co_await group.join();
        CHECK(o == std::vector<int>({2, 3, 4}));
        const auto free_again = co_await s.acquire();
    };
    run(context, body(semaphore, cancelled, tasks, order));
}

TEST_CASE("a group reports failures but no cancellations, and stops what comes late too") {
    asio::io_context context;
    std::vector<std::string> failed;
    auto note = [&failed](const std::string& name, const Error& error) {
        failed.push_back(name + ": " + error.message);
    };
    TaskGroup tasks(context.get_executor(), note);
    auto body = [](TaskGroup& group) -> awaitable<> {
        auto failing = fail_now();
        group.spawn("failing", std::move(failing));
        co_await group.join();
        auto sleeping = sleep_for(std::chrono::hours(1));
        group.spawn("sleeping", std::move(sleeping));
        group.stop();
        auto late = sleep_for(std::chrono::hours(1));
        group.spawn("late", std::move(late));
        co_await group.join();
        CHECK(group.size() == 0);
    };
    run(context, body(tasks));
    CHECK(failed == std::vector<std::string>({"failing: not there"}));
}

TEST_CASE("blocking work returns its value or its exception to the loop") {
    asio::io_context context;
    asio::thread_pool pool(1);
    auto body = [](asio::thread_pool& workers) -> awaitable<> {
        std::function<int()> give = [] { return 7; };
        const int seven = co_await run_blocking<int>(workers, std::move(give));
        CHECK(seven == 7);
        std::optional<Code> code;
        try {
            std::function<void()> fail = [] { throw Failure(Code::Conflict, "locked"); };
            co_await run_blocking<void>(workers, std::move(fail));
        } catch (const Failure& failure) {
            code = failure.code();
        }
        CHECK(code == Code::Conflict);
    };
    run(context, body(pool));
    pool.join();
}
