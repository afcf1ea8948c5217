// Foreign frameworks, their tasks and updates as the bytes of their records, and back. Pure; used
// by class External only.
#pragma once

#include "master/frameworks/external/foreign_framework.hpp"
#include "master/frameworks/external/task_names.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace methos::external {

[[nodiscard]] std::string stored_framework(const ForeignFramework& framework);
[[nodiscard]] std::string stored_task(std::uint64_t framework_key, const ForeignTask& task);
[[nodiscard]] std::string stored_resting_name(const TaskName& name, WallTime since);
[[nodiscard]] std::string stored_update(std::uint64_t task_key, const Update& update);

/// Errors: throws Failure(Internal) when the bytes are damaged, as do the others.
[[nodiscard]] ForeignFramework load_stored_framework(std::uint64_t key, const std::string& bytes);

struct LoadedTask {
    std::uint64_t framework_key = 0;
    ForeignTask task;
};

struct LoadedUpdate {
    std::uint64_t task_key = 0;
    PendingUpdate pending; ///< without the names of its task and host, which the task has
};

[[nodiscard]] std::variant<LoadedTask, LoadedUpdate, RestingName>
load_stored_update(std::uint64_t key, const std::string& bytes);

} // namespace methos::external
