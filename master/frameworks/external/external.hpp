// Foreign frameworks: who is subscribed, what they are offered, the updates they have yet to
// acknowledge. Pure, like the cluster it works on; their JSON is read and printed in definition/,
// their connections are master/api's. Owned by heart::Heart. Subscriptions and their ends are in
// subscriptions.cpp, offers and launches in offers.cpp, status updates in updates.cpp, what is
// asked about tasks in reconcile.cpp.
//
// What is durable: each framework (so that it may come back after a restart of the master), each
// task of it, and each status update until it is acknowledged. Offers, connections, launches that
// wait for room and what has ended are not.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/external/foreign_framework.hpp"
#include "master/frameworks/external/messages.hpp"
#include "master/frameworks/external/task_names.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace methos::external {

/// Why a call was not taken: an HTTP status and a sentence.
struct Refusal {
    int status = 400;
    std::string message;
};

struct Limits {
    Duration failover_timeout_max = std::chrono::hours(24 * 365);
    /// What every framework has at least to come back after a restart of the master.
    Duration return_after_restart = std::chrono::minutes(1);
    Duration update_retry_min = std::chrono::seconds(10);
    Duration update_retry_max = std::chrono::minutes(10);
    std::size_t frameworks_max = 10'000; ///< connected, or waited for
    std::size_t unacknowledged_max =
        100'000; ///< updates of one framework; then it launches nothing
    std::size_t unacknowledged_per_task_max = 8; ///< then the last one is replaced by the next
    std::size_t to_launch_max = 10'000;          ///< tasks of one framework that wait for a step
    std::size_t questions_max = 100'000; ///< tasks of unanswered RECONCILEs, of all frameworks
    std::size_t completed_frameworks_max = 50; ///< remembered for GET_FRAMEWORKS, as Mesos does
    std::size_t completed_tasks_max = 1'000;   ///< per framework
    std::size_t completed_tasks_all_max = 10'000;
};

/// What a SUBSCRIBE came to.
struct Subscription {
    FrameworkId framework;
    StreamNumber stream;
};

class External {
  public:
    /// `default_image` runs commands without a container; may be empty.
    External(cluster::Cluster& cluster, Limits limits, std::string default_image);
    External(const External&) = delete;
    External& operator=(const External&) = delete;
    ~External();

    // --- recovery
    // ------------------------------------------------------------------------------------
    void load_framework(std::uint64_t key, const std::string& bytes);
    void load_update(std::uint64_t key, const std::string& bytes);
    /// After all records: ties frameworks' tasks to the cluster's. Every framework is disconnected.
    void loaded();
    /// After a commit that failed: the streams of the discarded heart get ERROR at the next
    /// decision, and their numbers are not given again.
    void adopt_streams(const External& discarded);

    // --- calls
    // ---------------------------------------------------------------------------------------
    /// A first subscription (no id), a framework that comes back, or one that takes over from its
    /// other self, whose stream then gets ERROR "Framework failed over". The first event of the new
    /// stream is Subscribed. Errors: 403 for an id that was torn down or belongs to another
    /// principal, 503 when there are too many.
    [[nodiscard]] std::variant<Subscription, Refusal>
    subscribe(const Subscribe& call, const std::string& principal, cluster::Step& step);
    /// Any other call, on the stream it came for. Errors: 400 for a stream that is not the
    /// framework's current one, 403 for a framework that is not subscribed.
    [[nodiscard]] std::optional<Refusal>
    call(const Call& call, StreamNumber stream, cluster::Step& step);
    /// The stream's connection is gone, or was too slow to keep.
    void disconnected(StreamNumber stream, cluster::Step& step);
    /// Ends a framework as TEARDOWN does, for an operator. Errors: 404.
    [[nodiscard]] std::optional<Refusal> tear_down(const FrameworkId& id, cluster::Step& step);
    /// Deadlines (failover, updates to repeat) and what did not fit into one step.
    void decide(cluster::Step& step);

    // --- reading
    // -------------------------------------------------------------------------------------
    /// All that is remembered, completed ones included.
    [[nodiscard]] const std::map<FrameworkId, ForeignFramework>& frameworks() const {
        return frameworks_;
    }

    [[nodiscard]] const ForeignFramework* find(const FrameworkId& id) const;

    /// A task of the cluster that belongs to a foreign framework; null for others.
    [[nodiscard]] const ForeignTask* find_task(const cluster::Task& task) const;

  private:
    friend class FrameworkSeat; // the cluster's way to tell

    /// An ACCEPT whose tasks are launched as steps have room.
    struct Launching {
        FrameworkId framework;
        cluster::ClaimNumber claim;
        std::deque<TaskRequest> tasks;
        Duration refuse; ///< of what is left over; negative: the default
    };

    /// A RECONCILE that is answered as turns allow.
    struct Question {
        FrameworkId framework;
        StreamNumber stream;
        std::deque<Reconcile::Asked> asked; ///< when explicit
        bool all = false;
        std::string after; ///< of an implicit one: the task id that was told last
    };

    // what the cluster tells (updates.cpp, offers.cpp)
    void task_changed(const FrameworkId& id,
                      const cluster::Task& task,
                      TaskState before,
                      cluster::Step& step);
    void offers_made(const FrameworkId& id,
                     const std::vector<const cluster::Offer*>& offers,
                     cluster::Step& step);
    void offer_rescinded(const FrameworkId& id, const cluster::Offer& offer, cluster::Step& step);
    void host_lost(const FrameworkId& id, const cluster::Host& host, cluster::Step& step);

    // external.cpp
    void do_call(ForeignFramework& framework, const CallBody& body, cluster::Step& step);
    void end_orphans(cluster::Step& step);

