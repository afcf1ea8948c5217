// Since when a dockerd listens, as far as its files tell: what an executor that comes after it can
// know of what it did when it started. Reads the file system, and nothing of Docker's API, which
// does not say.
#pragma once

#include "core/base/clock.hpp"

#include <string>

namespace methos::executor {

/// The later of two: when the socket was made, and when the dockerd wrote its pid file
/// ("docker.pid" beside "docker.sock", where Docker has both by default), if that process is one.
/// The second tells where the socket is older than dockerd, since systemd made it (`dockerd -H
/// fd://`, docker.socket). Epoch when neither can be read.
[[nodiscard]] WallTime docker_listens_since(const std::string& socket_path,
                                            const std::string& proc_dir = "/proc");

} // namespace methos::executor
