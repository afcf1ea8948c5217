// What the Docker Engine API says and is told, as plain values: what a container is to be, what one
// was seen to be, images, events, pull progress. Knows nothing of Methos's tasks and of HTTP.
// Decoding rule for everything the Engine sends: absent, null and empty are the same.
#pragma once

#include "core/base/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::docker {

/// Nanoseconds since 1970, UTC, of the daemon's clock. 0: never, or not told.
using UnixNanos = std::int64_t;

using Labels = std::map<std::string, std::string>;

/// "1.41": what the request path carries. Ordered as versions are.
struct ApiVersion {
    int major = 0;
    int minor = 0;
    [[nodiscard]] std::string to_string() const;
    friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
};

/// "1.41"; nothing when it is not two numbers and a dot.
[[nodiscard]] std::optional<ApiVersion> parse_api_version(const std::string& text);

struct EngineVersion {
    ApiVersion api;     ///< what we speak with it: min(ours, its), checked against both minima
    ApiVersion api_max; ///< the newest that it speaks
    ApiVersion api_min; ///< the oldest that it speaks
    std::string engine; ///< "20.10.24"
    std::string server; ///< the Server header: "Docker/20.10.24 (linux)"
    std::string os;     ///< "linux"
    std::string arch;   ///< "amd64"
    std::string kernel; ///< "6.1.0-18-amd64"
};

struct EngineInfo {
    std::string id;   ///< identity of the daemon's data root
    std::string name; ///< hostname of the daemon
    int cpus = 0;
    std::int64_t memory_bytes = 0;
    std::string root_dir; ///< "/var/lib/docker"
    std::string storage_driver;
    std::string cgroup_version; ///< "1", "2"; empty where it is not told
    std::string cgroup_driver;
    std::string default_runtime;
    std::vector<std::string> runtimes;
    bool live_restore = false;
    std::vector<std::string> registry_mirrors;
    std::vector<std::string> insecure_registries; ///< CIDRs and hosts
};

struct ImageInfo {
    std::string id;                        ///< "sha256:..."
    std::vector<std::string> repo_tags;    ///< without "<none>:<none>"
    std::vector<std::string> repo_digests; ///< "name@sha256:..."
    std::string architecture;
    std::string os;
    std::int64_t size_bytes = 0;
    std::string user;
    std::vector<std::string> command;
    std::vector<std::string> entrypoint;
    std::vector<std::string> environment;   ///< "K=V"
    std::vector<std::string> exposed_ports; ///< "80/tcp"
    std::string stop_signal;
    bool has_healthcheck = false;
    Labels labels;
};

// ---- what a container is to be -------------------------------------------------------------

enum class Transport { Tcp, Udp, Sctp };

[[nodiscard]] const char* to_string(Transport transport);

/// A port of the container, and where the host answers for it.
struct PortBinding {
    std::uint16_t container_port = 0;
    Transport transport = Transport::Tcp;
    std::uint16_t host_port = 0; ///< 0: the Engine picks one; read it from inspect after start
    std::string host_ip;         ///< empty: all addresses
};

struct Mount {
    enum class Kind { Bind, Volume, Tmpfs };
    Kind kind = Kind::Bind;
    std::string source; ///< Bind: absolute host path; Volume: name (empty: anonymous)
    std::string target; ///< absolute path in the container
    bool read_only = false;
    std::string propagation;      ///< Bind: "rprivate", "rslave", ...; empty: the Engine's default
    std::string volume_driver;    ///< Volume; empty: local
    std::int64_t tmpfs_bytes = 0; ///< Tmpfs; 0: no limit
    bool create_source = false;   ///< Bind: make a missing host directory, as `docker -v` does
};

struct Ulimit {
    std::string name; ///< "nofile"
    std::int64_t soft = 0;
    std::int64_t hard = 0;
};

struct Device {
    std::string host_path;
    std::string container_path; ///< empty: the same
    std::string permissions = "rwm";
};

/// `docker run --gpus`.
struct DeviceRequest {
    std::string driver;                  ///< "nvidia"; empty: any
    int count = 0;                       ///< -1: all; 0: by ids
    std::vector<std::string> device_ids; ///< excludes count
    std::vector<std::string> capabilities = {"gpu"};
};

/// The log file of one container. json-file always, so that logs can be read on demand.
struct LogFile {
    std::int64_t max_bytes = 10 * 1024 * 1024;
    int max_files = 3;
    /// True: a stuck disk cannot block the task's stdout, but bursts over 1 MiB lose lines. (A full
    /// disk blocks nothing either way.)
    bool non_blocking = false;
};

/// Everything of POST /containers/create. RestartPolicy is always "no" and AutoRemove false: what
/// happens after an exit is the caller's decision.
struct ContainerConfig {
    std::string image;                                  ///< id or reference
    std::optional<std::vector<std::string>> entrypoint; ///< none: the image's
    std::vector<std::string> command; ///< empty: the image's, unless entrypoint is set
    std::vector<std::pair<std::string, std::string>> environment;
    Labels labels;
    std::string user;
    std::string working_dir;
    std::string hostname;
    bool tty = false;
    bool open_stdin = false;

    std::int64_t cpu_milli = 0; ///< shares = 1024 * cpus, at least 2, at most 262144; 0: not set
    /// Hard limit; 0: none. The Engine takes 10 and more, and no more than it has.
    std::int64_t cpu_limit_milli = 0;
    std::string cpuset;            ///< "0-1"
    std::int64_t memory_bytes = 0; ///< hard limit without swap; 0: none. The Engine wants >= 6 MiB
    std::int64_t pids_max = 0;     ///< 0: none
    std::int64_t shm_bytes = 0;    ///< 0: the Engine's 64 MiB

