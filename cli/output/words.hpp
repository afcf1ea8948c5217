// Values in the words people use: ages, sizes, counts with their noun. Pure.
#pragma once

#include "core/base/clock.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace methos::cli {

/// "4s", "12m", "3h", "5d": the largest whole unit; up to two minutes in seconds, up to two hours
/// in minutes, up to two days in hours. A negative age (clocks that differ) is "0s".
[[nodiscard]] std::string age_of(Duration age);

/// How long before `now` an ISO 8601 instant was; empty when the text is none.
[[nodiscard]] std::string age_since(const std::string& instant, WallTime now);

/// "1 instance", "3 instances".
[[nodiscard]] std::string counted(std::int64_t count, std::string_view noun);

/// "0.5", "2", "1.25": at most three decimals, none that is not needed.
[[nodiscard]] std::string plain_number(double value);

/// Megabytes, as the API counts memory and disk, in the unit that reads best: "512 MB", "7.5 GB".
[[nodiscard]] std::string megabytes(double value);

/// "a, b and c"
[[nodiscard]] std::string listed(const std::vector<std::string>& items);

} // namespace methos::cli
