// A task as every program knows it: what is to run (TaskSpec, once per app version), one launch of
// it (TaskLaunch), and what became of it (TaskStatus). Pure values; who decides is the master's
// heart, who makes it true is the executor.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/ids.hpp"
#include "core/model/fetch_item.hpp"
#include "core/model/health_check.hpp"
#include "core/model/image_progress.hpp"
#include "core/model/resources.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos {

/// Mesos's partition-aware task states.
enum class TaskState : std::uint8_t {
    Staging,
    Starting,
    Running,
    Killing,
    Finished,
    Failed,
    Killed,
    Error,
    Dropped,
    Unreachable,
    Gone,
    GoneByOperator,
    Unknown,
};

/// "TASK_RUNNING"
[[nodiscard]] std::string_view to_string(TaskState state);
[[nodiscard]] std::optional<TaskState> parse_task_state(std::string_view text);

/// Whether a task in this state will never run again: its resources are free.
[[nodiscard]] constexpr bool is_terminal(TaskState state) {
    switch (state) {
    case TaskState::Finished:
    case TaskState::Failed:
    case TaskState::Killed:
    case TaskState::Error:
    case TaskState::Dropped:
    case TaskState::Gone:
    case TaskState::GoneByOperator:
        return true;
    default:
        return false;
    }
}

enum class NetworkMode : std::uint8_t { Host, Bridge, User, None };

struct PortMapping {
    std::uint16_t container_port = 0; ///< 0: the same number as the host port
    std::string protocol = "tcp";     ///< "tcp", "udp" or "udp,tcp"
    std::string name;
    friend bool operator==(const PortMapping&, const PortMapping&) = default;
};

struct VolumeMount {
    std::string source; ///< host path, or volume name
    std::string target; ///< absolute path in the container
    bool read_only = false;
    friend bool operator==(const VolumeMount&, const VolumeMount&) = default;
};

/// How the container's process is named.
enum class CommandKind : std::uint8_t {
    Image, ///< as the image says
    Shell, ///< `/bin/sh -c shell`, replacing the entrypoint
    Args,  ///< arguments to the image's entrypoint
};

/// Everything that is equal for all instances of one version of an app. Each executor gets it once.
struct TaskSpec {
    SpecNumber number;
    std::string framework; ///< "services", "jobs", or a foreign framework's id
    std::string app;       ///< AppId of services, empty otherwise
    std::string version;   ///< the app version's timestamp
    std::string image;     ///< as the user wrote it
    bool force_pull = false;
    CommandKind command = CommandKind::Image;
    std::string shell;
    std::vector<std::string> args;
    std::map<std::string, std::string> env;
    std::map<std::string, std::string> labels;
    NetworkMode network = NetworkMode::Host;
    std::string network_name;       ///< of NetworkMode::User
    std::vector<PortMapping> ports; ///< one per host port of a launch, in order
    std::vector<VolumeMount> volumes;
    std::vector<std::pair<std::string, std::string>>
        docker_parameters; ///< docker run flags as Marathon users write them
    bool privileged = false;
    std::string user;
    Resources resources;
    Duration kill_grace = std::chrono::seconds(10);
    std::vector<HealthCheck> health_checks; ///< healthy is who passes all of them
    std::vector<FetchItem> fetch;           ///< downloaded before the container is made
    std::string hash; ///< hex; equal specs have equal hashes, whatever their number
    friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

/// One instance on its way to a host.
struct TaskLaunch {
    TaskNumber number;
    TaskName name;
    SpecNumber spec;
    std::uint32_t attempt = 1; ///< the n-th container made for this task
    std::vector<std::uint16_t> host_ports;
    std::map<std::string, std::string>
        env; ///< what differs per instance: PORT0, HOST, MESOS_TASK_ID
    RequestId request;
    friend bool operator==(const TaskLaunch&, const TaskLaunch&) = default;
};

enum class StatusSource : std::uint8_t { Master, Executor };

/// Why a task changed its state, in Mesos's words where it has one.
enum class Reason : std::uint8_t {
    None,
    CommandExited, ///< the process ended by itself
    ContainerOom,  ///< killed for using more memory than it asked for
    KilledByRequest,
    LaunchFailed, ///< the Engine refused to create or start the container
    ImagePullFailed,
    ImageNotFound,
    PortConflict,
    InvalidSpec,
    PolicyDenied,
    DockerDown,
    HostUnreachable,
    HostReturned, ///< seen running again after a partition
    HostGone,
    Reconciliation,   ///< the master and the host compared their lists
    ContainerRemoved, ///< somebody removed the container
    HealthCheckFailed,
    Preempted,     ///< a task of higher priority needed the room
    InvalidOffers, ///< the offers it was to be launched with were not valid any more
    HostDraining,  ///< its host is emptied for maintenance
};

/// "REASON_COMMAND_EXITED"
[[nodiscard]] std::string_view to_string(Reason reason);

struct TaskStatus {
    TaskNumber number; ///< 0 when the executor knows only the name (after its restart)
    TaskName name;
    std::uint64_t stamp =
        0; ///< what an ACK names; grows within one executor process, 0 = needs no ACK
    TaskState state = TaskState::Staging;
    Reason reason = Reason::None;
    StatusSource source = StatusSource::Executor;
    std::string message;
    WallTime time;
    std::string container_id;
    std::vector<std::string> ip_addresses;
    std::vector<std::uint16_t>
        host_ports; ///< as published, one per port of the spec; empty before RUNNING
    std::optional<int> exit_code;
    std::optional<bool> healthy; ///< what its health checks say; none: they have not said yet
    WallTime started_at;         ///< of the container, when it has started; epoch otherwise
    std::optional<ImageProgress> image; ///< while it waits for its image and there are figures
    friend bool operator==(const TaskStatus&, const TaskStatus&) = default;
};

/// What an executor says of its machine when it joins and when it changes.
struct HostInfo {
    HostId id;
    std::string hostname;
    std::string address; ///< IP that clients reach its instances at; empty: the bus connection's
    HostResources resources;
    std::map<std::string, std::string> attributes;
    std::string role = "*";
    std::string docker_version; ///< empty while Docker is down
    std::string docker_api;
    bool docker_up = false;
    std::string trouble; ///< why it takes no new tasks for now, for people; empty: it takes them
    std::string build;
    friend bool operator==(const HostInfo&, const HostInfo&) = default;
};

/// `.` and `/` and everything else Docker forbids become `_`; prefixed "methos-". Length is capped
/// at 200.
[[nodiscard]] std::string container_name_of(const TaskName& name);

/// SHA-256-free, stable 64-bit FNV-1a pairs as hex over every field but `number`, `version`
/// and `hash`; equal specs, equal hash.
[[nodiscard]] std::string hash_of(const TaskSpec& spec);

} // namespace methos
