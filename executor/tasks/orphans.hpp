// Ends what runs of a container that Docker knows nothing of any more: a dockerd that is killed
// while it starts a container leaves one that the next dockerd takes for never started and removes
// without a look at its processes. Sees them only where the executor sees dockerd's processes.
#pragma once

#include <cstddef>
#include <string>

namespace methos::executor {

/// Sends SIGKILL to every process of the container, going by the cgroups that /proc names; returns
/// how many there were. `container_id` is the whole one; for anything shorter nothing is done.
std::size_t kill_processes_of(const std::string& container_id,
                              const std::string& proc_dir = "/proc");

} // namespace methos::executor
