#include "executor/docker/values.hpp"

#include "core/base/units.hpp"
#include "executor/docker/time_text.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace methos::docker {

namespace {

constexpr std::int64_t nanos_per_second = 1'000'000'000;

/// Reads exactly `digits` digits at the front of `text` and drops them.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) {
        return std::nullopt;
    }
    int number = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const char digit = text[i];
        if (digit < '0' || digit > '9') {
            return std::nullopt;
        }
        number = number * 10 + (digit - '0');
    }
    text.remove_prefix(digits);
    return number;
}

bool take(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// The fraction behind the dot, as nanoseconds; digits beyond the ninth are dropped.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    std::int64_t nanos = 0;
    std::int64_t weight = nanos_per_second / 10;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        nanos += weight * (text.front() - '0');
        weight /= 10;
        ++digits;
        text.remove_prefix(1);
    }
    if (digits == 0) {
        return std::nullopt;
    }
    return nanos;
}

/// "Z", "+01:00" or "-01:00" and nothing behind it, as seconds east of Greenwich.
std::optional<int> take_zone(std::string_view text) {
    if (text == "Z" || text == "z") {
        return 0;
    }
    const bool west = take(text, '-');
    if (!west && !take(text, '+')) {
        return std::nullopt;
    }
    const auto hours = take_number(text, 2);
    const bool colon = take(text, ':');
    const auto minutes = take_number(text, 2);
    if (!hours || !colon || !minutes || !text.empty() || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    const int seconds = *hours * 3600 + *minutes * 60;
    return west ? -seconds : seconds;
}

struct StatusName {
    ContainerStatus status;
    const char* name;
};

constexpr std::array<StatusName, 7> status_names{{{ContainerStatus::Created, "created"},
                                                  {ContainerStatus::Running, "running"},
                                                  {ContainerStatus::Paused, "paused"},
                                                  {ContainerStatus::Restarting, "restarting"},
                                                  {ContainerStatus::Removing, "removing"},
                                                  {ContainerStatus::Exited, "exited"},
                                                  {ContainerStatus::Dead, "dead"}}};

} // namespace

std::string ApiVersion::to_string() const {
    return std::to_string(major) + "." + std::to_string(minor);
}

std::optional<ApiVersion> parse_api_version(const std::string& text) {
    const auto dot = text.find('.');
    if (dot == std::string::npos) {
        return std::nullopt;
    }
    constexpr int number_max = 9999;
    const auto major = parse_int(std::string_view(text).substr(0, dot), 0, number_max);
    const auto minor = parse_int(std::string_view(text).substr(dot + 1), 0, number_max);
    if (!major || !minor) {
        return std::nullopt;
    }
    return ApiVersion{static_cast<int>(*major), static_cast<int>(*minor)};
}

const char* to_string(Transport transport) {
    switch (transport) {
    case Transport::Tcp:
        return "tcp";
    case Transport::Udp:
        return "udp";
    case Transport::Sctp:
        return "sctp";
    }
    return "tcp";
}

ContainerStatus parse_container_status(const std::string& text) {
    for (const auto& row : status_names) {
        if (text == row.name) {
            return row.status;
        }
    }
    return ContainerStatus::Unknown;
}

const char* to_string(ContainerStatus status) {
    for (const auto& row : status_names) {
        if (status == row.status) {
            return row.name;
        }
    }
    return "unknown";
}

std::optional<int> Event::exit_code() const {
    const auto found = attributes.find("exitCode");
    if (found == attributes.end()) {
        return std::nullopt;
    }
    int code = 0;
    const char* end = found->second.data() + found->second.size();
    const auto parsed = std::from_chars(found->second.data(), end, code);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
        return std::nullopt;
    }
    return code;
}

std::string PullProgress::to_string() const {
    constexpr double megabyte = 1e6;
    std::array<char, 96> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%.1f/%.1f MB, %d/%d layers",
                  static_cast<double>(bytes_done) / megabyte,
                  static_cast<double>(bytes_total) / megabyte,
                  layers_done,
                  layers_total);
    return text.data();
}

std::optional<UnixNanos> parse_time(std::string_view text) {
    const auto year = take_number(text, 4);
    const bool first_dash = take(text, '-');
    const auto month = take_number(text, 2);
    const bool second_dash = take(text, '-');
    const auto day = take_number(text, 2);
    const bool separator = take(text, 'T') || take(text, 't') || take(text, ' ');
    const auto hour = take_number(text, 2);
    const bool first_colon = take(text, ':');
    const auto minute = take_number(text, 2);
    const bool second_colon = take(text, ':');
    const auto second = take_number(text, 2);
    if (!year || !first_dash || !month || !second_dash || !day || !separator || !hour ||
        !first_colon || !minute || !second_colon || !second) {
        return std::nullopt;
    }
    std::int64_t nanos = 0;
    if (take(text, '.')) {
        const auto fraction = take_fraction(text);
        if (!fraction) {
            return std::nullopt;
        }
        nanos = *fraction;
    }
    const auto zone = take_zone(text);
    const std::chrono::year_month_day date(std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!zone || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    constexpr int year_max = 2261; // the last whole year that 64 bits of nanoseconds reach
    if (*year < 1970 || *year > year_max) {
        return 0;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t seconds =
        std::int64_t{days} * 86400 + *hour * 3600 + *minute * 60 + *second - *zone;
    return seconds * nanos_per_second + nanos;
}

std::string format_since(UnixNanos time) {
    std::array<char, 48> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%lld.%09lld",
                  static_cast<long long>(time / nanos_per_second),
                  static_cast<long long>(time % nanos_per_second));
    return text.data();
}

} // namespace methos::docker
