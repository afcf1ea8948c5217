// A task's health checks as the label of its container, so that an executor that finds the
// container again goes on checking it: Docker is the only memory. What depends on the launch (which
// port, on whose network) is settled when the label is written. Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/model/task.hpp"

#include <string>
#include <vector>

namespace methos::executor {

/// A task's checks with what its launch decides.
struct SettledChecks {
    std::vector<HealthCheck> checks; ///< their ports: as the task's own network numbers them
    bool host_network = false;       ///< asked on the host's loopback, not on the task's addresses
    friend bool operator==(const SettledChecks&, const SettledChecks&) = default;
};

/// Errors: InvalidInput, for a port that the task does not have and a task without a network.
[[nodiscard]] Result<SettledChecks> settle_checks(const TaskSpec& spec, const TaskLaunch& launch);

/// As compact JSON.
[[nodiscard]] std::string health_label(const SettledChecks& settled);

/// Reads what health_label wrote. Errors: Protocol.
[[nodiscard]] Result<SettledChecks> parse_health_label(const std::string& label);

} // namespace methos::executor
