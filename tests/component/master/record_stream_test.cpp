// The queue behind a SUBSCRIBE answer: order, limits, heartbeats, and who is told of its end.
#include "core/runtime/timeout.hpp"
#include "master/api/record_stream.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

using namespace methos;
using master::RecordBudget;
using master::RecordLimits;
using master::RecordStream;

namespace {

struct Bench {
    asio::io_context context;
    std::shared_ptr<RecordBudget> budget = std::make_shared<RecordBudget>();
    int ends = 0;

    std::shared_ptr<RecordStream> open(RecordLimits limits = RecordLimits()) {
        return std::make_shared<RecordStream>(
            context.get_executor(), limits, budget, "beat", [this] { ++ends; });
    }

    /// The next record; empty at the end.
    std::string read(RecordStream& stream) {
        std::string record;
        std::exception_ptr failure;
        auto pulling = pull(stream, record);
        auto limited = with_timeout(std::move(pulling), std::chrono::seconds(10), "reading");
        asio::co_spawn(context, std::move(limited), [&failure](const std::exception_ptr& thrown) {
            failure = thrown;
        });
        context.restart();
        context.run();
        if (failure) {
            std::rethrow_exception(failure);
        }
        return record;
    }

    static awaitable<> pull(RecordStream& stream, std::string& into) {
        auto record = co_await stream.read();
        into = record.value_or("");
    }
};

} // namespace

TEST_CASE("records come in order, each with its length in bytes") {
    Bench bench;
    const auto stream = bench.open();
    REQUIRE(stream->push("one"));
    REQUIRE(stream->push("{\"a\":\"\xc3\xa9\"}"));
    stream->push_first("first");
    stream->finish();
    REQUIRE_FALSE(stream->push("too late"));
    REQUIRE(bench.read(*stream) == "5\nfirst");
    REQUIRE(bench.read(*stream) == "3\none");
    REQUIRE(bench.read(*stream) == "10\n{\"a\":\"\xc3\xa9\"}");
    REQUIRE(bench.read(*stream).empty());
    REQUIRE(bench.budget->bytes == 0);
}

TEST_CASE("what waits is bounded in records, in bytes, and for all streams together") {
    Bench bench;
    RecordLimits limits;
    SECTION("records") {
        limits.records_max = 2;
        const auto stream = bench.open(limits);
        REQUIRE(stream->push("a"));
        REQUIRE(stream->push("b"));
        REQUIRE_FALSE(stream->push("c"));
        REQUIRE(bench.read(*stream) == "1\na");
        REQUIRE(stream->push("c"));
    }
    SECTION("bytes; one record alone always passes") {
        limits.bytes_max = 10;
        const auto stream = bench.open(limits);
        REQUIRE(stream->push(std::string(100, 'x')));
        REQUIRE_FALSE(stream->push("y"));
        stream->cut();
        REQUIRE(bench.read(*stream).empty());
    }
    SECTION("the budget") {
        bench.budget->bytes_max = 10;
        const auto one = bench.open();
        const auto two = bench.open();
        REQUIRE(one->push("1234567"));
        REQUIRE(two->push("1234567"));
        REQUIRE_FALSE(two->push("8"));
        REQUIRE(bench.read(*one) == "7\n1234567");
        REQUIRE(bench.budget->bytes == 9);
    }
}

TEST_CASE("a stream that overflows ends with what is said last") {
    Bench bench;
    const auto stream = bench.open();
    REQUIRE(stream->push("one"));
    stream->finish_with("sorry");
    REQUIRE(bench.read(*stream) == "5\nsorry");
    REQUIRE(bench.read(*stream).empty());
    REQUIRE(bench.ends == 0); // its reader has not gone yet
    stream->abandon();
    stream->abandon();
    REQUIRE(bench.ends == 1);
}

TEST_CASE("heartbeats come when nothing else does, but never first") {
    Bench bench;
    RecordLimits limits;
    limits.heartbeat_interval = std::chrono::milliseconds(1);
    const auto stream = bench.open(limits);
    REQUIRE(stream->push("hello"));
    REQUIRE(bench.read(*stream) == "5\nhello");
    REQUIRE(bench.read(*stream) == "4\nbeat");
    REQUIRE(bench.read(*stream) == "4\nbeat");
}

TEST_CASE("whoever drops the body has ended the stream") {
    Bench bench;
    auto stream = bench.open();
    REQUIRE(stream->push("one"));
    stream.reset();
    REQUIRE(bench.ends == 1);
    REQUIRE(bench.budget->bytes == 0);
}
