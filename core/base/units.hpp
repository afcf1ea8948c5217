// Text forms of durations, sizes and addresses, as flags and files carry them. Pure.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace methos {

/// "30s", "500ms", "5m", "1h30m", "0". A bare number other than 0 is refused: the unit must be
/// said.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(Duration duration);

/// "20GiB", "512MB" (10^6), "4096" (bytes), "1.5GiB". Result in bytes, at most 2^62.
[[nodiscard]] Result<std::int64_t> parse_bytes(std::string_view text);
[[nodiscard]] std::string format_bytes(std::int64_t bytes);

/// A whole decimal number of the given range; refuses signs, blanks and trailing text.
[[nodiscard]] Result<std::int64_t>
parse_int(std::string_view text, std::int64_t min, std::int64_t max);

struct HostPort {
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// "127.0.0.1:8080", "[::1]:8080", "name:80". Port 0 is legal (any free port).
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text);
[[nodiscard]] std::string format_host_port(const HostPort& address);

} // namespace methos
