// What the cluster asks of a framework (services, jobs, foreign ones), and what it tells it.
// Implementations are as pure as the cluster. There are two kinds: those of our own publish their
// demand and answer each offer at once; foreign ones get classic offers, which they hold until they
// accept, decline or are told that it is over.
#pragma once

#include "master/cluster/step.hpp"
#include "master/cluster/types.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::cluster {

class Cluster;

/// A wish for `count` more tasks of one kind. Owned by its framework; the allocator counts it down
/// and keeps its notes in it.
struct Demand {
    std::string key; ///< the framework's own name for it (an app id)
    WallTime since;  ///< when it began; for people only
    /// Grows whenever `admits` may answer differently, other than by what happens to the host asked
    /// for.
    std::uint64_t revision = 0;
    std::string role = "*";    ///< whose share and limits it is charged to
    std::int64_t priority = 0; ///< higher first, within a framework's role
    std::size_t count = 0;
    Resources resources;
    std::size_t port_count = 0;
    std::vector<std::uint16_t> fixed_ports; ///< of port_count: those that must be these numbers
    /// Of hosts it accepts; empty: unreserved ones and those of its own role.
    std::vector<std::string> roles;
    /// Constraints; empty: every host will do.
    std::function<bool(const Host&)> admits;
    /// Fewer is better: how many of its tasks a host has already.
    std::function<std::size_t(const Host&)> load_on;

    /// The allocator's notes: when no host was found for it, and why not.
    struct Tried {
        std::uint64_t generation = 0; ///< 0: not yet, or to be looked at anew
        std::uint64_t revision = 0;
        Reasons reasons{};
    };

    Tried tried;
};

/// A framework's answer to an offer: start this there.
struct Acceptance {
    std::shared_ptr<const TaskSpec> spec;
    TaskName name;
    std::vector<std::uint16_t> host_ports;
    std::map<std::string, std::string> env;
    RequestId request;
};

/// How a framework takes part in the allocation.
struct FrameworkTerms {
    std::vector<std::string> roles{"*"}; ///< it may be offered resources for
    std::set<std::string> suppressed;    ///< of these: it wants no offers now
    bool moves_tasks = false; ///< away from hosts that are drained; others' tasks are killed there
    bool classic = false;     ///< gets offers to hold, instead of publishing its demand
};

class Framework {
  public:
    Framework() = default;
    Framework(const Framework&) = delete;
    Framework& operator=(const Framework&) = delete;
    virtual ~Framework() = default;

    [[nodiscard]] virtual const std::string& name() const = 0;

    /// The accepted task is in the cluster now.
    virtual void launched(const Task& task, Step& step) = 0;
    /// `task` has just changed; `before` is its state() until now. A terminal task is gone after
    /// this call.
    virtual void task_changed(const Task& task, TaskState before, Step& step) = 0;

    // --- demand
    // ------------------------------------------------------------------------------------
    /// Adds what it wants now; the demands stay where they are until the allocation is over.
    virtual void collect_demands(Now /*now*/, std::vector<Demand*>& /*demands*/) {}

    /// At most one task per offer: the allocator offers again while there is demand.
    [[nodiscard]] virtual std::optional<Acceptance> offered(const Offer& /*offer*/,
                                                            const Host& /*host*/,
                                                            const Demand& /*demand*/,
                                                            TaskNumber /*number*/) {
        return std::nullopt;
    }

    // --- classic offers
    // ----------------------------------------------------------------------------
    virtual void offers_made(const std::vector<const Offer*>& /*offers*/, Step& /*step*/) {}

    virtual void offer_rescinded(const Offer& /*offer*/, Step& /*step*/) {}

    /// What the host's tasks count for may have changed: it is drained, or not any more.
    virtual void host_leaving(const Host& /*host*/, Step& /*step*/) {}

    /// Its executor has told something new of the host: its name, attributes or resources.
    virtual void host_changed(const Host& /*host*/) {}

    /// The host, with everything on it, is lost.
    virtual void host_lost(const Host& /*host*/, Step& /*step*/) {}

    /// Ends the process when what it keeps of its tasks is not what the cluster has. Tests ask.
    virtual void check_invariants() const {}
};

} // namespace methos::cluster
