// A task's health checks as the label of its container, so that an executor that finds the
// container again goes on checking it: Docker is the only memory. What depends on the launch (which
// port) is settled when the label is written. Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/model/task.hpp"

#include <string>
#include <vector>

namespace methos::executor {

/// The checks with their ports settled: as the task's own network numbers them.
/// Errors: InvalidInput, for a port that the task does not have and a task without a network.
[[nodiscard]] Result<std::vector<HealthCheck>> settle_checks(const TaskSpec& spec,
                                                             const TaskLaunch& launch);

/// Settled checks as compact JSON.
[[nodiscard]] std::string health_label(const std::vector<HealthCheck>& checks);

/// Reads what health_label wrote. Errors: Protocol.
[[nodiscard]] Result<std::vector<HealthCheck>> parse_health_label(const std::string& label);

} // namespace methos::executor
