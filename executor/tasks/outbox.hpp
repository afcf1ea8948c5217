// Status updates on their way to the master: at most one per task is outstanding; it is sent again
// until the master acknowledges its stamp, and again in each new session. Owned by the TaskRunner.
// Pure: what is due comes out, sending is the caller's.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"

#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace methos::executor {

class StatusOutbox {
  public:
    /// Queues an update behind those of the same task; it takes the place of one of the same state
    /// that waits there. One that needs no ACK is sent once, and only
    /// when nothing of its task is outstanding (the outstanding one says more).
    void add(TaskStatus status, bool needs_ack);

    /// What is to be sent now: new ones, and those whose retry is due.
    [[nodiscard]] std::vector<TaskStatus> take_due(MonoTime now);

    /// When take_due has something to say again without a new add().
    [[nodiscard]] std::optional<MonoTime> next_due() const;

    /// What an ACK was for.
    struct Acked {
        TaskName name;
        bool terminal = false;
    };

    /// Unknown and old stamps are ignored. `number` 0: `name` says which.
    std::optional<Acked> ack(TaskNumber number, const TaskName& name, std::uint64_t stamp);

    /// A new session: everything outstanding is due at once, what needs no ACK is dropped.
    void session_opened();
    /// No session: nothing is due.
    void session_closed();

    /// The outstanding update of a task, which an inventory repeats; null when there is none.
    [[nodiscard]] const TaskStatus* outstanding(const TaskName& name) const;

    /// All outstanding updates.
    [[nodiscard]] std::vector<TaskStatus> outstanding() const;

    void set_number(const TaskName& name, TaskNumber number);
    void forget(const TaskName& name);

  private:
    struct Lane {
        std::deque<TaskStatus> waiting; ///< front is outstanding
        MonoTime due{};
        int sent = 0;
    };

    std::map<TaskName, Lane> lanes_;
    std::map<TaskNumber, TaskName> names_;
    std::vector<TaskStatus> unacked_; ///< needing no ACK, to be sent at the next turn
    std::uint64_t last_stamp_ = 0;
    bool open_ = false;
};

} // namespace methos::executor
