// Everything a Lifecycle can ask for, as values: calls to the Engine, a report to the master, and
// to be forgotten. Performed by the TaskRunner, in the order given; how is its business.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"

#include <string>
#include <variant>
#include <vector>

namespace methos::executor {

constexpr const char* container_name_suffix = "-r"; ///< and a number

/// Each call below is answered by exactly one of its events, also when it fails.
namespace action {
struct EnsureImage {}; ///< ImageReady or ImageFailed; PullProgress meanwhile

struct AbandonImage {}; ///< no answer follows

struct Create {
    std::string image_id;
    std::string name_suffix; ///< appended to the container's name after phantom name conflicts
};

struct Start {
    std::string container_id;
};

struct Inspect {
    std::string container_id; ///< empty: by the name of the last Create
};

struct Stop {
    std::string container_id;
    Duration grace{};
};

struct ForceKill { ///< answered by a Hint
    std::string container_id;
};

struct Remove {
    std::string container_id;
    bool may_run = false; ///< unknown to this dockerd: its processes are ended, too
};

/// Whether Docker still takes connections: one that ends goes on answering on those it has.
/// Answered by DockerProven or DockerDoubted.
struct ProveDocker {};

struct Report {
    TaskStatus status; ///< without a stamp
    bool needs_ack = false;
};

struct Forget {}; ///< the last action: nothing of the task is left here
} // namespace action

using Action = std::variant<action::EnsureImage,
                            action::AbandonImage,
                            action::Create,
                            action::Start,
                            action::Inspect,
                            action::Stop,
                            action::ForceKill,
                            action::Remove,
                            action::ProveDocker,
                            action::Report,
                            action::Forget>;
using Actions = std::vector<Action>;

} // namespace methos::executor
