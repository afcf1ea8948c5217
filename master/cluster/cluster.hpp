// The cluster heart: hosts, tasks, offers, and every rule about their life. Pure: no sockets,
// clocks, files or randomness; time comes in with each call, what is to happen goes out in a Step.
// The shell (master/shell) commits a step before anything of it is seen. Owned by heart::Heart; one
// thread.
#pragma once

#include "master/cluster/framework.hpp"
#include "master/cluster/step.hpp"
#include "master/cluster/types.hpp"
#include "master/cluster/unknown_tasks.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace methos::cluster {

struct Policy {
    Duration executor_grace = std::chrono::seconds(30);
    Duration docker_grace = std::chrono::seconds(60);
    Duration mass_loss_hold = std::chrono::seconds(30);
    Duration beat_interval = std::chrono::milliseconds(500);
    int beats_to_loss = 4;
    Duration kill_retry = std::chrono::seconds(5);
};

/// The UUID that belongs to a number in this cluster: always the same, never the same for two
/// numbers.
[[nodiscard]] std::string uuid_of(const std::string& cluster_id, std::uint64_t number);

class Cluster {
  public:
    explicit Cluster(Policy policy);

    // --- recovery, before the first step
    // -------------------------------------------------------------------
    void load_meta(const std::string& bytes);
    void load_host(HostNumber number, const std::string& bytes);
    void load_spec(SpecNumber number, const std::string& bytes);
    void load_task(TaskNumber number, const std::string& bytes);
    /// After all records: a new epoch, a cluster id when there is none, hosts are given their
    /// grace.
    void begin(Step& step, const std::string& random_cluster_id);
    void save_meta(Step& step);
    /// Takes over connections from a heart whose commit failed: they stay alive meanwhile.
    void adopt_sessions(const Cluster& discarded);
    /// The store takes writes again. What hosts told meanwhile was not taken down: every session is
    /// over, and every host has its grace to join anew and to tell what it has.
    void resume(Now now);

    // --- events
    // ----------------------------------------------------------------------------------------------
    void host_joined(SessionNumber session, HostInfo info, const std::string& key_hash, Step& step);
    void host_changed(SessionNumber session, HostInfo info, Step& step);
    void heard(SessionNumber session, Now now);
    void connection_closed(SessionNumber session, Step& step);
    void goodbye(SessionNumber session, Duration grace, Step& step);
    /// A part of an INVENTORY; `last` when it is the end of it. Parts hold at most `slice_max`
    /// statuses.
    void
    inventory(SessionNumber session, const std::vector<TaskStatus>& tasks, bool last, Step& step);
    void statuses(SessionNumber session, const std::vector<TaskStatus>& tasks, Step& step);
    /// Deadlines, retries, leftovers. Call it every beat interval and whenever Step::more was set.
    void tick(Step& step);
    /// The loop slept for `gap` more than it should have: deadlines of liveness move by it.
    void paused(Duration gap);

    static constexpr std::size_t slice_max = 32;

    // --- for frameworks
    // --------------------------------------------------------------------------------------
    void add_framework(Framework& framework);
    /// Marks a task for killing and tells its host; repeated until it is terminal.
    void kill(TaskNumber number, Duration grace, Reason reason, Step& step);
    /// Matches demand with hosts until the step is full or nothing fits.
    void allocate(Step& step);

    /// A UUID that this cluster has never given out and never will again.
    [[nodiscard]] std::string new_uuid(Step& step) { return uuid_of(id_, next_number(step)); }

    SpecNumber add_spec(TaskSpec spec, Step& step);
    /// Forgets a spec that no task uses any more.
    void drop_spec(SpecNumber number, Step& step);

    // --- reading
    // ---------------------------------------------------------------------------------------------
    [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

    [[nodiscard]] const std::string& id() const { return id_; }

    [[nodiscard]] const Policy& policy() const { return policy_; }

    [[nodiscard]] const std::map<HostNumber, Host>& hosts() const { return hosts_; }

    [[nodiscard]] const std::map<TaskNumber, Task>& tasks() const { return tasks_; }

    [[nodiscard]] const Host* find_host(HostNumber number) const;
    [[nodiscard]] const Host* find_host(SessionNumber session) const;
    [[nodiscard]] const Host* find_host(const HostId& id) const;
    [[nodiscard]] const Task* find_task(TaskNumber number) const;
    [[nodiscard]] const Task* find_task(const TaskName& name) const;
    [[nodiscard]] std::shared_ptr<const TaskSpec> find_spec(SpecNumber number) const;

    /// Replacements wait: too many hosts vanished at once for it to be their fault.
    [[nodiscard]] bool holds_replacements(Now now) const { return now.mono < hold_until_; }

    /// For each reason, how many hosts fall to it first.
    [[nodiscard]] std::map<Unfit, std::size_t> explain(const Demand& demand) const;
    /// Whether a host can take one task of this demand now.
    [[nodiscard]] Unfit unfit(const Host& host, const Demand& demand) const;

    /// Aborts with a message when an invariant of DESIGN section 3 is broken. Tests call it after
    /// every step.
    void check_invariants() const;

  private:
    Host* host_of(SessionNumber session);
    Task* task_of(const TaskStatus& status);
    std::uint64_t next_number(Step& step);
    void save_host(const Host& host, Step& step);
    void save_task(const Task& task, Step& step);

    void apply(Host& host, const TaskStatus& status, Step& step);
    void finish(Task& task, TaskState before, Step& step);
    void end_missing(TaskNumber number, Step& step);
    void send_kill(Task& task, Step& step);
    [[nodiscard]] bool spares_unknown(const Host& host, const TaskStatus& status, const Step& step);
    void kill_unknown(Step& step);
    void set_found(Host& host, Step& step);
    void end_session(Host& host);
    void reset_ports(Host& host);
    void mark_unreachable(Host& host, const std::string& why, Step& step);
    void lose(Host& host, const std::string& why, Step& step);
    void note_loss(Step& step);
    void check_liveness(Step& step);
    void retry_kills(Step& step);
    void notify(const Task& task, TaskState before, Step& step);
    [[nodiscard]] bool
    launch(const Offer& offer, Host& host, Framework& framework, const Demand& demand, Step& step);
    Host* best_host(const Demand& demand);

    Policy policy_;
    std::string id_;
    std::uint64_t epoch_ = 0;
    std::uint64_t next_number_ = 1;
    std::uint64_t numbers_reserved_ = 0;
    WallTime restored_at_; ///< when this state came out of a snapshot; the epoch: never
    std::uint64_t restored_from_number_ = 0; ///< tasks from it on are known, or are over

    std::map<HostNumber, Host> hosts_;
    std::unordered_map<std::string, HostNumber> host_by_id_;
    std::unordered_map<SessionNumber, HostNumber> host_by_session_;
    std::map<TaskNumber, Task> tasks_;
    std::unordered_map<std::string, TaskNumber> task_by_name_;
    std::unordered_map<SpecNumber, std::shared_ptr<const TaskSpec>> specs_;
    std::map<OfferNumber, Offer> offers_;
    std::vector<Framework*> frameworks_;

    std::map<SessionNumber, std::set<TaskNumber>>
        inventory_seen_; ///< while an inventory arrives in parts
    UnknownTasks unknown_tasks_;
    std::deque<TaskNumber> missing_; ///< to be ended, a few per step
    std::deque<MonoTime> recent_losses_;
    MonoTime hold_until_ = MonoTime::min();
};

} // namespace methos::cluster
