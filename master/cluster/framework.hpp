// What the cluster asks of a framework (services, jobs, later foreign ones): its demand, what it
// makes of an offer, and to listen when tasks change. Implementations are as pure as the cluster.
#pragma once

#include "master/cluster/step.hpp"
#include "master/cluster/types.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace methos::cluster {

class Cluster;

/// A wish for `count` more tasks of one kind.
struct Demand {
    std::string key; ///< the framework's own name for it (an app id)
    std::size_t count = 0;
    Resources resources;
    std::size_t port_count = 0;
    std::vector<std::uint16_t> fixed_ports; ///< of port_count: those that must be these numbers
    std::vector<std::string> roles;         ///< of hosts it accepts; empty: any
    /// Constraints; empty: every host will do.
    std::function<bool(const Host&)> admits;
    /// Fewer is better: how many of its tasks a host has already.
    std::function<std::size_t(const Host&)> load_on;
};

/// A framework's answer to an offer: start this there.
struct Acceptance {
    std::shared_ptr<const TaskSpec> spec;
    TaskName name;
    std::vector<std::uint16_t> host_ports;
    std::map<std::string, std::string> env;
    RequestId request;
};

class Framework {
  public:
    Framework() = default;
    Framework(const Framework&) = delete;
    Framework& operator=(const Framework&) = delete;
    virtual ~Framework() = default;

    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual std::vector<Demand> demands(Now now) const = 0;
    /// At most one task per offer: the allocator offers again while there is demand.
    [[nodiscard]] virtual std::optional<Acceptance>
    offered(const Offer& offer, const Host& host, const Demand& demand, TaskNumber number) = 0;
    /// The accepted task is in the cluster now.
    virtual void launched(const Task& task, Step& step) = 0;
    /// `task` has just changed; `before` is its state() until now. A terminal task is gone after
    /// this call.
    virtual void task_changed(const Task& task, TaskState before, Step& step) = 0;
};

} // namespace methos::cluster
