#include "core/model/resources.hpp"

#include <charconv>
#include <cmath>

namespace methos {

Resources& Resources::operator+=(const Resources& other) {
    milli_cpus += other.milli_cpus;
    mem_bytes += other.mem_bytes;
    disk_bytes += other.disk_bytes;
    gpus += other.gpus;
    return *this;
}

Resources& Resources::operator-=(const Resources& other) {
    milli_cpus -= other.milli_cpus;
    mem_bytes -= other.mem_bytes;
    disk_bytes -= other.disk_bytes;
    gpus -= other.gpus;
    return *this;
}

bool Resources::contains(const Resources& need) const {
    return need.milli_cpus <= milli_cpus && need.mem_bytes <= mem_bytes &&
           need.disk_bytes <= disk_bytes && need.gpus <= gpus;
}

bool Resources::negative() const {
    return milli_cpus < 0 || mem_bytes < 0 || disk_bytes < 0 || gpus < 0;
}

namespace {

constexpr double max_cpus = 1e6;
constexpr double max_mb = 1e12;

Result<std::int64_t> scaled(double value, double factor, double max, std::string_view what) {
    if (!std::isfinite(value) || value < 0 || value > max) {
        return Error(Code::InvalidInput,
                     std::string(what) + " must be a number from 0 to " + std::to_string(max));
    }
    return static_cast<std::int64_t>(std::llround(value * factor));
}

Result<double> parse_double(std::string_view text, std::string_view key) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
        return Error(Code::InvalidInput,
                     "'" + std::string(text) + "' is not a number for " + std::string(key));
    }
    return value;
}

Result<void> set_scalar(Resources& scalars, std::string_view key, std::string_view text) {
    const auto value = parse_double(text, key);
    if (!value) {
        return value.error();
    }
    if (key == "gpus" && *value != std::floor(*value)) {
        return Error(Code::InvalidInput, "gpus must be a whole number");
    }
    const auto amount = key == "cpus"   ? milli_cpus_of(*value)
                        : key == "gpus" ? scaled(*value, 1.0, 1e4, "gpus")
                                        : bytes_of_mb(*value);
    if (!amount) {
        return Error(Code::InvalidInput, std::string(key) + ": " + amount.error().message);
    }
    (key == "cpus"   ? scalars.milli_cpus
     : key == "mem"  ? scalars.mem_bytes
     : key == "disk" ? scalars.disk_bytes
                     : scalars.gpus) = *amount;
    return {};
}

} // namespace

Result<std::int64_t> milli_cpus_of(double cpus) {
    return scaled(cpus, 1000.0, max_cpus, "cpus");
}

Result<std::int64_t> bytes_of_mb(double mb) {
    return scaled(mb, static_cast<double>(bytes_per_mb), max_mb, "the number of MB");
}

double cpus_of(std::int64_t milli_cpus) {
    return static_cast<double>(milli_cpus) / 1000.0;
}

double mb_of(std::int64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(bytes_per_mb);
}

Result<HostResources> parse_host_resources(std::string_view text, HostResources defaults) {
    const auto whole = text;
    auto resources = std::move(defaults);
    while (!text.empty()) {
        const auto semicolon = text.find(';');
        const auto item = text.substr(0, semicolon);
        const auto colon = item.find(':');
        const auto key = item.substr(0, colon);
        if (colon == std::string_view::npos) {
            return Error(Code::InvalidInput,
                         "'" + std::string(item) + "' in resources '" + std::string(whole) +
                             "' has no value: write cpus:4;mem:8192;ports:[31000-32000]");
        }
        const auto value = item.substr(colon + 1);
        if (key == "ports") {
            auto ports = parse_ports(value);
            if (!ports) {
                return ports.error();
            }
            resources.ports = std::move(*ports);
        } else if (key == "cpus" || key == "mem" || key == "disk" || key == "gpus") {
            if (const auto set = set_scalar(resources.scalars, key, value); !set) {
                return set.error();
            }
        } else {
            return Error(Code::InvalidInput,
                         "'" + std::string(key) +
                             "' is not a resource: cpus, mem, disk, gpus and ports are");
        }
        if (semicolon == std::string_view::npos) {
            break;
        }
        text.remove_prefix(semicolon + 1);
    }
    return resources;
}

} // namespace methos
