// The services framework: apps (Marathon's definitions) and the instances that keep them true.
// Pure, like the cluster it works on: every change leaves through a Step. Owned by heart::Heart.
//
// It is level-triggered: whatever happens only marks an app as dirty; decide() then compares what
// is wanted with what is there, and kills or asks for instances. A restart of the master needs
// nothing more than that.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/services/definition/api_error.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"
#include "master/frameworks/services/instances.hpp"
#include "master/frameworks/services/version_history.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::services {

/// How an instance ended, kept when the instance is forgotten.
struct LastEnd {
    std::string task;
    HostNumber host;
    std::string hostname;
    TaskState state = TaskState::Failed;
    std::string message;
    WallTime time;
    std::string version;
};

struct App {
    std::uint64_t key = 0; ///< of its record
    AppDefinition definition;
    std::string version; ///< of the last change, scaling included
    SpecNumber spec;     ///< what new instances run
    bool deleting = false;
    std::string deployment; ///< id of the change in progress; empty when settled
    WallTime last_scaling_at;
    WallTime last_config_change_at;
    RequestId request;
    std::optional<LastEnd> last_failure;
    std::optional<LastEnd> last_end;

    std::set<TaskNumber> tasks; ///< all that the cluster has, unreachable and dying ones included
    Instances instances;        ///< the same, by what they are good for
    std::uint64_t revision = 0; ///< grows whenever where the next instance may go can change
    Duration backoff{};
    MonoTime backoff_until = MonoTime::min();
    MonoTime failed_at = MonoTime::min();
};

/// Counts as Marathon's clients read them.
struct AppCounts {
    std::size_t staged = 0;
    std::size_t running = 0;
    std::size_t healthy = 0;
    std::size_t unhealthy = 0;
};

/// The answer to a change.
struct Changed {
    AppId app;
    std::string version;
    std::string deployment;
    bool created = false;
};

class Services final : public cluster::Framework {
  public:
    Services(cluster::Cluster& cluster, std::string default_image);

    // --- recovery
    // ---------------------------------------------------------------------------------------------
    void load_app(std::uint64_t key, const std::string& bytes);
    void load_ends(std::uint64_t key, const std::string& bytes);
    void load_version(std::uint64_t key, const std::string& bytes);
    /// After all records: ties tasks to their apps. What belongs to none is ended by decide().
    void loaded();

    // --- changes
    // ------------------------------------------------------------------------------------------------
    enum class Existing : bool { Refuse, Replace };
    /// Creates or replaces an app. A definition that is no other makes no new version. Errors: 409
    /// when it exists and must not, 422 when it can never be launched.
    [[nodiscard]] ApiResult<Changed>
    put(AppDefinition definition, Existing existing, const RequestId& request, cluster::Step& step);
    /// Replaces every instance as a change of the definition would, by a new version of the same.
    /// Errors: 404; 422 when its definition is no longer one that can be launched.
    [[nodiscard]] ApiResult<Changed>
    restart(const AppId& id, const RequestId& request, cluster::Step& step);
    /// Makes the definition of an older version, its number of instances included, that of a new
    /// one. Errors: 404 when there is no such version, and those of put.
    [[nodiscard]] ApiResult<Changed>
    roll_back(const AppId& id, WallTime version, const RequestId& request, cluster::Step& step);
    /// Errors: 404.
    [[nodiscard]] ApiResult<Changed>
    remove(const AppId& id, const RequestId& request, cluster::Step& step);

    /// What waits after failures is tried at once. False when the app waits for nothing.
    bool reset_delay(const AppId& id);

    /// Compares wanted with there for every app that something happened to.
    void decide(cluster::Step& step);

    // --- reading
    // ------------------------------------------------------------------------------------------------
    [[nodiscard]] const std::map<AppId, App>& apps() const { return apps_; }

    [[nodiscard]] const App* find(const AppId& id) const;
    /// Every version of it that is known, the newest (the present one) first.
    [[nodiscard]] std::vector<WallTime> versions_of(const App& app) const;
    [[nodiscard]] std::optional<AppVersion> find_version(const App& app, WallTime version) const;

    [[nodiscard]] const VersionHistory& history() const { return history_; }

