#include "core/base/clock.hpp"

#include <cctype>
#include <cstdio>
#include <string_view>

namespace methos {

Now SystemClock::now() const {
    return Now{
        std::chrono::steady_clock::now(),
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

std::string format_wall_time(WallTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    char text[40];
    std::snprintf(text,
                  sizeof(text),
                  "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                  static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()),
                  static_cast<int>(clock.subseconds().count()));
    return text;
}

bool parse_wall_time(const std::string& text, WallTime& time) {
    using namespace std::chrono;
    int y = 0;
    int h = 0;
    int min = 0;
    int s = 0;
    unsigned mon = 0;
    unsigned d = 0;
    int consumed = 0;
    if (std::sscanf(
            text.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d%n", &y, &mon, &d, &h, &min, &s, &consumed) !=
        6) {
        return false;
    }
    // sscanf also takes blanks, signs and shorter numbers.
    constexpr std::string_view form = "dddd-dd-ddTdd:dd:dd";
    std::size_t at = static_cast<std::size_t>(consumed);
    if (at != form.size()) {
        return false;
    }
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (form[i] == 'd' && std::isdigit(static_cast<unsigned char>(text[i])) == 0) {
            return false;
        }
    }
    int fraction_ms = 0;
    if (at < text.size() && text[at] == '.') {
        ++at;
        int digits = 0;
        while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) {
            if (digits < 3) {
                fraction_ms = fraction_ms * 10 + (text[at] - '0');
            }
            ++digits;
            ++at;
        }
        if (digits == 0 || digits > 9) {
            return false;
        }
        for (; digits < 3; ++digits) {
            fraction_ms *= 10;
        }
    }
    if (at + 1 != text.size() || text[at] != 'Z') {
        return false;
    }
    const year_month_day date{year{y}, month{mon}, day{d}};
    if (!date.ok() || h < 0 || h > 23 || min < 0 || min > 59 || s < 0 || s > 60) {
        return false;
    }
    time =
        WallTime(sys_days{date}) + hours{h} + minutes{min} + seconds{s} + milliseconds{fraction_ms};
    return true;
}

} // namespace methos
