// The life of one task on this host as a pure state machine: facts come in as events, wishes go out
// as actions. Owned by the TaskRunner, one per task. It decides by level, not by edge: whatever
// came in, and in which order, `decide` looks at what is known and wants the next thing. It never
// starts a container twice, and says a task is over only when its container is known not to run. No
// I/O, no clock, no Docker types. In four files: lifecycle_events.cpp takes in what happened,
// lifecycle_facts.cpp what is seen of its container, lifecycle_decisions.cpp wants the next thing,
// lifecycle.cpp has the frame and what it reports.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"
#include "executor/tasks/container_facts.hpp"
#include "executor/tasks/task_action.hpp"
#include "executor/tasks/task_event.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace methos::executor {

/// Which task a lifecycle belongs to: what LAUNCH or the labels of a found container say.
struct TaskIdentity {
    TaskNumber number; ///< 0 after a restart of the executor, until the master names it
    TaskName name;
    std::string app;
    std::string host;
    std::string spec_hash;
    std::uint32_t attempt = 1;
    Duration kill_grace = std::chrono::seconds(10);
};

class Lifecycle {
  public:
    /// A task that a LAUNCH asks for. Feed it Begin.
    [[nodiscard]] static Lifecycle launched(TaskIdentity identity, bool docker_up);
    /// A task whose container was found by its labels. Feed it Seen with the same facts.
    [[nodiscard]] static Lifecycle adopted(TaskIdentity identity);

    [[nodiscard]] Actions step(const Event& event, const Now& now);

    /// When a Timer event is due, if one is.
    [[nodiscard]] std::optional<MonoTime> wake_at() const { return wake_at_; }

    /// The master gave a number to a task that was known by its name only.
    void set_number(TaskNumber number);

    [[nodiscard]] const TaskIdentity& identity() const { return identity_; }

    /// What was reported last: the task's line in an inventory.
    [[nodiscard]] const TaskStatus& last_status() const { return last_; }

    [[nodiscard]] bool ended() const { return outcome_; }

    /// What is known of its container; without an id while there is none.
    [[nodiscard]] const ContainerFacts& container() const { return facts_; }

    [[nodiscard]] bool kill_wanted() const { return kill_grace_.has_value(); }

    /// Empty while there is no container.
    [[nodiscard]] const std::string& container_id() const { return facts_.id; }

    /// Inspect has failed for so long that what a list says must do: feed it Listed.
    [[nodiscard]] bool is_blind(const Now& now) const;

    /// What inspect said last, for comparing with a list; nothing when there is no container.
    [[nodiscard]] std::optional<ContainerFacts::Status> seen_status() const;

  private:
    enum class Call : std::uint8_t { None, Image, Inspect, Create, Start, Remove, Prove };
    enum class Knowledge : std::uint8_t { Absent, Unknown, Present };

    struct End {
        TaskState state = TaskState::Failed;
        Reason reason = Reason::None;
        std::string message;
        std::optional<int> exit_code;
    };

    Lifecycle(TaskIdentity identity, bool docker_up);

    void on(const event::Begin&, const Now& now);
    void on(const event::Kill& kill, const Now& now);
    void on(const event::PullProgress& progress, const Now& now);
    void on(const event::ImageReady& ready, const Now& now);
    void on(const event::ImageFailed& failed, const Now& now);
    void on(const event::Created& created, const Now& now);
    void on(const event::CreateFailed& failed, const Now& now);
    void on(const event::PlanFailed& failed, const Now& now);
    void on(const event::Started&, const Now& now);
    void on(const event::StartFailed& failed, const Now& now);
    void on(const event::Seen& seen, const Now& now);
    void on(const event::Missing&, const Now& now);
    void on(const event::InspectFailed&, const Now& now);
    void on(const event::Listed& listed, const Now& now);
    void on(const event::StopEnded&, const Now& now);
    void on(const event::Removed&, const Now& now);
    void on(const event::RemoveFailed&, const Now& now);
    void on(const event::DockerProven&, const Now& now);
    void on(const event::DockerDoubted&, const Now& now);
    void on(const event::Hint& hint, const Now& now);
    void on(const event::Runs&, const Now& now);
    void on(const event::ProcessLost&, const Now& now);
    void on(const event::Health& health, const Now& now);
    void on(const event::DockerDown&, const Now& now);
    void on(const event::DockerUp&, const Now& now);
    void on(const event::Timer&, const Now& now);
    void on(const event::TerminalAcked&, const Now& now);
    void on(const event::Superseded&, const Now& now);

