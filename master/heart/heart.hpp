// The heart as a whole: the cluster and the frameworks on it, loaded from records, stepped by a
// shell (the master's, a simulation's, a benchmark's). Pure; one thread.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/external/external.hpp"
#include "master/frameworks/services/services.hpp"
#include "master/state/store.hpp"

#include <string>

namespace methos::heart {

struct Options {
    cluster::Policy policy;
    std::string default_image; ///< of definitions with a cmd and no image; may be empty
    external::Limits external;
};

class Heart {
  public:
    explicit Heart(const Options& options);
    Heart(const Heart&) = delete;
    Heart& operator=(const Heart&) = delete;

    /// One stored record; in (table, key) order. Throws Failure(Internal) when it is damaged.
    void load(state::Table table, std::uint64_t key, const std::string& bytes);
    void loaded();
    /// Opens a new epoch.
    void begin(cluster::Step& step, const std::string& random_cluster_id);

    void adopt_sessions(const Heart& discarded) {
        cluster_.adopt_sessions(discarded.cluster_);
        external_.adopt_streams(discarded.external_);
    }

    void resume(Now now) { cluster_.resume(now); }

    /// A change that means nothing, to see whether the store takes writes.
    void probe(cluster::Step& step) { cluster_.save_meta(step); }

    void heard(SessionNumber session, Now now) { cluster_.heard(session, now); }

    void paused(Duration gap) { cluster_.paused(gap); }

    void unread_since(std::optional<MonoTime> since) { cluster_.unread_since(since); }

    /// Deadlines, deployments and allocation: what follows from everything that has happened.
    void decide(cluster::Step& step);

    [[nodiscard]] cluster::Cluster& cluster() { return cluster_; }

    [[nodiscard]] const cluster::Cluster& cluster() const { return cluster_; }

    [[nodiscard]] services::Services& services() { return services_; }

    [[nodiscard]] const services::Services& services() const { return services_; }

    [[nodiscard]] external::External& external() { return external_; }

    [[nodiscard]] const external::External& external() const { return external_; }

    struct Counts {
        std::size_t hosts_up = 0;
        std::size_t tasks = 0;
        std::size_t removals_held = 0; ///< hosts that the removal rate keeps from being lost
    };

    [[nodiscard]] Counts counts() const;

  private:
    cluster::Cluster cluster_;
    services::Services services_;
    external::External external_;
};

} // namespace methos::heart
