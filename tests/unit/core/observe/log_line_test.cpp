// A log line is one line whatever its values hold, and a repeated one is limited: the pure half of
// the logs.
#include "core/observe/log_line.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::log;

TEST_CASE("a line has a message and plain fields") {
    REQUIRE(format_line("host joined", {{"host", "a-1"}, {"tasks", 3}}) ==
            "host joined host=a-1 tasks=3");
    REQUIRE(format_line("ready", {}) == "ready");
}

TEST_CASE("values that are more than a word are quoted") {
    REQUIRE(format_line("m", {{"k", "two words"}}) == R"(m k="two words")");
    REQUIRE(format_line("m", {{"k", ""}}) == R"(m k="")");
    REQUIRE(format_line("m", {{"k", R"(a"b\c)"}}) == R"(m k="a\"b\\c")");
    REQUIRE(format_line("m", {{"k", "a=b"}}) == R"(m k="a=b")");
}

TEST_CASE("no value can end its line, start another or talk to a terminal") {
    const auto attack = GENERATE(as<std::string>(),
                                 "x\n2026-01-01T00:00:00.000Z error forged",
                                 "x\r\nforged",
                                 "\x1b[2J",
                                 std::string("a\0b", 3),
                                 "\xC2\x9B"
                                 "2J",
                                 "\x7f");
    for (const auto& line : {format_line(attack, {}), format_line("m", {{"k", attack}})}) {
        CAPTURE(line);
        for (const char c : line) {
            const auto byte = static_cast<unsigned char>(c);
            REQUIRE(byte >= 0x20);
            REQUIRE(byte != 0x7F);
        }
        REQUIRE(line.find("\xC2\x9B") == std::string::npos);
    }
    REQUIRE(format_line("m", {{"k", "a\nb"}}) == R"(m k="a\nb")");
}

TEST_CASE("text of other languages is kept") {
    REQUIRE(format_line("m", {{"k", "grüße"}}) == "m k=\"grüße\"");
}

TEST_CASE("a line has an end") {
    const std::string huge(1'000'000, 'x');
    REQUIRE(format_line(huge, {{"k", huge}}).size() < 3 * value_bytes_max);
}

TEST_CASE("of many lines of one key, one a second is written and the others are counted") {
    RateLimiter limiter;
    const MonoTime start{};
    REQUIRE(limiter.admit("a", start) == 0U);
    REQUIRE_FALSE(limiter.admit("a", start + std::chrono::milliseconds(999)));
    REQUIRE_FALSE(limiter.admit("a", start + std::chrono::milliseconds(999)));
    REQUIRE(limiter.admit("b", start) == 0U);
    REQUIRE(limiter.admit("a", start + std::chrono::seconds(1)) == 2U);
    REQUIRE(limiter.admit("a", start + std::chrono::seconds(5)) == 0U);
}

TEST_CASE("endless keys do not make endless lines or memory") {
    RateLimiter limiter;
    const MonoTime start{};
    std::size_t written = 0;
    for (int i = 0; i < 10'000; ++i) {
        written += limiter.admit("key" + std::to_string(i), start) ? 1U : 0U;
    }
    REQUIRE(written <= limited_keys_max);
    REQUIRE(limiter.admit("new", start + std::chrono::seconds(2)) == 0U);
}

TEST_CASE("levels are known by name") {
    REQUIRE(set_level("warning"));
    REQUIRE(set_level("info"));
    const auto wrong = set_level("loud");
    REQUIRE_FALSE(wrong);
    REQUIRE(wrong.error().code == Code::InvalidInput);
    REQUIRE(wrong.error().message.find("trace, debug, info, warning, error") != std::string::npos);
}