    // subscriptions.cpp
    std::map<FrameworkId, ForeignFramework>::iterator
    make_framework(const Subscribe& call, const std::string& owner, cluster::Step& step);
    void connect(ForeignFramework& framework, const Subscribe& call, cluster::Step& step);
    void seat_at_table(ForeignFramework& framework);
    void set_terms(const ForeignFramework& framework, cluster::Step& step);
    std::optional<Refusal>
    update_framework(ForeignFramework& framework, const UpdateFramework& call, cluster::Step& step);
    void expect_back(ForeignFramework& framework, Duration within, Now now);
    void end_the_absent(cluster::Step& step);
    void end(ForeignFramework& framework, const std::string& why, cluster::Step& step);
    void go_on_ending(cluster::Step& step);
    /// False when the step is too full to go on.
    bool issue_kills(ForeignFramework& framework, cluster::Step& step);
    void complete(ForeignFramework& framework, cluster::Step& step);
    void forget_oldest_completed(cluster::Step& step);
    void save(const ForeignFramework& framework, cluster::Step& step);

    // offers.cpp
    void accept(ForeignFramework& framework, const Accept& call, cluster::Step& step);
    void decline(ForeignFramework& framework, const Decline& call, cluster::Step& step);
    void suppress(ForeignFramework& framework, const Suppress& call, cluster::Step& step);
    void revive(ForeignFramework& framework, const Revive& call, cluster::Step& step);
    void go_on_launching(cluster::Step& step);
    void drop_launches(ForeignFramework& framework, Now now);
    /// Launches or tells why not.
    void launch(ForeignFramework& framework,
                TaskRequest request,
                cluster::ClaimNumber claim,
                cluster::Step& step);
    void start(ForeignFramework& framework,
               const TaskRequest& request,
               const HostId& agent,
               cluster::ClaimNumber claim,
               cluster::Step& step);
    static void note_invalid(ForeignFramework& framework,
                             const TaskRequest& request,
                             const std::string& why,
                             cluster::Step& step);
    /// Why a task can never be launched; empty when it can.
    [[nodiscard]] std::string why_never(const ForeignFramework& framework,
                                        const TaskRequest& request,
                                        const HostId& offered) const;
    /// The task's own id, or that with something behind it when it is or was another task's.
    [[nodiscard]] TaskName free_name(const std::string& task_id, cluster::Step& step);
    std::shared_ptr<const TaskSpec>
    spec_of(ForeignFramework& framework, TaskSpec spec, cluster::Step& step);
    void release_spec(ForeignFramework& framework, SpecNumber number, cluster::Step& step);

    // updates.cpp
    [[nodiscard]] Update update_of(const ForeignFramework& framework,
                                   const ForeignTask& mine,
                                   const cluster::Task& task) const;
    /// Makes an update durable, to be sent until it is acknowledged.
    void keep(ForeignFramework& framework, ForeignTask& task, Update update, cluster::Step& step);
    void send_first(ForeignFramework& framework, ForeignTask& task, cluster::Step& step);
    void schedule(ForeignTask& task, MonoTime at);
    void repeat_updates(cluster::Step& step);
    void acknowledge(ForeignFramework& framework, const Acknowledge& call, cluster::Step& step);
    void drop_pending(ForeignFramework& framework, ForeignTask& task, cluster::Step& step);
    void forget(ForeignFramework& framework, ForeignTask& task, cluster::Step& step);
    void free_rested_names(cluster::Step& step);
    void remember_over(ForeignFramework& framework, const ForeignTask& task);
    void tell_not_launched(const ForeignFramework& framework,
                           const TaskRequest& request,
                           TaskState state,
                           const std::string& reason,
                           const std::string& message,
                           cluster::Step& step) const;

    // reconcile.cpp
    void kill(ForeignFramework& framework, const Kill& call, cluster::Step& step);
    void cancel_launch(ForeignFramework& framework, const Kill& call, cluster::Step& step);
    void reconcile(ForeignFramework& framework, const Reconcile& call, cluster::Step& step);
    void reconcile_operations(const ForeignFramework& framework,
                              const ReconcileOperations& call,
                              cluster::Step& step);
    void answer_questions(cluster::Step& step);
    void answer_all(Question& question,
                    const ForeignFramework& framework,
                    std::size_t& room,
                    cluster::Step& step) const;
    void tell_state(const ForeignFramework& framework,
                    const Reconcile::Asked& asked,
                    cluster::Step& step) const;
    /// Of a task that nobody knows; nullopt when that cannot be said yet.
    [[nodiscard]] std::optional<TaskState> state_of_unknown(const HostId& agent) const;

    cluster::Cluster& cluster_;
    Limits limits_;
    std::string default_image_;

    std::map<FrameworkId, ForeignFramework> frameworks_;
    std::unordered_map<StreamNumber, FrameworkId> by_stream_;
    std::uint64_t next_framework_key_ = 1;
    std::uint64_t next_update_key_ = 1;
    std::uint64_t next_stream_ = 1;
    std::vector<StreamNumber> orphaned_streams_;        ///< of a discarded heart
    std::vector<FrameworkId> loaded_;                   ///< to be expected back, or to be ended
    std::vector<TaskNumber> orphans_;                   ///< tasks of no framework
    std::set<std::pair<MonoTime, FrameworkId>> absent_; ///< by when they are given up
    std::set<FrameworkId> ending_;

    std::deque<Launching> launching_;
    std::deque<Question> questions_;
    std::size_t questions_asked_ = 0;
    /// When the first update of a task is to be sent again; and whose task it is.
    std::set<std::pair<MonoTime, std::uint64_t>> retries_;
    std::unordered_map<std::uint64_t, std::pair<ForeignFramework*, std::string>> task_by_key_;
    std::size_t over_tasks_ = 0;
    TaskNames names_;
};

} // namespace methos::external
