// What a task may ask of this host. The default policy, until `--policy` is read: no privileged
// containers, no capabilities beyond Docker's own, no host namespaces or devices, and no host
// volume that hands out the host itself. Looks at the file system to see through symbolic links;
// what is swapped for a link after that look, it does not see.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <vector>

namespace methos::executor {

struct Policy {
    std::vector<std::string> forbidden_paths; ///< of forbidden_host_paths(); `/` always is
};

/// Where Docker and its containerd can be told what to do, or their data be changed, and where our
/// own daemons keep their keys by default. `root_dir` may be empty: not known yet.
[[nodiscard]] std::vector<std::string> forbidden_host_paths(const std::string& docker_socket,
                                                            const std::string& root_dir);

/// Whether a host path may be mounted, going by its text alone. A path is refused when it is a
/// forbidden one, lies inside one or holds one, and when it is longer than the kernel's PATH_MAX.
/// Errors: Forbidden, naming both.
[[nodiscard]] Result<void> check_host_path(const Policy& policy, const std::string& path);

/// The same for where the path really leads. Gives the path that was judged, without links: the
/// only one that may be mounted. Waits for the file system. Errors: Forbidden; also for what
/// cannot be looked at (a loop of links, one that leads nowhere).
[[nodiscard]] Result<std::string> resolve_host_path(const Policy& policy, const std::string& path);

} // namespace methos::executor
