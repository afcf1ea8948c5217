// Marathon's docker `parameters`: `docker run` flags by name, applied to what a container is to be.
// A documented set (docs/executor.md); what the policy forbids and what is not known is refused
// with a reason. Pure: where host paths lead is not looked at.
#pragma once

#include "executor/docker/values.hpp"
#include "executor/tasks/policy.hpp"

#include <string>
#include <utility>
#include <vector>

namespace methos::executor {

/// Applies them in order. Errors: Forbidden by the policy; InvalidInput: unknown key, or a value
/// that is not one.
[[nodiscard]] Result<void>
apply_docker_parameters(const std::vector<std::pair<std::string, std::string>>& parameters,
                        const Policy& policy,
                        docker::ContainerConfig& config);

/// "HOST:CONTAINER[:ro]" or "NAME:CONTAINER[:ro]" as `docker run -v` takes it.
[[nodiscard]] Result<void>
add_volume(const std::string& text, const Policy& policy, docker::ContainerConfig& config);

/// A host path (absolute), judged by its text, or a named volume. Errors: Forbidden.
[[nodiscard]] Result<void> add_mount(const std::string& source,
                                     const std::string& target,
                                     bool read_only,
                                     const Policy& policy,
                                     docker::ContainerConfig& config);

} // namespace methos::executor