    [[nodiscard]] AppCounts counts(const App& app) const;
    /// What the app would ask for now, were it not for backoff; count 0 when nothing is missing.
    [[nodiscard]] cluster::Demand demand_of(const App& app, Now now) const;

    /// What is asked for on behalf of each app that misses instances, with the allocator's notes of
    /// why it was not given (Demand::tried).
    [[nodiscard]] const std::map<AppId, cluster::Demand>& demands() const { return demands_; }

    // --- cluster::Framework
    // -------------------------------------------------------------------------------------
    [[nodiscard]] const std::string& name() const override;
    void collect_demands(Now now, std::vector<cluster::Demand*>& demands) override;
    [[nodiscard]] std::optional<cluster::Acceptance> offered(const cluster::Offer& offer,
                                                             const cluster::Host& host,
                                                             const cluster::Demand& demand,
                                                             TaskNumber number) override;
    void launched(const cluster::Task& task, cluster::Step& step) override;
    void task_changed(const cluster::Task& task, TaskState before, cluster::Step& step) override;
    void host_leaving(const cluster::Host& host, cluster::Step& step) override;
    void host_changed(const cluster::Host& host) override;
    void check_invariants() const override;

  private:
    using Group = Instances::Group;

    /// How many instances an app has, as its decision reads it.
    struct Tally {
        std::size_t current = 0; ///< active, of the wanted spec, on hosts that stay
        std::size_t old = 0;     ///< active, to be replaced
        std::size_t held = 0;    ///< unreachable, but still counted
        std::size_t running = 0; ///< of current and old
        std::size_t running_current = 0;
    };

    [[nodiscard]] Tally tally(const App& app, Now now) const;
    [[nodiscard]] bool still_counts(const App& app, HostNumber lost, Now now) const;
    App* app_of(const cluster::Task& task);
    [[nodiscard]] ApiResult<TaskSpec> launchable(const AppDefinition& definition,
                                                 const std::string& version) const;
    Changed
    scale(App& app, AppDefinition definition, const RequestId& request, cluster::Step& step);
    [[nodiscard]] bool names_a_group(const AppId& id) const;
    [[nodiscard]] WallTime next_version(Now now) const;
    void begin_version(App& app, WallTime version, cluster::Step& step);
    void follow(App& app, TaskSpec spec, cluster::Step& step);
    Changed deploy(App& app, const RequestId& request, cluster::Step& step);
    [[nodiscard]] std::set<WallTime> versions_in_use(const AppId& id) const;
    void trim_history(const AppId& id, cluster::Step& step);
    void save(const App& app, cluster::Step& step);
    void save_ends(const App& app, cluster::Step& step);
    void end_orphans(cluster::Step& step);
    /// True when everything is as wanted. Sets Step::more when the step was too full to finish.
    bool settle(App& app, cluster::Step& step);
    void kill_worst(App& app,
                    std::size_t count,
                    const std::function<bool(const Group&)>& among,
                    cluster::Step& step);
    void expunge(App& app, cluster::Step& step);
    void delete_when_empty(App& app, cluster::Step& step);
    void delay_next(App& app, Now now);
    [[nodiscard]] cluster::Demand demand_for(const App& app, const Tally& there) const;
    void refresh_demand(const App& app, const Tally& there, Now now);
    void add_task(App& app, const cluster::Task& task) const;
    void count_values(App& app) const;
    static void remove_task(App& app, const cluster::Task& task);
    void drop_spec_when_unused(const App& app, SpecNumber spec, cluster::Step& step);

    cluster::Cluster& cluster_;
    std::string default_image_;
    std::map<AppId, App> apps_;
    VersionHistory history_;
    WallTime newest_version_; ///< of all apps, past versions included
    std::uint64_t next_key_ = 1;
    std::set<AppId> dirty_;
    std::map<AppId, cluster::Demand> demands_; ///< of apps that miss instances
    std::set<TaskNumber> orphans_;             ///< found at the start, of no app
};

/// How many instances run at least, while old ones are replaced by new ones.
[[nodiscard]] std::size_t kept_while_replacing(const AppDefinition& definition);

/// `grp_app.instance-<uuid>._app.1` for `/grp/app`.
[[nodiscard]] TaskName instance_name(const AppId& app, const std::string& uuid);

} // namespace methos::services
