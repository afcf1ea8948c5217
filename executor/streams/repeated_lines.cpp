#include "executor/streams/repeated_lines.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

namespace methos::streams {

namespace {

/// A WallTime is cut to milliseconds, a line's time is not.
constexpr auto wall_time_step = std::chrono::milliseconds(2);

} // namespace

void RepeatedLines::take_out(std::vector<LogLine>& lines, WallTime now) {
    const docker::UnixNanos nanos =
        std::chrono::nanoseconds((now + wall_time_step).time_since_epoch()).count();
    std::erase_if(lines, [this, nanos](const LogLine& line) { return is_repeated(line, nanos); });
}

bool RepeatedLines::is_repeated(const LogLine& line, docker::UnixNanos now) {
    if (line.time == 0) {
        return false;
    }
    auto& newest = newest_.at(static_cast<std::size_t>(line.channel));
    const auto text_hash = std::hash<std::string>()(line.text);
    const bool was_told =
        line.time < newest.time || (line.time == newest.time && text_hash == newest.text_hash);
    const bool clock_was_set_back = newest.time > now;
    if (was_told && !clock_was_set_back) {
        return true;
    }
    newest.time = line.time;
    newest.text_hash = text_hash;
    return false;
}

} // namespace methos::streams
