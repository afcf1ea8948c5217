// Everything that can happen to a task on this host, as values: what the master asks for, what came
// of each call to the Engine, and what Docker tells unasked. Made by the TaskRunner, understood by
// the Lifecycle; nothing here decides.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/task.hpp"
#include "executor/tasks/container_facts.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace methos::executor {

/// How a call to the Engine went wrong, as far as the next step depends on it.
enum class CallFailure : std::uint8_t {
    NotSent,      ///< given up before it was sent: nothing happened
    NoAnswer,     ///< cut or timed out: it may have happened, or happen yet
    NameConflict, ///< 409 at create
    ImageMissing, ///< 404 at create
    PortConflict,
    ContainerGone, ///< 404 at start: removed before it was started
    Retryable,     ///< the Engine said no for a reason that may pass by itself
    Permanent,     ///< the Engine said no and will say so again
};

namespace event {
struct Begin {}; ///< the first event of a launched task

struct Kill {
    std::optional<Duration> grace; ///< none: as the spec says
};

struct PullProgress {
    std::string text;
    std::optional<ImageProgress> figures;
};

struct ImageReady {
    std::string id;
};

struct ImageFailed {
    Reason reason = Reason::ImagePullFailed;
    std::string message;
};

struct Created {
    std::string container_id;
};

struct CreateFailed {
    CallFailure failure = CallFailure::NoAnswer;
    std::string message;
};

/// The create was never sent: this host's policy forbids it, or what it needs is not to be had.
struct PlanFailed {
    TaskState state = TaskState::Failed;
    Reason reason = Reason::LaunchFailed;
    std::string message;
};

struct Started {};

struct StartFailed {
    CallFailure failure = CallFailure::NoAnswer;
    std::string message;
};

struct Seen {
    ContainerFacts facts;
};

struct Missing {}; ///< inspect: 404

struct InspectFailed {}; ///< no usable answer

/// What a list says of it, where inspect has failed for long (Lifecycle::is_blind).
struct Listed {
    std::optional<ContainerFacts> row; ///< none: it is not in the list
};

struct StopEnded {}; ///< stop has returned, whatever it said; inspect is the truth

struct Removed {}; ///< 204 or 404

struct RemoveFailed {};

struct DockerProven {}; ///< it took a new connection and answered

struct DockerDoubted {}; ///< it did not: it is ending, or has ended

/// Something happened to the container (Engine event, or the list differs).
struct Hint {
    std::optional<int> exit_code; ///< of a die event; used only when inspect comes too late
};

/// An Engine event says that the container was started. It may come after the event of its end.
struct Runs {};

/// Its process is gone, and Docker says for ever that it runs, whatever it is told.
struct ProcessLost {};

/// What its health checks say, when it changes.
struct Health {
    bool healthy = false;
    bool kill = false; ///< they failed too often: it has to go
    std::string message;
};

struct DockerDown {};

struct DockerUp {};

struct Timer {}; ///< wake_at() has come

struct TerminalAcked {}; ///< the master has the terminal status durably

struct Superseded {}; ///< a newer container of the same app has ended: keep this one no longer
} // namespace event

using Event = std::variant<event::Begin,
                           event::Kill,
                           event::PullProgress,
                           event::ImageReady,
                           event::ImageFailed,
                           event::Created,
                           event::CreateFailed,
                           event::PlanFailed,
                           event::Started,
                           event::StartFailed,
                           event::Seen,
                           event::Missing,
                           event::InspectFailed,
                           event::Listed,
                           event::StopEnded,
                           event::Removed,
                           event::RemoveFailed,
                           event::DockerProven,
                           event::DockerDoubted,
                           event::Hint,
                           event::Runs,
                           event::ProcessLost,
                           event::Health,
                           event::DockerDown,
                           event::DockerUp,
                           event::Timer,
                           event::TerminalAcked,
                           event::Superseded>;

} // namespace methos::executor
