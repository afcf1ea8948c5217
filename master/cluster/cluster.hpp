// The cluster heart: hosts, tasks, offers, and every rule about their life. Pure: no sockets,
// clocks, files or randomness; time comes in with each call, what is to happen goes out in a Step.
// The shell (master/shell) commits a step before anything of it is seen. Owned by heart::Heart; one
// thread.
#pragma once

#include "master/cluster/framework.hpp"
#include "master/cluster/offer_filters.hpp"
#include "master/cluster/shares.hpp"
#include "master/cluster/step.hpp"
#include "master/cluster/types.hpp"
#include "master/cluster/unknown_tasks.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace methos::cluster {

/// How fast hosts may be called lost: at most so many in any such time.
struct RemovalRate {
    std::size_t hosts = 0; ///< 0: no limit
    Duration per{};
};

struct Policy {
    Duration executor_grace = std::chrono::seconds(30);
    Duration docker_grace = std::chrono::seconds(60);
    Duration mass_loss_hold = std::chrono::seconds(30);
    RemovalRate removal_rate;
    /// Of a small cluster; where there are more hosts, so many of them beat in a second.
    Duration beat_interval = std::chrono::milliseconds(500);
    std::size_t beats_per_second_max = 10'000;
    int beats_to_loss = 4;
    Duration kill_retry = std::chrono::seconds(5);
    Duration offer_timeout = std::chrono::seconds(30); ///< a held offer is then rescinded
    /// How long an offer is its framework's alone; then another's demand may have it rescinded.
    Duration offer_hold = std::chrono::seconds(1);
    /// Less than both is not offered: Mesos's "cpus:0.01|mem:32".
    std::int64_t offer_milli_cpus_min = 10;
    std::int64_t offer_mem_bytes_min = 32 * bytes_per_mb;
};

/// What a framework with classic offers starts with an offer it has claimed.
struct Launching {
    TaskName name;
    std::shared_ptr<const TaskSpec> spec;
    std::vector<std::uint16_t> host_ports;
    std::map<std::string, std::string> env;
    RequestId request;
};

using ClaimNumber = NumberId<struct ClaimNumberTag>;

/// The UUID that belongs to a number in this cluster: always the same, never the same for two
/// numbers.
[[nodiscard]] std::string uuid_of(const std::string& cluster_id, std::uint64_t number);

class Cluster {
  public:
    explicit Cluster(Policy policy);
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

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
    /// A part of an INVENTORY; `last` when it is the end of it. Returns how many of them were
    /// taken: fewer when the step is full, and the rest belongs into the next step. At least one.
    [[nodiscard]] std::size_t
    inventory(SessionNumber session, std::span<const TaskStatus> tasks, bool last, Step& step);
    /// Returns as inventory().
    [[nodiscard]] std::size_t
    statuses(SessionNumber session, std::span<const TaskStatus> tasks, Step& step);
    /// Deadlines, retries, leftovers. Call it every beat interval and whenever Step::more was set.
    void tick(Step& step);
    // --- operators
    // ----------------------------------------------------------------------------------------------
    /// Takes nothing new from now on. Errors (all four): NotFound; Conflict when its duty forbids
    /// it.
    [[nodiscard]] Result<void> cordon(HostNumber number, Step& step);
    /// Takes tasks again; a drain that has not ended is given up.
    [[nodiscard]] Result<void> uncordon(HostNumber number, Step& step);
    /// What it has moves away: our own frameworks replace before they end, foreign ones' tasks are
    /// killed; at the deadline all are.
    [[nodiscard]] Result<void> drain(HostNumber number, const DrainTerms& terms, Step& step);
    /// It never comes back: its tasks are TASK_GONE_BY_OPERATOR, and it is forgotten. A host that
    /// joins again afterwards is a new one, and what it runs is unknown. Errors: Conflict while its
    /// executor is connected.
    [[nodiscard]] Result<void> mark_gone(HostNumber number, Step& step);
    /// The loop slept for `gap` more than it should have: deadlines of liveness move by it.
    void paused(Duration gap);

    /// Of what hosts have sent, only what came before `since` has been read so far (nothing: all of
    /// it has). No host is called silent, or too late, for what waits here.
    void unread_since(std::optional<MonoTime> since) { unread_since_ = since; }

    /// Statuses of one call, so that none takes long.
    static constexpr std::size_t slice_max = 32;

