#include "cli/output/words.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace methos::cli {

std::string age_of(Duration age) {
    using namespace std::chrono;
    const auto seconds_old = std::max<std::int64_t>(0, duration_cast<seconds>(age).count());
    if (seconds_old < 120) {
        return std::to_string(seconds_old) + "s";
    }
    if (seconds_old < 2 * 3600) {
        return std::to_string(seconds_old / 60) + "m";
    }
    if (seconds_old < 2 * 86'400) {
        return std::to_string(seconds_old / 3600) + "h";
    }
    return std::to_string(seconds_old / 86'400) + "d";
}

std::string age_since(const std::string& instant, WallTime now) {
    WallTime then;
    if (instant.empty() || !parse_wall_time(instant, then)) {
        return "";
    }
    return age_of(now - then);
}

std::string counted(std::int64_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string plain_number(double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.3f", value);
    std::string number = text;
    number.erase(number.find_last_not_of('0') + 1);
    if (!number.empty() && number.back() == '.') {
        number.pop_back();
    }
    return number == "-0" ? "0" : number;
}

std::string megabytes(double value) {
    constexpr double mb_per_gb = 1024;
    if (std::fabs(value) < mb_per_gb) {
        return plain_number(std::round(value)) + " MB";
    }
    return plain_number(std::round(value / mb_per_gb * 10) / 10) + " GB";
}

std::string listed(const std::vector<std::string>& items) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) {
            text += i + 1 == items.size() ? " and " : ", ";
        }
        text += items[i];
    }
    return text;
}

} // namespace methos::cli
