// Where a task's sandbox is, on the host and in the container. Names only, for those who mount what
// others fill.
#pragma once

#include "core/model/task.hpp"

#include <string>

namespace methos::executor {

constexpr const char* sandbox_in_container = "/mnt/mesos/sandbox"; ///< as Mesos mounts it
constexpr const char* sandbox_variable = "MESOS_SANDBOX";          ///< says so in the container

/// The sandbox's name among those of the host.
[[nodiscard]] inline std::string sandbox_name_of(const TaskName& task) {
    return container_name_of(task);
}

} // namespace methos::executor
