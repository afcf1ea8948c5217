// What is known of a task's container, in the words that decisions need and no more: the Engine's
// answer to inspect, reduced by container_plan, the only place that knows both vocabularies. A
// value; fresh only at the moment it was asked for.
#pragma once

#include "core/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

/// What inspect says of a container, reduced to what decisions need.
struct ContainerFacts {
    enum class Status : std::uint8_t {
        Created,
        Running,
        Paused,
        Restarting,
        Removing,
        Exited,
        Dead
    };
    std::string id;
    Status status = Status::Created;
    int exit_code = 0;
    bool oom_killed = false;
    std::int64_t pid = 0; ///< as dockerd sees it; 0 when it does not run
    std::string error;    ///< why the Engine could not start it
    WallTime created_at;
    WallTime started_at;
    WallTime finished_at;
    std::optional<WallTime> signalled_at; ///< dockerd sent it a signal then (StopWitness)
    WallTime docker_since;                ///< since when this dockerd listens; epoch: not known
    std::vector<std::string> ip_addresses;
    std::vector<std::uint16_t> host_ports; ///< one per port of the spec, as published
    std::optional<Duration> kill_grace;    ///< of the label
    std::string health_checks;             ///< of the label (check_label.hpp); empty: none
    std::string task;                      ///< labels; empty when the container is not ours
    std::string host;
    std::string app;
    std::string spec_hash;
    std::uint32_t attempt = 0;
    friend bool operator==(const ContainerFacts&, const ContainerFacts&) = default;
};

/// Whether a container in this state uses the host: a paused one does.
[[nodiscard]] constexpr bool has_process(ContainerFacts::Status status) {
    using Status = ContainerFacts::Status;
    return status == Status::Running || status == Status::Paused || status == Status::Restarting;
}

} // namespace methos::executor
