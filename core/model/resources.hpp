// What a host has and a task needs, as exact integers; doubles exist only in JSON at the rim. A
// value.
#pragma once

#include "core/base/error.hpp"
#include "core/model/ports.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace methos {

/// The countable part: added and subtracted without rounding.
struct Resources {
    std::int64_t milli_cpus = 0;
    std::int64_t mem_bytes = 0;
    std::int64_t disk_bytes = 0;
    std::int64_t gpus = 0;

    Resources& operator+=(const Resources& other);
    Resources& operator-=(const Resources& other);

    friend Resources operator+(Resources a, const Resources& b) { return a += b; }

    friend Resources operator-(Resources a, const Resources& b) { return a -= b; }

    friend bool operator==(const Resources&, const Resources&) = default;

    /// Whether `need` fits into this in every dimension.
    [[nodiscard]] bool contains(const Resources& need) const;
    [[nodiscard]] bool negative() const;
};

constexpr std::int64_t bytes_per_mb = 1024 * 1024; // Marathon's and Mesos's MB are MiB

/// JSON's cpus (1.5) to 1500. Errors: InvalidInput when negative, not finite or over 10^6 cpus.
[[nodiscard]] Result<std::int64_t> milli_cpus_of(double cpus);
/// JSON's mem or disk in MB (may be fractional) to bytes. Errors as above.
[[nodiscard]] Result<std::int64_t> bytes_of_mb(double mb);
[[nodiscard]] double cpus_of(std::int64_t milli_cpus);
[[nodiscard]] double mb_of(std::int64_t bytes);

/// What a host has in all.
struct HostResources {
    Resources scalars;
    PortSet ports;
    friend bool operator==(const HostResources&, const HostResources&) = default;
};

/// Reads the executor's `--resources`: "cpus:4;mem:8192;disk:10000;gpus:0;ports:[31000-32000]"
/// (MB). A key left out keeps its value in `defaults`. Errors: InvalidInput naming the key.
[[nodiscard]] Result<HostResources> parse_host_resources(std::string_view text,
                                                         HostResources defaults);

} // namespace methos