    void decide(const Now& now);
    void decide_absent(const Now& now);
    void decide_present(const Now& now);
    void decide_created(const Now& now);
    void remove_never_run(const Now& now);
    void decide_running(const Now& now);
    void decide_exited(const Now& now);
    [[nodiscard]] std::string running_message() const;
    void decide_stop(const Now& now);
    void decide_cleanup(const Now& now);

    [[nodiscard]] bool holder_is_ours() const;
    [[nodiscard]] bool holder_is_this_attempt() const;
    [[nodiscard]] bool is_running() const;
    [[nodiscard]] bool answers(Call call);
    void take_present(const ContainerFacts& facts);
    void take_absent(const Now& now);
    void take_row(const std::optional<ContainerFacts>& row, const Now& now);
    [[nodiscard]] ContainerFacts completed(ContainerFacts row, const Now& now) const;
    [[nodiscard]] bool goes_on_too_long(const Now& now);
    void tell_trouble(const std::string& message, const Now& now);
    void want_inspect();
    void look_again_if_hinted();
    void retry_later(const Now& now);
    /// `first`, doubled that many times, at most `cap`.
    [[nodiscard]] static Duration grown(Duration first, Duration cap, int times);
    void wake(MonoTime at);
    void
    report(TaskState state, Reason reason, std::string message, bool needs_ack, const Now& now);
    void end(const End& how, const Now& now);
    [[nodiscard]] End end_of_exit() const;
    [[nodiscard]] bool was_signalled() const;
    [[nodiscard]] bool was_stopped() const;
    [[nodiscard]] bool ran_out_of_memory() const;
    [[nodiscard]] bool docker_died_since_created() const;
    [[nodiscard]] bool ended_by_docker() const;

    TaskIdentity identity_;
    Actions actions_;
    std::optional<MonoTime> wake_at_;
    TaskStatus last_;

    bool docker_up_;
    bool adopted_ = false;
    Call call_ = Call::None; ///< the one call in flight beside stop and kill
    Knowledge knowledge_ = Knowledge::Absent;
    bool dirty_ = false; ///< a hint came while a call was in flight: look again after it
    ContainerFacts facts_;
    MonoTime looked_at_{}; ///< when the last inspect was asked for: facts_ may be that old
    std::optional<MonoTime> blind_since_; ///< every inspect since then has failed
    std::optional<event::Listed> listed_; ///< came while an inspect was in flight
    MonoTime listed_at_{};
    std::string image_id_;
    MonoTime not_before_{};                 ///< of the next call, after a failure
    int failures_ = 0;                      ///< in a row, for the backoff
    int tries_ = 0;                         ///< creates and starts that failed
    std::optional<MonoTime> refused_since_; ///< for reasons that may pass
    int phantoms_ = 0;                      ///< name conflicts with nobody
    int removing_looks_ = 0;                ///< in a row that found it on its way out

    bool create_sent_ = false; ///< a container may exist
    bool start_sent_ = false;  ///< it was started, or may have been
    bool resolve_conflict_ = false;
    bool remove_wanted_ = false;
    std::optional<MonoTime> create_settles_; ///< a cut create may still happen until then
    std::optional<MonoTime> start_settles_;  ///< so may a cut start
    std::optional<End> pending_end_;         ///< reported once the container is gone
    std::optional<MonoTime> stuck_since_;    ///< Docker has refused to remove it since then
    bool running_reported_ = false;
    bool outage_ = false;        ///< Docker was away since it was last seen running
    bool docker_proven_ = false; ///< Docker was there after it had ended
    std::optional<int> hinted_exit_code_;

    std::optional<bool> healthy_; ///< what its checks say; none: nothing yet
    std::string illness_;         ///< why it is not healthy
    Reason kill_reason_ = Reason::KilledByRequest;

    std::optional<Duration> kill_grace_; ///< wanted dead, with that much time to leave
    std::optional<MonoTime> kill_until_; ///< its grace ends then; set by the first stop
    bool stop_sent_ = false;
    bool stop_in_flight_ = false;
    MonoTime stop_again_at_{};
    MonoTime force_at_{};
    int forces_ = 0;

    bool outcome_ = false; ///< the terminal status has been reported
    bool acked_ = false;
    bool forgotten_ = false;
    MonoTime keep_until_{}; ///< the container, for `logs --previous`
    bool superseded_ = false;
};

} // namespace methos::executor
