// Notices lost exits: dockerd says for ever that a container runs whose process is long gone
// (docker-engine.md 3.7; moby issues 33820 and 41227). Owned by the TaskRunner, which looks with
// each regular list. Reads /proc only; what to do about it is the caller's. A process that /proc
// did not show to begin with (dockerd in another PID namespace) is never watched.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"
#include "executor/tasks/container_facts.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

/// Whether a process belongs to a container, going by its cgroup. False when /proc does not show
/// it.
[[nodiscard]] bool
is_process_of(const std::string& container_id, std::int64_t pid, const std::string& proc_dir);

class ProcessWatch {
  public:
    explicit ProcessWatch(std::string proc_dir = "/proc",
                          Duration patience = std::chrono::seconds(10))
        : proc_dir_(std::move(proc_dir)), patience_(patience) {}

    /// What inspect has just said of a task's container.
    void saw(const TaskName& name, const ContainerFacts& facts);

    void forget(const TaskName& name) { watched_.erase(name); }

    struct Lost {
        TaskName name;
        std::string container_id;
        std::int64_t pid = 0;
        int times = 0; ///< it was told, this one included
    };

    /// Tasks whose process has been gone for longer than `patience` without a word from Docker;
    /// each again no sooner than that much later.
    [[nodiscard]] std::vector<Lost> check(MonoTime now);

  private:
    struct Watched {
        std::string container_id;
        std::int64_t pid = 0;
        std::optional<MonoTime> gone_since;
        int times_told = 0;
    };

    std::string proc_dir_;
    Duration patience_;
    std::map<TaskName, Watched> watched_;
};

} // namespace methos::executor
