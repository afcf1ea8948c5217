// methos-executor's flags, config file and environment as checked values. Knows CLI11; nothing else
// does.
#pragma once

#include "core/base/units.hpp"
#include "core/bus/bus.hpp"
#include "core/model/resources.hpp"
#include "executor/collect/disk_gauge.hpp"
#include "executor/collect/image_keeper.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

struct ExecutorOptions {
    bus::JoinToken token;
    std::string docker_socket = "/var/run/docker.sock";
    std::optional<HostPort> registry_proxy;
    bool pull_fallback = true;
    bool keep_ended = true;
    bool limit_cpus = false; ///< tasks get no more cpu time than they asked for
    Duration pull_limit = std::chrono::minutes(60); ///< for an image to arrive, all tries together
    DiskWatermark disk_watermark;
    KeeperOptions images;
    std::string resources; ///< text of --resources, checked; what it leaves out is detected
    std::map<std::string, std::string> attributes;
    std::string role = "*";
    std::string hostname;
    std::string advertise_ip; ///< empty: the local address of the bus connection
    std::string publish_ip;   ///< empty: all addresses
    std::string data_dir = "/var/lib/methos/executor";
    std::string docker_config; ///< file with this host's registry credentials; empty: none
    std::vector<std::string> fetch_roots; ///< what tasks may fetch from this host itself
    std::uint64_t fetch_bytes_max = std::uint64_t{1} << 30U; ///< of one file that a task fetches
    std::string log_level = "info";
    /// What the first HELLO waits for Docker's first answer; no flag. A host that joined without
    /// Docker and had it a moment later would look like one in trouble.
    Duration docker_patience = std::chrono::seconds(1);
    /// How long a download may stand still; no flag.
    Duration fetch_stall = std::chrono::seconds(60);
    /// How long a followed log may be silent until it is looked whether it has stalled; no flag.
    Duration log_stall_limit = std::chrono::seconds(60);

    friend bool operator==(const ExecutorOptions&, const ExecutorOptions&) = default;
};

/// Reads argv, `--config FILE` (TOML) and METHOS_EXECUTOR_*. Nothing when the program is to leave
/// at once with `exit_code` (help, version, bad usage; what there is to say has been printed).
[[nodiscard]] std::optional<ExecutorOptions>
read_executor_options(int argc, const char* const* argv, int& exit_code);

/// "rack:a;zone:b". Errors: InvalidInput with the offending part.
[[nodiscard]] Result<std::map<std::string, std::string>> parse_attributes(const std::string& text);

} // namespace methos::executor
