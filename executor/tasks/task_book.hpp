// All tasks of this host as one pure machine: what the master and Docker say comes in, what is to
// be done goes out as orders. It gives each task's Lifecycle its events, keeps the updates that the
// master has not acknowledged, finds tasks again by the labels of their containers, and knows when
// an inventory would be the truth. Owned by the TaskRunner, which carries the orders out; the
// simulation drives the same book. No I/O, no clock; the runner's thread only.
#pragma once

#include "executor/tasks/lifecycle.hpp"
#include "executor/tasks/outbox.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace methos::executor {

namespace order {
/// An action of one task's lifecycle; its answer goes to deliver(). The book has done its part of
/// Report and Forget already.
struct Perform {
    TaskName task;
    Action action;
};

/// Look at a container that is not known yet; answered by inspected(), also when it fails.
struct InspectFound {
    std::string container_id;
};

/// A container that nobody wants and nobody waits for.
struct RemoveStray {
    TaskName task;
    std::string container_id;
};

/// The master has to hear the inventory: Docker was (re)connected and all containers are known.
struct TellInventory {};

/// Worth a line in the log.
struct Note {
    bool warning = false;
    const char* text = "";
    TaskName task;
    std::string container_id;
};
} // namespace order

using Order = std::variant<order::Perform,
                           order::InspectFound,
                           order::RemoveStray,
                           order::TellInventory,
                           order::Note>;
using Orders = std::vector<Order>;

class TaskBook {
  public:
    /// One task of this host.
    struct Task {
        Lifecycle life;
        std::shared_ptr<const TaskSpec> spec; ///< null when adopted
        TaskLaunch launch;
        std::string container_name; ///< of the last Create
    };

    /// `host` is what the labels of this host's containers say. `keeps_ended`: the newest ended
    /// container of an app for a while, and some of the tasks that belong to none.
    explicit TaskBook(std::string host, bool keeps_ended = true)
        : host_(std::move(host)), keeps_ended_(keeps_ended) {}

    // ---- what the master says
    /// A task that is known already is only reported again.
    [[nodiscard]] Orders
    launch(std::shared_ptr<const TaskSpec> spec, TaskLaunch launch, const Now& now);
    /// A launch that cannot even be tried: reported as terminal.
    void refuse(const TaskLaunch& launch,
                TaskState state,
                Reason reason,
                std::string message,
                const Now& now);
    [[nodiscard]] Orders
    kill(TaskNumber number, TaskName name, std::optional<Duration> grace, const Now& now);
    [[nodiscard]] Orders
    acknowledge(TaskNumber number, const TaskName& name, std::uint64_t stamp, const Now& now);

    void session_opened() { outbox_.session_opened(); }

    void session_closed() { outbox_.session_closed(); }

    // ---- what Docker says
    /// Docker is there (again) and listed this host's containers.
    [[nodiscard]] Orders docker_up(const std::vector<ContainerFacts>& list, const Now& now);
    [[nodiscard]] Orders docker_down(const Now& now);
    /// A regular list: unknown containers are adopted, known ones that differ are looked at.
    [[nodiscard]] Orders listed(const std::vector<ContainerFacts>& list, const Now& now);
    /// A container of `task` has ended or was removed (Hint) or was started (Runs).
    [[nodiscard]] Orders container_event(const TaskName& task,
                                         const std::string& container_id,
                                         const Event& event,
                                         const Now& now);
    /// The answer to InspectFound: Seen, Missing or InspectFailed.
    [[nodiscard]] Orders
    inspected(const std::string& container_id, const Event& answer, const Now& now);
    /// The answer to a Perform, or news of its way.
    [[nodiscard]] Orders deliver(const TaskName& task, const Event& event, const Now& now);

    // ---- the clock
    /// Does what is due. Then take_updates() has what is to be sent.
    [[nodiscard]] Orders tick(const Now& now);
    [[nodiscard]] std::vector<TaskStatus> take_updates(const Now& now);
    /// When to tick next; nothing while nothing is awaited.
    [[nodiscard]] std::optional<MonoTime> next_due() const;

    // ---- what others ask
    /// Whether Docker has been listed and answers still: else an inventory would lie.
    [[nodiscard]] bool knows_containers() const {
        return listed_ && docker_up_ && adoptions_.empty();
    }

    /// Whether a start that waited for its turn may be sent still.
    [[nodiscard]] bool may_start(const TaskName& task) const;
    /// Null when there is no such task.
    [[nodiscard]] const Task* find(const TaskName& task) const;
    [[nodiscard]] std::vector<TaskStatus> inventory() const;

  private:
    struct PendingKill {
        TaskNumber number;
        std::optional<Duration> grace;
    };

    /// A listed container on its way to become a task.
    struct Adoption {
        ContainerFacts row;
        int tries = 0;
        std::optional<MonoTime> again_at; ///< none: an inspect is under way, or `known`
        bool known = false;               ///< waits for others of the same task
        bool by_list = false;             ///< known from the list only
    };

    void step(const TaskName& name, const Event& event, const Now& now, Orders& orders);
    static void note_if_it_runs_on(const Lifecycle& life, Orders& orders);
    void step_all(const Event& event, const Now& now, Orders& orders);
    void compare(const std::vector<ContainerFacts>& list, const Now& now, Orders& orders);
    void tell_the_blind(const std::vector<ContainerFacts>& list, const Now& now, Orders& orders);
    void adopt(const ContainerFacts& row, Orders& orders);
    void adopt_best(const std::string& task, const Now& now, Orders& orders);
    void adopt_as(const ContainerFacts& facts, const Now& now, Orders& orders);
    void adoption_ended(const Now& now, Orders& orders);
    [[nodiscard]] std::vector<TaskName> superseded_by(const Task& task,
                                                      const TaskStatus& status) const;
    [[nodiscard]] std::optional<TaskName> name_of(TaskNumber number) const;

    std::string host_;
    bool keeps_ended_ = true;
    bool docker_up_ = false;
    bool listed_ = false;
    std::map<TaskName, Task> tasks_;
    std::map<std::string, Adoption> adoptions_;     ///< by container id
    std::map<TaskName, PendingKill> pending_kills_; ///< before Docker was listed
    StatusOutbox outbox_;
};

} // namespace methos::executor