    // --- for frameworks
    // --------------------------------------------------------------------------------------
    /// The framework takes part from now on; it must outlive this cluster or be removed.
    void add_framework(Framework& framework, FrameworkTerms terms = {});
    /// Its offers are taken back without a word; its tasks, if any, stay.
    void remove_framework(const std::string& name);
    /// Offers for roles that it has left are rescinded.
    void set_terms(const std::string& name, FrameworkTerms terms, Step& step);
    /// One that is not active is offered nothing, and what it was offered is taken back without a
    /// word.
    void set_active(const std::string& name, bool active);
    /// Marks a task for killing and tells its host; repeated until it is terminal.
    void kill(TaskNumber number, Duration grace, Reason reason, Step& step);
    /// Forgets a task on a lost host: it is TASK_GONE, and is killed should its host return.
    void give_up(TaskNumber number, std::string why, Step& step);
    /// Matches demand with hosts and makes offers, in turns of who is owed most, until the step is
    /// full, a slice of work is done (Step::more says so) or nothing fits.
    void allocate(Step& step);

    // --- classic offers
    // --------------------------------------------------------------------------------------
    /// REVIVE: forgets what the framework has declined, in these roles (empty: all).
    void revive(const std::string& name, const std::vector<std::string>& roles);
    /// False when it is no outstanding offer of this framework.
    bool decline(const std::string& name, OfferNumber number, Duration refuse, Step& step);
    /// Joins outstanding offers of one host and role into what can be launched from. Errors:
    /// InvalidInput when one is unknown, another framework's, of another host or role, or its host
    /// is not up; the good ones among them are then declined without a filter.
    [[nodiscard]] Result<ClaimNumber>
    claim(const std::string& name, const std::vector<OfferNumber>& offers, Now now);
    /// What is left of a claim; null when it is released or its host went away.
    [[nodiscard]] const Offer* find_claim(ClaimNumber number) const;
    /// Starts a task from a claim. Errors: InvalidInput when it needs more than is left, Conflict
    /// when the name is taken, Unavailable when the host went away.
    [[nodiscard]] Result<TaskNumber> launch(ClaimNumber number, Launching launching, Step& step);
    /// The rest is free for others; the framework does not want it for `refuse`.
    void release(ClaimNumber number, Duration refuse, Now now);

    // --- roles
    // --------------------------------------------------------------------------------------
    void load_role(std::uint64_t key, const std::string& bytes);
    void set_role(const std::string& role, const RoleSettings& settings, Step& step);

    [[nodiscard]] const Shares& shares() const { return shares_; }

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

    /// Whether a task has this spec.
    [[nodiscard]] bool uses(SpecNumber spec) const { return spec_uses_.contains(spec); }

    /// Replacements wait: too many hosts vanished at once for it to be their fault.
    [[nodiscard]] bool holds_replacements(Now now) const { return now.mono < hold_until_; }

    /// How many hosts would be called lost if Policy::removal_rate let them.
    [[nodiscard]] std::size_t removals_held() const { return removals_held_; }

    [[nodiscard]] const std::map<OfferNumber, Offer>& offers() const { return offers_; }

    [[nodiscard]] bool has_framework(const std::string& name) const {
        return members_.contains(name);
    }

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
    void end_as(Task& task, TaskState state, Reason reason, std::string message, Step& step);
    [[nodiscard]] bool may_remove(Now now) const;
    void note_removal(Now now);
    void hold_removal(Host& host, Now now);
    void tell_held(std::size_t held, Step& step);
    void send_kill(Task& task, Step& step);
    [[nodiscard]] bool spares_unknown(const Host& host, const TaskStatus& status, const Step& step);
    void kill_unknown(Step& step);
    void set_found(Host& host, Step& step);
    void end_session(Host& host);
    void reset_ports(Host& host);
    void tell_changed(const Host& host);
    static void tell_trouble(const Host& host, Step& step);
    void mark_unreachable(Host& host, const std::string& why, Step& step);
    void lose(Host& host, const std::string& why, Step& step);
    void note_loss(Step& step);
    void check_liveness(Step& step);
    void set_duty(Host& host, Duty duty, Step& step);
    void continue_drains(Step& step);
    bool drain_some(Host& host, Step& step);
    bool end_gone(Host& host, Step& step);
    void forget(Host& host, Step& step);
    [[nodiscard]] Result<Host*> host_to_change(HostNumber number);

    // invariants.cpp
    void check_host(const Host& host) const;
    void check_task(const Task& task) const;
    void check_kills() const;
    void check_charges() const;
    void retry_kills(Step& step);
    void notify(const Task& task, TaskState before, Step& step);

    struct Member {
        Framework* listener = nullptr;
        FrameworkTerms terms;
        bool active = true;
    };

    struct Cycle;
    struct Candidate;

