// What happened to a task, taken in: each event changes what is known, and calls nobody yet. The
// answers of failed calls are judged here, since the same words need not mean the same: what was
// not sent has not happened, what was cut may happen yet, and some refusals pass by themselves.
#include "executor/tasks/lifecycle.hpp"

#include "executor/tasks/exit_message.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

constexpr int tries_max = 3;            // creates and starts of one task that may fail
constexpr Duration refusal_limit = 60s; // containerd comes back by itself (docker-engine.md 5.2)
constexpr Duration retry_first = 200ms;
constexpr Duration retry_cap = 5s;
constexpr Duration create_settle = 10s; // a create whose connection was cut goes on in dockerd
constexpr Duration start_settle = 5s;   // so does a start; then it is made anew, which ends it
constexpr Duration stop_retry = 1s;
constexpr Duration oom_flag_delay = 100ms; // with cgroup v2 it may come after the end

} // namespace

// ---- what the master and the runner say ---------------------------------------------------

void Lifecycle::on(const event::Begin&, const Now& now) {
    const auto* message = docker_up_ ? "" : "waiting for Docker";
    report(TaskState::Staging, Reason::None, message, false, now);
}

void Lifecycle::on(const event::Kill& kill, const Now& now) {
    if (outcome_) { // the master has missed it
        keep_until_ = now.mono;
        acked_ = false;
        report(last_.state, last_.reason, last_.message, true, now);
        return;
    }
    const auto grace = kill.grace.value_or(identity_.kill_grace);
    // A shorter grace escalates, a longer one does not relax.
    if (!kill_grace_ || grace < *kill_grace_) {
        kill_grace_ = grace;
    }
    if (kill_until_ && now.mono + grace < *kill_until_) {
        kill_until_ = now.mono + grace;
        force_at_ = std::min(force_at_, *kill_until_);
    }
}

void Lifecycle::on(const event::TerminalAcked&, const Now&) {
    acked_ = outcome_;
}

void Lifecycle::on(const event::Superseded&, const Now&) {
    superseded_ = true;
}

// ---- what came of a call -------------------------------------------------------------------

void Lifecycle::on(const event::PullProgress& progress, const Now& now) {
    if (call_ == Call::Image) {
        last_.image = progress.figures;
        report(TaskState::Staging, Reason::None, progress.text, false, now);
    }
}

void Lifecycle::on(const event::ImageReady& ready, const Now&) {
    if (answers(Call::Image)) {
        image_id_ = ready.id;
    }
}

void Lifecycle::on(const event::ImageFailed& failed, const Now&) {
    if (answers(Call::Image)) {
        pending_end_ = End{TaskState::Failed, failed.reason, failed.message, std::nullopt};
    }
}

void Lifecycle::on(const event::Created& created, const Now&) {
    if (answers(Call::Create)) {
        knowledge_ = Knowledge::Present;
        facts_ = ContainerFacts();
        facts_.id = created.container_id;
        facts_.task = identity_.name.value;
        facts_.host = identity_.host;
        facts_.spec_hash = identity_.spec_hash;
        facts_.attempt = identity_.attempt;
        failures_ = 0;
    }
}

void Lifecycle::on(const event::CreateFailed& failed, const Now& now) {
    if (!answers(Call::Create)) {
        return;
    }
    bool give_up = false;
    switch (failed.failure) {
    case CallFailure::NotSent:
        return;
    case CallFailure::NameConflict:
        resolve_conflict_ = true;
        want_inspect();
        return;
    case CallFailure::NoAnswer:
        create_settles_ = now.mono + create_settle;
        want_inspect();
        retry_later(now);
        return;
    case CallFailure::ImageMissing:
        image_id_.clear(); // removed since we looked: fetch it again
        give_up = ++tries_ >= tries_max;
        break;
    case CallFailure::ContainerGone: // another one that it was to share something with
    case CallFailure::Retryable:
        give_up = goes_on_too_long(now);
        break;
    case CallFailure::PortConflict:
    case CallFailure::Permanent:
        give_up = true;
        break;
    }
    if (!give_up) {
        tell_trouble("Docker could not create the container yet: " + failed.message, now);
        retry_later(now);
        return;
    }
    pending_end_ = End{TaskState::Failed,
                       Reason::LaunchFailed,
                       "Docker could not create the container: " + failed.message,
                       std::nullopt};
}

void Lifecycle::on(const event::PlanFailed& failed, const Now&) {
    if (answers(Call::Create)) {
        pending_end_ = End{failed.state, failed.reason, failed.message, std::nullopt};
    }
}

void Lifecycle::on(const event::Started&, const Now&) {
    if (answers(Call::Start)) {
        failures_ = 0;
        want_inspect(); // ports and addresses exist only now
    }
}

