// What this machine has to offer, as the kernel says. Blocking but quick calls.
#pragma once

#include "core/model/resources.hpp"
#include "executor/collect/disk_gauge.hpp"

#include <string>

namespace methos::executor {

constexpr std::int64_t mem_kept_bytes = 512 * bytes_per_mb; ///< for the system; on hosts under 5 GB
                                                            ///< a tenth
constexpr PortRange default_ports{31000, 32000};

/// The file system that holds `folder`, or the nearest folder above it that exists.
[[nodiscard]] DiskSpace measure_disk(const std::string& folder);

/// All CPUs; memory less what the system keeps; the file system that holds `docker_root`; no GPUs;
/// ports 31000-32000.
[[nodiscard]] HostResources detect_host_resources(const std::string& docker_root);

} // namespace methos::executor
