// Time as the decisions see it: a pair of a monotonic instant (for deadlines) and a wall instant
// (for what is shown and stored). Only a Clock reads the machine's clocks; pure code gets `Now`.
#pragma once

#include <chrono>
#include <string>

namespace methos {

using Duration = std::chrono::nanoseconds;

/// The monotonic clock's instants. They mean nothing outside this process and are never stored.
using MonoTime = std::chrono::steady_clock::time_point;

/// Wall-clock instants, UTC. The only ones that are stored or shown.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

struct Now {
    MonoTime mono;
    WallTime wall;
};

class Clock {
  public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;
    [[nodiscard]] virtual Now now() const = 0;
};

class SystemClock final : public Clock {
  public:
    [[nodiscard]] Now now() const override;
};

/// "2014-03-01T23:42:20.938Z": ISO 8601 with milliseconds, as Marathon prints versions.
[[nodiscard]] std::string format_wall_time(WallTime time);

/// Reads what format_wall_time prints; with or without fraction, up to nanoseconds. False when
/// malformed; `time` is then unchanged.
[[nodiscard]] bool parse_wall_time(const std::string& text, WallTime& time);

} // namespace methos
