// A rotated log's follower tells lines again; no line of the log itself may be taken for one of
// those. The lines are made by hand, in the order in which Docker 20.10 was seen to tell them.
#include "executor/streams/repeated_lines.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace methos::streams {

namespace {

constexpr auto noon = WallTime(std::chrono::hours(24) * 20'000);
constexpr docker::UnixNanos noon_ns = std::chrono::nanoseconds(noon.time_since_epoch()).count();

LogLine line(docker::UnixNanos after_noon,
             const std::string& text,
             docker::Channel channel = docker::Channel::Out) {
    LogLine made;
    made.time = noon_ns + after_noon;
    made.channel = channel;
    made.text = text;
    return made;
}

/// What is left of these lines, told one after the other or as one.
std::vector<std::string> left_of(const std::vector<LogLine>& lines, WallTime now, bool as_one) {
    RepeatedLines repeated;
    std::vector<std::string> left;
    const auto told = [&](std::vector<LogLine> some) {
        repeated.take_out(some, now);
        for (const auto& kept : some) {
            left.push_back(kept.text);
        }
    };
    if (as_one) {
        told(lines);
    } else {
        for (const auto& single : lines) {
            told({single});
        }
    }
    return left;
}

} // namespace

TEST_CASE("what a rotated log's follower tells again is left out, and nothing else") {
    const bool as_one = GENERATE(true, false);
    const auto one_line_again = {line(1, "1"), line(2, "2"), line(2, "2"), line(3, "3")};
    CHECK(left_of(one_line_again, noon, as_one) == std::vector<std::string>{"1", "2", "3"});

    const auto a_file_again = {line(1, "1"),
                               line(2, "2"),
                               line(3, "3"),
                               line(1, "1"),
                               line(2, "2"),
                               line(3, "3"),
                               line(4, "4")};
    CHECK(left_of(a_file_again, noon, as_one) == std::vector<std::string>{"1", "2", "3", "4"});
}

TEST_CASE("lines that only look alike are told") {
    const bool as_one = GENERATE(true, false);
    const auto same_text = {line(1, "tick"), line(2, "tick")};
    CHECK(left_of(same_text, noon, as_one).size() == 2);

    const auto same_time = {line(1, "1"), line(1, "2"), line(1, "3")};
    CHECK(left_of(same_time, noon, as_one).size() == 3);

    // stdout and stderr are read by two, each with the clock of its own moment.
    const auto two_channels = {line(2, "out"), line(1, "err", docker::Channel::Err)};
    CHECK(left_of(two_channels, noon, as_one).size() == 2);

    auto without_time = line(0, "same");
    without_time.time = 0;
    CHECK(left_of({without_time, without_time}, noon, as_one).size() == 2);
}

TEST_CASE("a clock that was set back costs no lines") {
    const bool as_one = GENERATE(true, false);
    const docker::UnixNanos hour = std::chrono::nanoseconds(std::chrono::hours(1)).count();
    const auto lines = {line(hour, "before"), line(1, "after"), line(2, "more"), line(2, "more")};
    CHECK(left_of(lines, noon, as_one) == std::vector<std::string>{"before", "after", "more"});
}

} // namespace methos::streams
