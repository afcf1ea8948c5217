// Where a task's sandbox is, on the host and in the container. Names only, for those who mount what
// others fill.
#pragma once

#include "core/model/task.hpp"

#include <cstdint>
#include <string>

namespace methos::executor {

constexpr const char* sandbox_in_container = "/mnt/mesos/sandbox"; ///< as Mesos mounts it
constexpr const char* sandbox_variable = "MESOS_SANDBOX";          ///< says so in the container

/// The sandbox's name among those of the host: the container's, and where that is not all of the
/// task's name (another's may be made legal in the same way) with a hash of it.
[[nodiscard]] inline std::string sandbox_name_of(const TaskName& task) {
    auto name = container_name_of(task);
    if (name.ends_with("-" + task.value)) {
        return name;
    }
    std::uint64_t hash = 14695981039346656037U; // FNV-1a: the same in every build
    for (const char c : task.value) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return name + "%" + std::to_string(hash); // which no legal name has
}

} // namespace methos::executor
