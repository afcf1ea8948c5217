#include "core/base/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace methos {

namespace {

Error bad(std::string_view what, std::string_view text, std::string_view hint) {
    return Error(Code::InvalidInput,
                 "'" + std::string(text) + "' is not " + std::string(what) + ": " +
                     std::string(hint));
}

struct Unit {
    std::string_view name;
    double factor;
};

constexpr std::array<Unit, 6> duration_units{
    {{"ms", 1e6}, {"us", 1e3}, {"ns", 1.0}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

constexpr std::array<Unit, 12> size_units{{{"KiB", 1024.0},
                                           {"MiB", 1048576.0},
                                           {"GiB", 1073741824.0},
                                           {"TiB", 1099511627776.0},
                                           {"KB", 1e3},
                                           {"MB", 1e6},
                                           {"GB", 1e9},
                                           {"TB", 1e12},
                                           {"K", 1024.0},
                                           {"M", 1048576.0},
                                           {"G", 1073741824.0},
                                           {"B", 1.0}}};

/// Reads a non-negative decimal at the start of `text`; returns how many characters it took (0 =
/// none).
std::size_t read_number(std::string_view text, double& number) {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || number < 0 || !std::isfinite(number) || text.front() == '-') {
        return 0;
    }
    return static_cast<std::size_t>(end - text.data());
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view text) {
    for (const auto& unit : units) {
        if (text.substr(0, unit.name.size()) == unit.name) {
            return &unit;
        }
    }
    return nullptr;
}

constexpr double largest = 4.6e18; // below 2^62

} // namespace

Result<Duration> parse_duration(std::string_view text) {
    constexpr std::string_view hint = "write a number and a unit, like 500ms, 30s, 5m or 1h30m";
    if (text == "0") {
        return Duration::zero();
    }
    double total = 0;
    auto rest = text;
    if (rest.empty()) {
        return bad("a duration", text, hint);
    }
    while (!rest.empty()) {
        double number = 0;
        const auto taken = read_number(rest, number);
        if (taken == 0) {
            return bad("a duration", text, hint);
        }
        rest.remove_prefix(taken);
        const auto* unit = find_unit(duration_units, rest);
        if (unit == nullptr) {
            return bad("a duration", text, hint);
        }
        rest.remove_prefix(unit->name.size());
        total += number * unit->factor;
    }
    if (total > largest) {
        return bad("a duration", text, "it is too long");
    }
    return Duration(static_cast<std::int64_t>(std::llround(total)));
}

std::string format_duration(Duration duration) {
    using namespace std::chrono;
    const auto ms = duration_cast<milliseconds>(duration).count();
    char out[48];
    if (ms % 1000 != 0 && ms < 60'000) {
        if (ms < 1000) {
            std::snprintf(out, sizeof(out), "%lldms", static_cast<long long>(ms));
        } else {
            std::snprintf(out, sizeof(out), "%.1fs", static_cast<double>(ms) / 1000.0);
        }
        return out;
    }
    const auto s = ms / 1000;
    if (s < 60) {
        std::snprintf(out, sizeof(out), "%llds", static_cast<long long>(s));
    } else if (s < 3600) {
        std::snprintf(out,
                      sizeof(out),
                      s % 60 != 0 ? "%lldm%llds" : "%lldm",
                      static_cast<long long>(s / 60),
                      static_cast<long long>(s % 60));
    } else {
        std::snprintf(out,
                      sizeof(out),
                      s / 60 % 60 != 0 ? "%lldh%lldm" : "%lldh",
                      static_cast<long long>(s / 3600),
                      static_cast<long long>(s / 60 % 60));
    }
    return out;
}

Result<std::int64_t> parse_bytes(std::string_view text) {
    constexpr std::string_view hint = "write a number of bytes or a unit, like 512MiB or 20GiB";
    double number = 0;
    const auto taken = text.empty() ? 0 : read_number(text, number);
    if (taken == 0) {
        return bad("a size", text, hint);
    }
    const auto rest = text.substr(taken);
    double factor = 1.0;
    if (!rest.empty()) {
        const auto* unit = find_unit(size_units, rest);
        if (unit == nullptr || unit->name.size() != rest.size()) {
            return bad("a size", text, hint);
        }
        factor = unit->factor;
    }
    const double bytes = number * factor;
    if (bytes > largest) {
        return bad("a size", text, "it is too large");
    }
    return static_cast<std::int64_t>(std::llround(bytes));
}

std::string format_bytes(std::int64_t bytes) {
    constexpr std::array<const char*, 5> names{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t step = 0;
    while (value >= 1024.0 && step + 1 < names.size()) {
        value /= 1024.0;
        ++step;
    }
    char out[48];
    std::snprintf(out,
                  sizeof(out),
                  step == 0 || value == std::floor(value) ? "%.0f%s" : "%.1f%s",
                  value,
                  names[step]);
    return out;
}

Result<std::int64_t> parse_int(std::string_view text, std::int64_t min, std::int64_t max) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool negative_zero = number == 0 && !text.empty() && text.front() == '-';
    if (error != std::errc{} || end != text.data() + text.size() || text.empty() || number < min ||
        number > max || negative_zero) {
        return bad("a number",
                   text,
                   "a whole number from " + std::to_string(min) + " to " + std::to_string(max) +
                       " is wanted");
    }
    return number;
}

Result<HostPort> parse_host_port(std::string_view text) {
    constexpr std::string_view hint = "write HOST:PORT, like 127.0.0.1:8080 or [::1]:8080";
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return bad("an address", text, hint);
    }
    auto host = text.substr(0, colon);
    if (host.front() == '[') {
        if (host.back() != ']' || host.size() < 3) {
            return bad("an address", text, hint);
        }
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return bad("an address", text, hint);
    }
    const auto port = parse_int(text.substr(colon + 1), 0, 65535);
    if (!port) {
        return bad("an address", text, hint);
    }
    return HostPort{std::string(host), static_cast<std::uint16_t>(*port)};
}

std::string format_host_port(const HostPort& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

} // namespace methos
