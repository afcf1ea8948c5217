// Who this host is when its data directory does not say: the host id is in the labels of its
// containers, so that an executor that was installed anew finds itself and its tasks again. Used
// once, before an Executor is made.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/docker/values.hpp"
#include "executor/options.hpp"
#include "executor/session/identity.hpp"

#include <string>
#include <vector>

namespace methos::executor {

/// The host id that all of this cluster's containers carry; empty when there are none, or of
/// several hosts (then nobody can say which is ours). Containers of other clusters do not count,
/// nor those of an executor that runs: two clusters, and two executors, may share a Docker.
[[nodiscard]] std::string host_id_of(const std::vector<docker::ContainerSummary>& containers,
                                     const std::string& cluster_key);

/// The identity of the data directory; without one Docker is asked for the host id, and waited for
/// until it has answered. Throws Failure as load_or_make_identity.
[[nodiscard]] awaitable<HostIdentity> find_identity(asio::any_io_executor executor,
                                                    ExecutorOptions options);

} // namespace methos::executor
