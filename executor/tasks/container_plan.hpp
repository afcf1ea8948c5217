// From a task to the container that is to be, and from a container that is back to what decisions
// need. Pure: where host paths lead is looked at before the container is made (host_paths.hpp).
// Knows both vocabularies, model and Docker, and is the only place that does.
#pragma once

#include "core/model/task.hpp"
#include "executor/docker/values.hpp"
#include "executor/tasks/lifecycle.hpp"
#include "executor/tasks/policy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

/// What a container needs to know of the host it is made on.
struct PlanContext {
    std::string cluster;
    std::string cluster_key; ///< the cluster's public key, as join tokens have it
    std::string host;
    std::string publish_ip;  ///< of published ports; empty: all addresses
    std::string sandboxes;   ///< folder of all sandboxes, absolute
    bool limit_cpus = false; ///< a task gets no more than its cpus, also where others are idle
    int cpus = 0;            ///< that Docker has; 0: not known
    Policy policy;
};

/// The container of a task; `image` is left empty. Errors: Forbidden (policy), InvalidInput.
[[nodiscard]] Result<docker::ContainerConfig>
plan_container(const TaskSpec& spec, const TaskLaunch& launch, const PlanContext& context);

/// What a container is made of is known last. Its label tells a copy from it.
void set_image(docker::ContainerConfig& config, const std::string& image_id);

/// Whether this is no task's container but one that somebody has made of an image that was
/// committed of it (`docker commit`, `docker run`): that image has all labels of the task. Neither
/// the image nor the name are the task's then; one that was only renamed has its image.
[[nodiscard]] bool
is_copy(const docker::Labels& labels, const std::string& name, const std::string& image_id);

[[nodiscard]] WallTime wall_of(docker::UnixNanos nanos);

[[nodiscard]] ContainerFacts facts_of(const docker::ContainerState& state);

/// For want of an inspect: without times and addresses, and with the ports of the label only.
[[nodiscard]] ContainerFacts facts_of(const docker::ContainerSummary& row);
[[nodiscard]] std::vector<ContainerFacts>
facts_of(const std::vector<docker::ContainerSummary>& list);

/// Whose container it is, as its labels say; a copy has them too. Nothing when it is not a task of
/// ours.
[[nodiscard]] std::optional<TaskIdentity> identity_of(const docker::Labels& labels);

[[nodiscard]] ContainerFacts::Status status_of(docker::ContainerStatus status);

} // namespace methos::executor