    std::string network_mode = "bridge";  ///< "host", "none", "bridge", a network's name or id,
                                          ///< "container:<id>"
    std::vector<PortBinding> ports;       ///< not with host and none
    std::vector<std::string> extra_hosts; ///< "name:address"
    std::vector<std::string> dns;
    std::vector<std::string> dns_search;
    std::vector<std::string> dns_options;

    std::vector<Mount> mounts;
    std::vector<Device> devices;
    std::vector<DeviceRequest> device_requests;
    std::vector<Ulimit> ulimits;
    std::vector<std::string> cap_add;
    std::vector<std::string> cap_drop;
    std::vector<std::string> security_options;
    std::map<std::string, std::string> sysctls;
    bool privileged = false;
    bool read_only_root = false;
    bool init = true; ///< a real PID 1, which hands SIGTERM on and reaps
    std::string ipc_mode;
    std::string pid_mode;
    std::string uts_mode;
    std::string userns_mode;
    std::string cgroup_parent;
    std::string runtime;

    std::string stop_signal;              ///< "SIGTERM"; empty: the image's
    std::optional<Duration> stop_timeout; ///< whole seconds, rounded up
    bool image_healthcheck = true;        ///< false: the image's HEALTHCHECK is switched off
    LogFile log;
};

// ---- what a container was seen to be --------------------------------------------------------

enum class ContainerStatus {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    Unknown
};

[[nodiscard]] ContainerStatus parse_container_status(const std::string& text);
[[nodiscard]] const char* to_string(ContainerStatus status);

/// Of the image's own HEALTHCHECK. None: it has no such check.
enum class EngineHealth { None, Starting, Healthy, Unhealthy };

struct PublishedPort {
    std::uint16_t container_port = 0;
    Transport transport = Transport::Tcp;
    std::uint16_t host_port = 0;
    std::string host_ip;
    friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};

struct NetworkAddress {
    std::string network; ///< "bridge"
    std::string ip;
    std::string gateway;
    friend bool operator==(const NetworkAddress&, const NetworkAddress&) = default;
};

/// What inspect said. `Created` with an error text is a failed start (exit code 126, 127 or 128);
/// `Created` without one was never started.
struct ContainerState {
    std::string id;
    std::string name; ///< without the leading slash
    std::string image_id;
    std::string image; ///< as given at create
    UnixNanos created_at = 0;
    Labels labels;
    std::vector<std::string> environment;
    bool tty = false; ///< decides how logs are framed
    std::string network_mode;
    std::string log_driver;

    ContainerStatus status = ContainerStatus::Unknown;
    int exit_code = 0;
    std::string error;
    bool oom_killed = false;
    std::int64_t pid = 0;
    int restart_count = 0;
    UnixNanos started_at = 0;
    UnixNanos finished_at = 0;
    EngineHealth health = EngineHealth::None;

    std::vector<PublishedPort> ports;      ///< only while it runs
    std::vector<NetworkAddress> addresses; ///< only while it runs; "host" and "none" have none

    [[nodiscard]] bool is_running() const {
        return status == ContainerStatus::Running || status == ContainerStatus::Paused;
    }

    /// A start that the Engine refused; it will never run.
    [[nodiscard]] bool is_failed_start() const {
        return status == ContainerStatus::Created && (!error.empty() || exit_code != 0);
    }
};

/// One row of the list: enough to see whether an inspect is worth it.
struct ContainerSummary {
    std::string id;
    std::string name;
    std::string image;
    std::string image_id;
    ContainerStatus status = ContainerStatus::Unknown;
    int exit_code = 0;        ///< of the words "Exited (137) 2 hours ago"
    UnixNanos created_at = 0; ///< whole seconds
    Labels labels;
};

struct CreatedContainer {
    std::string id;
    std::vector<std::string> warnings;
};

/// Something happened to a container, an image, a network... Any order must be expected: `die` may
/// come before `start` and before the start call's answer.
struct Event {
    std::string type;   ///< "container", "image", "daemon", ...
    std::string action; ///< "die", "health_status", "exec_start": without what follows the colon
    std::string detail; ///< what follows the colon: "healthy", "sh -c ..."
    std::string id;     ///< of the container (or image, ...)
    Labels attributes;  ///< the container's labels, "name", "image", "exitCode", "signal", ...
    UnixNanos time = 0;

    /// Of die: the exit code as the event tells it. Inspect is the truth: a killed shim dies with
    /// 255 here and 137 there.
    [[nodiscard]] std::optional<int> exit_code() const;
};

/// The state of one pull: layers and bytes summed over what the Engine has named so far; totals
/// grow while it learns of more layers.
struct PullProgress {
    std::int64_t bytes_done = 0;
    std::int64_t bytes_total = 0;
    int layers_done = 0;
    int layers_total = 0;
    int layers_sized = 0;   ///< those that are or were fetched, of which the size is known
    int layers_unsized = 0; ///< those that will be or are fetched, of which it is not
    bool retrying = false;  ///< the Engine waits before it asks the registry again
    std::string status;     ///< its last line: "Downloading", "Retrying in 5 seconds"
    /// Grows with every byte and every step of a layer, and with nothing else: the measure of real
    /// progress.
    std::uint64_t work = 0;

    /// "12.3/40.1 MB, 3/7 layers": for the task's message.
    [[nodiscard]] std::string to_string() const;
};

} // namespace methos::docker