    [[nodiscard]] Duration next_beat_interval() const;
    [[nodiscard]] MonoTime heard_until(Now now) const;
    Host& new_host(HostNumber number);
    void charge(const Task& task);
    void refund(const Task& task);
    const Task& start(Task task,
                      const std::shared_ptr<const TaskSpec>& spec,
                      std::map<std::string, std::string> env,
                      Step& step);

    // allocator.cpp: whose turn it is
    void open_turns(Cycle& cycle, Now now);
    void improved(Host& host);
    void note_offerable(Host& host);
    [[nodiscard]] bool offerable(const Host& host) const;
    [[nodiscard]] Unfit unfit_with(const Host& host,
                                   const Resources& free,
                                   const PortSet& ports,
                                   const Demand& demand) const;
    void sweep(Now now);
    void forget_clients();
    void end_clearing(Host& host);
    void refresh_total();
    // placing.cpp: demand to hosts
    bool place_some(Shares::Client client, Cycle& cycle, Step& step);
    bool place(Demand& demand, Shares::Client client, Cycle& cycle, Step& step);
    std::vector<Candidate>& candidates_for(Demand& demand, Cycle& cycle, Now now);
    [[nodiscard]] Candidate candidate(const Host& host, const Demand& demand, bool held) const;
    bool place_on(Host& host, Framework& framework, const Demand& demand, Step& step);
    [[nodiscard]] bool fits_without_offers(const Host& host, const Demand& demand) const;
    [[nodiscard]] bool may_rescind(const Host& host, Now now) const;
    [[nodiscard]] bool is_settled(const Demand& demand) const;
    void preempt_for(const Demand& demand, Step& step);
    [[nodiscard]] std::vector<const Task*>
    victims_on(const Host& host, const Demand& demand, std::size_t fewer_than) const;
    // offering.cpp: classic offers
    bool offer_one(Shares::Client client, Cycle& cycle, Step& step);
    void tell_offers(Cycle& cycle, Step& step);
    void expire_offers(Step& step);
    void take_back(OfferNumber number);
    void rescind(OfferNumber number, Step& step);
    void withdraw_offers(Host& host);
    void tell_withdrawn(Step& step);
    void drop_claims(const Host& host);
    void save_role(std::uint64_t key, const std::string& role, Step& step);

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
    /// By what Task::name holds. Ordered: a table of hashes makes itself anew all at once.
    std::map<std::string_view, TaskNumber> task_by_name_;
    std::unordered_map<SpecNumber, std::shared_ptr<const TaskSpec>> specs_;
    std::unordered_map<SpecNumber, std::size_t> spec_uses_; ///< how many tasks have each
    /// Kills in the order they were sent, for when they are to be repeated. Those of tasks that are
    /// over, or were sent again since, are passed over when their turn comes.
    std::deque<std::pair<MonoTime, TaskNumber>> kills_;
    std::map<OfferNumber, Offer> offers_; ///< by number, which is also by age
    std::uint64_t offers_made_ = 0;
    std::map<ClaimNumber, Offer> claims_;
    std::uint64_t claims_made_ = 0;
    std::vector<Offer> withdrawn_; ///< by the loss of their hosts; their frameworks are told next
    std::map<std::string, Member> members_;
    std::map<std::string, std::uint64_t> role_keys_; ///< of the roles' records

    // What the allocator remembers from one turn to the next. A generation begins whenever
    // something gets better for somebody: who found nothing then need not look again before.
    Shares shares_;
    OfferFilters filters_;
    std::vector<Host*> slots_; ///< by Host::slot
    SlotSet offerable_;
    std::uint64_t generation_ = 1;
    std::uint64_t improvements_from_ = 1; ///< what is older is not in the list any more
    std::vector<std::pair<std::uint64_t, std::size_t>> improvements_; ///< generation, slot
    std::map<Shares::Client, std::uint64_t>
        nothing_found_;             ///< classic clients, in which generation
    std::set<HostNumber> leaving_;  ///< hosts being drained or gone
    std::set<HostNumber> clearing_; ///< hosts that are cleared for a demand
    std::size_t offer_cursor_ = 0;
    MonoTime swept_at_ = MonoTime::min();
    bool total_stale_ = true;

    std::map<SessionNumber, std::set<TaskNumber>>
        inventory_seen_; ///< while an inventory arrives in parts
    UnknownTasks unknown_tasks_;
    std::deque<TaskNumber> missing_; ///< to be ended, a few per step
    std::deque<MonoTime> recent_losses_;
    std::deque<MonoTime> removals_; ///< as many as Policy::removal_rate is about
    std::size_t removals_held_ = 0;
    std::optional<MonoTime> unread_since_;
    MonoTime hold_until_ = MonoTime::min();
};

} // namespace methos::cluster
