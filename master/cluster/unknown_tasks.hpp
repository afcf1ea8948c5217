// Tasks that hosts name and a restored state does not know: they were started after the snapshot
// was taken. They go on for a grace, so that what replaces them can come up, and so that whoever
// restored the wrong snapshot can stop the master; then they are killed. Owned by Cluster; pure.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace methos::cluster {

class UnknownTasks {
  public:
    /// How long they go on from when they were first named.
    static constexpr Duration grace = std::chrono::seconds(60);
    /// How long after a restore there may be any. Later, a task that is unknown is one that was
    /// over for this master, and is killed at once.
    static constexpr Duration window = std::chrono::hours(24);

    struct Due {
        HostNumber host;
        TaskNumber number; ///< may be empty
        TaskName name;
    };

    /// Whether this one may still go on; remembers it when it is new. A number of `tasks_max` is
    /// remembered; beyond it none is spared.
    [[nodiscard]] bool spares(HostNumber host, const TaskStatus& status, MonoTime now);

    /// It has ended.
    void forget(HostNumber host, const TaskName& name) { tasks_.erase({host, name.value}); }

    /// Whose grace has passed since the last call, at most `limit`.
    [[nodiscard]] std::vector<Due> take_due(MonoTime now, std::size_t limit);

    [[nodiscard]] std::size_t size() const { return tasks_.size(); }

  private:
    static constexpr std::size_t tasks_max = 1'000'000;

    struct Entry {
        TaskNumber number;
        MonoTime until;
        bool killed = false;
    };

    std::map<std::pair<HostNumber, std::string>, Entry> tasks_;
    MonoTime next_due_ = MonoTime::max(); ///< nothing is due before
};

} // namespace methos::cluster
