// What the heart remembers of a foreign framework: who it is, what it has been told and has yet to
// acknowledge, which of the cluster's tasks are its own. Plain values; class External changes them.
#pragma once

#include "master/frameworks/external/messages.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace methos::external {

class FrameworkSeat;

/// A status update that its framework has yet to acknowledge; durable.
struct PendingUpdate {
    std::uint64_t key = 0; ///< of its record
    Update update;
};

/// A task as its framework knows it: from its launch until it is over and every update about it has
/// been acknowledged. Durable.
struct ForeignTask {
    std::uint64_t key = 0; ///< of its record; grows with every task
    std::string id;        ///< as the framework named it
    TaskName name;         ///< in the cluster: the id, with something behind it when that was taken
    TaskNumber number;     ///< in the cluster; none when it is over
    std::string definition; ///< its TaskInfo, compact JSON
    Update latest;          ///< what was last made known; what is asked for when it is over
    /// The first has been sent, the others wait for its acknowledgement.
    std::deque<PendingUpdate> pending;
    MonoTime retry_at = MonoTime::max(); ///< of the first of `pending`
    Duration retry_after{};
};

/// A task that is over and acknowledged: for GET_TASKS and GET_STATE. Not durable.
struct OverTask {
    std::string definition;
    Update last;
};

enum class FrameworkState : std::uint8_t {
    Connected,
    Disconnected, ///< expected back until `give_up_at`
    Ending,       ///< torn down; some of its tasks still run
    Completed,
};

struct ForeignFramework {
    std::uint64_t key = 0; ///< of its record
    FrameworkInfo info;
    std::string owner;           ///< the principal that subscribed it
    bool kills_issued = false;   ///< of one that is ending: to all of its tasks
    std::string kills_issued_to; ///< else: up to this task
    FrameworkState state = FrameworkState::Disconnected;
    StreamNumber stream; ///< none unless connected
    std::set<std::string> suppressed_roles;
    WallTime registered_at;
    WallTime subscribed_at; ///< last
    WallTime ended_at;
    MonoTime give_up_at = MonoTime::min(); ///< min: to be set at the next decision

    std::map<std::string, ForeignTask> tasks;
    std::unordered_map<TaskNumber, std::string> ids; ///< of those in `tasks` that the cluster has
    MonoTime invalid_noted_at = MonoTime::min();     ///< when a line was logged of an invalid task
    std::size_t unacknowledged = 0;                  ///< updates, of all tasks
    std::multiset<std::string> to_launch;            ///< ids of tasks that wait for a later step
    std::deque<OverTask> over;                       ///< oldest first

    std::multimap<std::string, SpecNumber> spec_by_hash; ///< equal tasks share one

    std::shared_ptr<FrameworkSeat> seat; ///< at the cluster's table; null when completed

    [[nodiscard]] bool subscribed() const { return state == FrameworkState::Connected; }

    [[nodiscard]] bool over_for_good() const {
        return state == FrameworkState::Ending || state == FrameworkState::Completed;
    }
};

} // namespace methos::external
