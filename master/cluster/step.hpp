// What one step of the heart does to the world: durable changes, and what may be seen once they are
// committed. A Step is filled by the heart and emptied by the shell, which commits `changes` before
// it sends anything.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"
#include "master/cluster/types.hpp"
#include "master/state/store.hpp"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace methos::cluster {

struct SendWelcome {};

struct SendLaunch {
    std::shared_ptr<const TaskSpec> spec; ///< null when the session has it already
    TaskLaunch launch;
};

struct SendKill {
    TaskNumber number;
    TaskName name;
    Duration grace; ///< negative: as the spec says
};

struct SendAck {
    TaskNumber number;
    TaskName name; ///< set when the status came without a number
    std::uint64_t stamp = 0;
};

/// One message for one session; the shell joins those of one commit into lists.
struct Message {
    SessionNumber session;
    std::variant<SendWelcome, SendLaunch, SendKill, SendAck> body;
};

/// Something for subscribers (a framework's events); each framework derives its own. Leaves after
/// the commit, in order.
struct Publication {
    Publication() = default;
    Publication(const Publication&) = default;
    Publication& operator=(const Publication&) = default;
    virtual ~Publication() = default;
};

/// Of steps that are watched: a task was launched, or its state or what is known of its container
/// changed. Whose it is does not matter.
struct TaskChanged final : Publication {
    TaskChanged(Task task_, bool added_) : task(std::move(task_)), added(added_) {}

    Task task;  ///< as it was then; terminal: it is gone now
    bool added; ///< it was launched in this step
};

/// Of steps that are watched: a host may be offered from now on, or is lost.
struct HostChanged final : Publication {
    HostChanged(HostNumber host_, HostId id_, bool there_)
        : host(host_), id(std::move(id_)), there(there_) {}

    HostNumber host;
    HostId id;
    bool there;
};

/// Of steps that are watched: a foreign framework is new, came back, left, or is over.
struct FrameworkChanged final : Publication {
    enum class Kind : std::uint8_t { Added, Updated, Removed };

    FrameworkChanged(std::string id_, Kind kind_) : id(std::move(id_)), kind(kind_) {}

    std::string id;
    Kind kind;
};

/// A line for the operator's log.
struct Notice {
    bool warning = false;
    std::string text;
};

struct Step {
    explicit Step(Now now_) : now(now_) {}

    Now now;
    state::Batch changes;
    std::vector<Message> messages;
    std::vector<std::shared_ptr<const Publication>> publications;
    std::vector<Notice> notices;
    bool more = false;    ///< the heart has work left: step it again soon
    bool watched = false; ///< somebody wants TaskChanged, HostChanged and FrameworkChanged

    void put(state::Table table, std::uint64_t key, std::string value);
    void erase(state::Table table, std::uint64_t key);
    void send(SessionNumber session, decltype(Message::body) body);

    void note(std::string text) { notices.push_back({false, std::move(text)}); }

    void warn(std::string text) { notices.push_back({true, std::move(text)}); }

    /// Whether another change of a few records still fits into this step's batch.
    [[nodiscard]] bool has_room() const;

  private:
    std::size_t bytes_ = 0;
};

} // namespace methos::cluster
