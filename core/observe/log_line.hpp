// What a log line looks like and when a repeated one is left out: the pure half of log.cpp, so that
// it is tested without a sink or a clock. Owned by core/observe; others use log.hpp.
#pragma once

#include "core/base/clock.hpp"
#include "core/observe/log.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace methos::log {

constexpr std::size_t value_bytes_max = 4096; ///< of a message or a value; the rest is cut
constexpr std::size_t limited_keys_max = 1024;
constexpr Duration limited_interval = std::chrono::seconds(1);

/// `message key=value key="two words"`. Nothing a value holds can end the line or start another
/// field: control characters, quotes and bytes that a terminal would obey are written as escapes.
[[nodiscard]] std::string format_line(std::string_view message, Fields fields);

/// Decides which of many lines with the same key is written. Not thread-safe.
class RateLimiter {
  public:
    /// Empty: leave it out. Otherwise the number of lines of this key left out since the last one.
    [[nodiscard]] std::optional<std::uint64_t> admit(std::string_view key, MonoTime now);

  private:
    struct Seen {
        MonoTime written;
        std::uint64_t left_out = 0;
    };

    void forget_old(MonoTime now);
    std::map<std::string, Seen, std::less<>> seen_;
};

} // namespace methos::log
