// Times, units, errors, ids and backoff: what is read, what is refused, and that printing and
// reading agree.
#include "core/base/backoff.hpp"
#include "core/base/glob.hpp"
#include "core/base/ids.hpp"
#include "core/base/units.hpp"
#include "tests/support/catch.hpp"

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <set>
#include <system_error>

using namespace methos;
using namespace std::chrono_literals;

TEST_CASE("wall times print and read as Marathon's versions") {
    WallTime time;
    REQUIRE(parse_wall_time("2014-03-01T23:42:20.938Z", time));
    CHECK(format_wall_time(time) == "2014-03-01T23:42:20.938Z");
    REQUIRE(parse_wall_time("1969-12-31T23:59:59.5Z", time));
    CHECK(time.time_since_epoch() == -500ms);
    CHECK(format_wall_time(time) == "1969-12-31T23:59:59.500Z");
    REQUIRE(parse_wall_time("2024-02-29T00:00:00.123456789Z", time));
    CHECK(format_wall_time(time) == "2024-02-29T00:00:00.123Z");

    const auto before = time;
    for (const std::string bad : {"",
                                  "2014-03-01",
                                  "2014-03-01T23:42:20",
                                  "2014-03-01T23:42:20.Z",
                                  "2014-03-01T23:42:20Zx",
                                  "2014-03-01 23:42:20Z",
                                  "2014-3-01T23:42:20Z",
                                  "2014-02-30T00:00:00Z",
                                  "2014-03-01T24:00:00Z",
                                  "2014-03-01T-1:00:00Z",
                                  "2014-03-01T 1:00:00Z",
                                  "+014-03-01T01:00:00Z"}) {
        INFO(bad);
        CHECK_FALSE(parse_wall_time(bad, time));
        CHECK(time == before);
    }
}

TEST_CASE("durations need a unit") {
    CHECK(*parse_duration("0") == 0s);
    CHECK(*parse_duration("500ms") == 500ms);
    CHECK(*parse_duration("1h30m") == 90min);
    CHECK(*parse_duration("1.5s") == 1500ms);
    CHECK(*parse_duration("1m1ms") == 60'001ms);
    for (const auto* bad :
         {"", "5", "-5s", "s", "5 s", "5x", "1s-1s", "nans", "infs", "1e9s", "99999999999h"}) {
        INFO(bad);
        REQUIRE_FALSE(parse_duration(bad));
        CHECK(parse_duration(bad).error().code == Code::InvalidInput);
    }
    for (const auto duration : std::initializer_list<Duration>{0s, 500ms, 1500ms, 59s, 90s, 2h}) {
        CHECK(*parse_duration(format_duration(duration)) == duration);
    }
}

TEST_CASE("sizes read with and without a unit") {
    CHECK(*parse_bytes("4096") == 4096);
    CHECK(*parse_bytes("20GiB") == 20LL << 30);
    CHECK(*parse_bytes("1.5KiB") == 1536);
    CHECK(*parse_bytes("512MB") == 512'000'000);
    CHECK(*parse_bytes("1G") == 1LL << 30);
    for (const auto* bad : {"", "-1", "x", "1XB", "1KiBx", "nan", "1e30", "9999999TiB"}) {
        INFO(bad);
        CHECK_FALSE(parse_bytes(bad));
    }
    CHECK(format_bytes(1536) == "1.5KiB");
    CHECK(format_bytes(12) == "12B");
}

TEST_CASE("whole numbers are just digits") {
    CHECK(*parse_int("42", 0, 100) == 42);
    CHECK(*parse_int("-5", -10, 10) == -5);
    for (const auto* bad : {"", "-0", "+1", " 1", "1 ", "1.0", "0x1", "101", "-1"}) {
        INFO(bad);
        CHECK_FALSE(parse_int(bad, 0, 100));
    }
}

TEST_CASE("addresses have a host and a port") {
    CHECK(*parse_host_port("127.0.0.1:8080") == HostPort{"127.0.0.1", 8080});
    CHECK(*parse_host_port("[::1]:0") == HostPort{"::1", 0});
    CHECK(format_host_port({"::1", 80}) == "[::1]:80");
    for (const auto* bad : {"",
                            ":80",
                            "host",
                            "host:",
                            "host:65536",
                            "host:-1",
                            "::1:80",
                            "[]:80",
                            "[::1]",
                            "[a:1"}) {
        INFO(bad);
        CHECK_FALSE(parse_host_port(bad));
    }
}

TEST_CASE("every code has its own row of the table") {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(Code::Internal); ++code) {
        const auto& row = traits_of(static_cast<Code>(code));
        CHECK(row.code == static_cast<Code>(code));
        names.insert(row.name);
    }
    CHECK(names.size() == 12);
}

TEST_CASE("exceptions become errors with their cause") {
    const auto of = [](auto exception) {
        return error_of(std::make_exception_ptr(std::move(exception)));
    };
    CHECK(of(Failure(Code::NotFound, "x")).code == Code::NotFound);
    const auto disk = of(std::system_error(ENOSPC, std::generic_category()));
    CHECK(disk.code == Code::ResourceExhausted);
    CHECK(disk.cause == Cause{Cause::Kind::Errno, ENOSPC});
    const boost::system::error_code reset(ECONNRESET, boost::system::system_category());
    const auto lost = of(boost::system::system_error(reset, "read"));
    CHECK(lost.code == Code::Unavailable);
    CHECK(lost.cause == Cause{Cause::Kind::Errno, ECONNRESET});
    // As Asio says it of an operation whose coroutine was cancelled.
    const boost::system::error_code aborted(ECANCELED, boost::system::system_category());
    CHECK(of(boost::system::system_error(aborted)).code == Code::Cancelled);
    CHECK(of(std::system_error(ECANCELED, std::generic_category())).code == Code::Cancelled);
    CHECK(of(std::runtime_error("x")).code == Code::Internal);
    CHECK(error_of(nullptr).code == Code::Internal);
    CHECK(
        Error(Code::Timeout, "slow").with_context("while a").with_context("while b").to_string() ==
        "slow (while a; while b)");
}

TEST_CASE("ids are random and well formed") {
    CHECK(random_hex(16).size() == 32);
    CHECK(random_hex(16) != random_hex(16));
    const auto uuid = random_uuid();
    REQUIRE(uuid.size() == 36);
    CHECK(uuid[14] == '4');
    CHECK(uuid[8] == '-');
    CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
}

TEST_CASE("a backoff grows to its cap, and starts again after a success") {
    Backoff backoff({100ms, 500ms, 2.0, 0.0}, [] { return 0.5; });
    CHECK(backoff.next() == 100ms);
    CHECK(backoff.next() == 200ms);
    CHECK(backoff.next() == 400ms);
    CHECK(backoff.next() == 500ms);
    CHECK(backoff.next() == 500ms);
    backoff.reset();
    CHECK(backoff.next() == 100ms);
    Backoff jittered({100ms, 500ms, 2.0, 0.2}, [] { return 0.5; });
    CHECK(jittered.next() == 90ms);
}

TEST_CASE("globs match whole names") {
    CHECK(matches_glob("*.example.com", "a.b.example.com"));
    CHECK_FALSE(matches_glob("*.example.com", "example.com"));
    CHECK_FALSE(matches_glob("*.example.com", "a.example.com.evil"));
    CHECK(matches_glob("*", ""));
    CHECK(matches_glob("r?.io", "r1.io"));
}
