// Ends what runs of a container that Docker knows nothing of any more: a dockerd that is killed
// while it starts a container leaves one that the next dockerd takes for never started and removes
// without a look at its processes. Sees them only where the executor sees dockerd's processes.
#pragma once

#include <cstddef>
#include <string>

namespace methos::executor {

struct OrphanKills {
    std::size_t killed = 0;
    std::size_t refused = 0; ///< run on: the kernel does not let this process signal them
};

/// Sends SIGKILL to every process of the container, going by the cgroups that /proc names.
/// `container_id` is the whole one; for anything shorter nothing is done.
[[nodiscard]] OrphanKills kill_processes_of(const std::string& container_id,
                                            const std::string& proc_dir = "/proc");

} // namespace methos::executor
