// What a task may ask of this host. The default policy, until `--policy` is read: no privileged
// containers, no capabilities beyond Docker's own, no host namespaces or devices, and no host
// volume that hands out the host itself. Looks at the file system to see through symbolic links.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <vector>

namespace methos::executor {

struct Policy {
    std::vector<std::string> forbidden_paths; ///< of forbidden_host_paths(); `/` always is
};

/// Where Docker and its containerd can be told what to do, or their data be changed. `root_dir`
/// may be empty: not known yet.
[[nodiscard]] std::vector<std::string> forbidden_host_paths(const std::string& docker_socket,
                                                            const std::string& root_dir);

/// Whether a host path may be mounted. A path is refused when it is a forbidden one, lies inside
/// one or holds one. Errors: Forbidden, naming both.
[[nodiscard]] Result<void> check_host_path(const Policy& policy, const std::string& path);

} // namespace methos::executor