void Lifecycle::on(const event::StartFailed& failed, const Now& now) {
    if (!answers(Call::Start)) {
        return;
    }
    bool give_up = false;
    switch (failed.failure) {
    case CallFailure::NotSent:
        start_sent_ = false;
        outage_ = false; // of a Docker that has not begun to start it
        if (!kill_grace_) {
            retry_later(now);
        }
        return;
    case CallFailure::NoAnswer:
        start_settles_ = now.mono + start_settle;
        want_inspect();
        retry_later(now);
        return;
    case CallFailure::PortConflict:
        pending_end_ = End{TaskState::Failed, Reason::PortConflict, failed.message, std::nullopt};
        break;
    case CallFailure::ContainerGone: // it has not run: another one is made
        start_sent_ = false;
        give_up = goes_on_too_long(now);
        break;
    case CallFailure::Retryable:
        give_up = goes_on_too_long(now);
        break;
    default:
        give_up = true;
        break;
    }
    if (give_up) {
        pending_end_ = End{TaskState::Failed,
                           Reason::LaunchFailed,
                           "Docker could not start the container: " + failed.message,
                           std::nullopt};
    }
    remove_wanted_ = true; // unless inspect says that it runs all the same
    want_inspect();
    if (!pending_end_) {
        tell_trouble("Docker could not start the container yet: " + failed.message, now);
        retry_later(now);
    }
}

void Lifecycle::on(const event::StopEnded&, const Now& now) {
    if (stop_in_flight_) {
        stop_in_flight_ = false;
        stop_again_at_ = now.mono + stop_retry;
        stop_sent_ = false;
    }
    want_inspect();
}

void Lifecycle::on(const event::Removed&, const Now&) {
    if (answers(Call::Remove)) {
        knowledge_ = Knowledge::Absent;
        facts_.id.clear();
        failures_ = 0;
        stuck_since_.reset();
    }
}

void Lifecycle::on(const event::RemoveFailed&, const Now& now) {
    if (answers(Call::Remove)) {
        stuck_since_ = stuck_since_.value_or(now.mono);
        want_inspect();
        retry_later(now);
    }
}

void Lifecycle::on(const event::DockerProven&, const Now& now) {
    if (!answers(Call::Prove)) {
        return;
    }
    docker_proven_ = true;
    look_again_if_hinted();
    if (is_oom_exit(facts_.exit_code, true) && !facts_.oom_killed) {
        knowledge_ = Knowledge::Unknown;
        not_before_ = now.mono + oom_flag_delay;
    }
}

void Lifecycle::on(const event::DockerDoubted&, const Now&) {
    if (answers(Call::Prove)) {
        outage_ = true;
        look_again_if_hinted();
    }
}

// ---- what Docker and the clock say ---------------------------------------------------------

void Lifecycle::on(const event::Hint& hint, const Now&) {
    if (hint.exit_code) {
        hinted_exit_code_ = hint.exit_code;
    }
    want_inspect();
}

void Lifecycle::on(const event::Runs&, const Now& now) {
    if (blind_since_) { // a list under way may not know it
        blind_since_ = now.mono;
        listed_.reset();
    }
    if (running_reported_ || outcome_) { // before, it is our own start
        want_inspect();
    }
}

void Lifecycle::on(const event::ProcessLost&, const Now& now) {
    if (!is_running()) {
        return;
    }
    const auto state = kill_grace_ ? TaskState::Killed : TaskState::Failed;
    const auto reason = kill_grace_ ? kill_reason_ : Reason::CommandExited;
    end(End{state, reason, "its process is gone, and Docker does not notice; restart Docker", {}},
        now);
}

void Lifecycle::on(const event::Health& health, const Now&) {
    if (outcome_ || !running_reported_ || kill_grace_) {
        return; // it is not up, or on its way out
    }
    healthy_ = health.healthy;
    illness_ = health.message;
    if (health.kill) {
        kill_grace_ = identity_.kill_grace;
        kill_reason_ = Reason::HealthCheckFailed;
    }
}

void Lifecycle::on(const event::DockerDown&, const Now&) {
    docker_up_ = false;
    blind_since_.reset();
    listed_.reset();
    outage_ = outage_ || start_sent_ || call_ == Call::Prove;
    stop_sent_ = false;
    stop_again_at_ = MonoTime();
}

void Lifecycle::on(const event::DockerUp&, const Now&) {
    docker_up_ = true;
    not_before_ = MonoTime();
    failures_ = 0;
    refused_since_.reset(); // a daemon that has come back gets its own time
    want_inspect();
}

void Lifecycle::on(const event::Timer&, const Now&) {} // decide() looks at the clock itself

// ---- what that means for the calls to come -------------------------------------------------

/// Whether `call` is what is in flight; then it is so no longer.
bool Lifecycle::answers(Call call) {
    if (call_ != call) {
        return false;
    }
    call_ = Call::None;
    return true;
}

/// Counts a refusal that may pass by itself.
bool Lifecycle::goes_on_too_long(const Now& now) {
    if (!refused_since_) {
        refused_since_ = now.mono;
    }
    failures_ = std::max(failures_, tries_); // the pauses grow, though other calls go well
    return ++tries_ >= tries_max && now.mono - *refused_since_ >= refusal_limit;
}

/// What a launch waits for. The state stays: nothing is decided.
void Lifecycle::tell_trouble(const std::string& message, const Now& now) {
    if (!kill_grace_ && (last_.state == TaskState::Staging || last_.state == TaskState::Starting)) {
        report(last_.state, Reason::None, message, false, now);
    }
}

void Lifecycle::retry_later(const Now& now) {
    not_before_ = now.mono + grown(retry_first, retry_cap, failures_);
    failures_ = std::min(failures_ + 1, 16);
}

Duration Lifecycle::grown(Duration first, Duration cap, int times) {
    auto delay = first;
    for (int i = 0; i < times && delay < cap; ++i) {
        delay *= 2;
    }
    return std::min(delay, cap);
}

} // namespace methos::executor
