// Hosts, tasks and offers as the heart holds them. Plain values: who changes them is cluster.cpp
// and its siblings, always inside a Step.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::cluster {

enum class HostState : std::uint8_t { Up, Restarting, DockerDown, Lost };

/// "UP", as GET /methos/v1/hosts prints it.
[[nodiscard]] std::string_view to_string(HostState state);

/// What an operator wants of a host, whatever state it is in.
enum class Duty : std::uint8_t {
    Active,
    Cordoned, ///< takes nothing new
    Draining, ///< takes nothing new, and what it has moves away
    Drained,  ///< has nothing left, and takes nothing new
    Gone,     ///< never comes back: what it had is ended, then it is forgotten
};

[[nodiscard]] std::string_view to_string(Duty duty);

/// How a host is drained.
struct DrainTerms {
    /// The longest that a task may take to end; negative: as its own spec says.
    Duration grace_max = Duration(-1);
    /// Then whatever is still there is killed; the epoch: never.
    WallTime deadline;
    std::int64_t at_once = 10; ///< of foreign frameworks' tasks, so many are ended at the same time
};

struct Host {
    HostNumber number;
    HostInfo info;
    std::string key_hash;
    HostState state = HostState::Restarting;
    SessionNumber session;    ///< none while no executor is connected
    bool inventoried = false; ///< this session has told what runs; only then is it offered
    Duration beat_interval = std::chrono::milliseconds(500); ///< as this session was told
    MonoTime last_heard;
    WallTime last_seen;
    MonoTime grace_until = MonoTime::max(); ///< of Restarting and DockerDown: then Lost
    WallTime lost_at;                       ///< when it was lost last
    /// The same for waits, which a jump of the clock must not stretch. After a restart it follows
    /// from lost_at, once.
    MonoTime lost_since = MonoTime::min();
    Duty duty = Duty::Active;
    DrainTerms drain;   ///< of Duty::Draining
    Resources used;     ///< by tasks that are not terminal, killed or unreachable ones included
    Resources offered;  ///< in outstanding offers and claims
    PortSet free_ports; ///< neither used by a task nor in an offer or a claim
    std::set<OfferNumber> offers;
    std::size_t slot = 0; ///< its place in the allocator's sets of hosts

    /// While tasks are ended there to make room: only for this demand, and what is as important.
    struct Cleared {
        std::string demand; ///< empty: nothing is cleared
        std::int64_t priority = 0;
        MonoTime until = MonoTime::min();
    };

    Cleared cleared_for;
    std::set<TaskNumber> tasks;
    std::set<SpecNumber> sent_specs; ///< that this session's LAUNCHes have carried

    /// What has to move away from it counts as old for its framework.
    [[nodiscard]] bool leaving() const { return duty == Duty::Draining || duty == Duty::Gone; }

    [[nodiscard]] Resources free() const { return info.resources.scalars - used - offered; }
};

struct Task {
    TaskNumber number;
    TaskName name;
    std::string framework;
    std::string role = "*"; ///< whose share it is charged to
    std::int64_t priority = 0;
    SpecNumber spec;
    HostNumber host;
    std::vector<std::uint16_t> host_ports;
    RequestId request;
    std::uint32_t attempt = 1;

    TaskState reported = TaskState::Staging; ///< as the executor said last; durable
    bool unreachable = false; ///< its host is lost; then the state is TASK_UNREACHABLE
    Reason reason = Reason::None;
    std::string message;
    std::shared_ptr<const ImageProgress> image; ///< see image_progress(); forgotten by a restart
    std::string container_id;
    std::vector<std::string> ip_addresses;
    std::optional<bool> healthy;
    WallTime staged_at;
    WallTime started_at;
    WallTime changed_at;

    bool kill_wanted = false;
    Duration kill_grace = std::chrono::seconds(10);
    Reason kill_reason = Reason::KilledByRequest;
    MonoTime kill_sent_at = MonoTime::min();
    SessionNumber launched_in; ///< the session its LAUNCH went to
    bool confirmed = false;    ///< its executor has named it since this master started

    /// What everybody sees.
    [[nodiscard]] TaskState state() const {
        if (unreachable) {
            return TaskState::Unreachable;
        }
        return kill_wanted && !is_terminal(reported) ? TaskState::Killing : reported;
    }

    /// Whether it counts as one of the wanted instances.
    [[nodiscard]] bool active() const {
        return !unreachable && !kill_wanted && !is_terminal(reported);
    }

    [[nodiscard]] bool running() const { return active() && reported == TaskState::Running; }

    /// How far its image is, while it waits for that and there are figures; else null.
    [[nodiscard]] const ImageProgress* image_progress() const {
        return state() == TaskState::Staging ? image.get() : nullptr;
    }
};

/// A host's free resources, promised to one framework until it answers.
struct Offer {
    OfferNumber number; ///< none when it is answered at once; means nothing after a restart
    HostNumber host;
    std::string framework;
    std::string role; ///< it is made to, and its resources are charged to
    Resources resources;
    PortSet ports;
    MonoTime made_at = MonoTime::min();
};

/// The one word that people see: the duty of a host that is up, otherwise its state.
[[nodiscard]] std::string_view shown_state(const Host& host);

/// Why a host cannot take a task; the first that applies, in this order.
enum class Unfit : std::uint8_t {
    None,
    NotUp,
    Drain,       ///< cordoned, draining or drained
    Trouble,     ///< its executor says why: HostInfo::trouble
    Role,        ///< not among the roles the demand accepts
    Reservation, ///< the host is reserved for another role
    Constraint,
    Quota, ///< the role has all it may have; the same for every host
    Cpus,
    Mem,
    Disk,
    Gpus,
    Ports,
};
constexpr std::size_t unfit_count = 13;

/// How many hosts fall to each reason, by Unfit.
using Reasons = std::array<std::uint32_t, unfit_count>;

/// "InsufficientCpus": Marathon's words where it has one.
[[nodiscard]] std::string_view to_string(Unfit reason);

} // namespace methos::cluster
