// The executor as one object: Engine client, image puller (with a relay when the proxy is not on
// this host), task runner, session with the master and log streams, wired together. main.cpp owns
// one; component tests make and destroy as many as they like. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/options.hpp"
#include "executor/session/identity.hpp"
#include "executor/tasks/host_paths.hpp"

#include <functional>
#include <memory>
#include <string>

namespace methos::executor {

/// What an executor knows its machine by; tests have their own.
struct HostSenses {
    std::function<DiskSpace(const std::string& folder)> measure_disk; ///< none: the kernel's
    Duration look_interval = std::chrono::seconds(30);                ///< at the disk
    Duration collect_interval = std::chrono::minutes(10);             ///< of unused images
    HostPathOptions host_paths;
    Duration list_interval = std::chrono::seconds(30);         ///< of Docker's containers
    Duration ping_interval = std::chrono::seconds(5);          ///< of Docker
    Duration ping_limit = std::chrono::seconds(2);             ///< until one is missed
    std::string proc_dir = "/proc";                            ///< where processes are seen
    Duration lost_process_patience = std::chrono::seconds(10); ///< with Docker's word
};

class Executor {
  public:
    /// `identity` is what find_identity() gives. Throws Failure when the options are not usable.
    Executor(const asio::any_io_executor& executor,
             ExecutorOptions options,
             HostIdentity identity,
             HostSenses senses = HostSenses());
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    ~Executor();

    void start();
    /// Takes over what the master is told of this host (resources, attributes, role, names) and
    /// tells it. What else is different needs a new executor, and the log says so.
    void reload(const ExecutorOptions& options);
    /// Throws when a part of it has ended that should not: stop it then, and begin with a new one.
    [[nodiscard]] awaitable<> broken();
    /// With `orderly`, tells the master that this host will be back. Containers go on running.
    [[nodiscard]] awaitable<> stop(bool orderly);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace methos::executor
