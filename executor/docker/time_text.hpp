// Times as the Engine prints them: RFC 3339 with up to nine digits of fraction.
#pragma once

#include "executor/docker/values.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace methos::docker {

/// "2026-11-22T10:43:19.123456789Z", or with an offset "+01:00". Years before 1970 (the Engine's
/// "0001-01-01T00:00:00Z" for never) are 0. Nothing when malformed.
[[nodiscard]] std::optional<UnixNanos> parse_time(std::string_view text);

/// "1700000000.123456789": what `since` and `until` take.
[[nodiscard]] std::string format_since(UnixNanos time);

} // namespace methos::docker
