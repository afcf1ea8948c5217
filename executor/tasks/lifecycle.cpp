#include "executor/tasks/lifecycle.hpp"

#include "executor/tasks/exit_message.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Status = ContainerFacts::Status;

constexpr int tries_max = 3;              // creates and starts of one task that may fail
constexpr Duration refusal_limit = 60s;   // containerd comes back by itself (docker-engine.md 5.2)
constexpr int phantoms_before_rename = 3; // docker-engine.md 3.14
constexpr Duration retry_first = 200ms;
constexpr Duration retry_cap = 5s;
constexpr Duration removing_poll = 500ms;
constexpr Duration settle_poll = 250ms;
constexpr Duration create_settle = 10s; // a create whose connection was cut goes on in dockerd
constexpr Duration start_settle = 5s;   // so does a start; then it is made anew, which ends it
constexpr Duration adopted_settle = 3s; // of a start that the previous executor had sent
constexpr Duration stop_slack = 2s;     // what the Engine may take beyond the grace
constexpr Duration stop_retry = 1s;
constexpr Duration force_first = 2s;
constexpr Duration force_cap = 10s;
constexpr Duration keep_ended = 10min; // the newest ended container of an app

Duration grown(Duration first, Duration cap, int times) {
    auto delay = first;
    for (int i = 0; i < times && delay < cap; ++i) {
        delay *= 2;
    }
    return std::min(delay, cap);
}

} // namespace

Lifecycle::Lifecycle(TaskIdentity identity, bool docker_up)
    : identity_(std::move(identity)), docker_up_(docker_up) {
    last_.number = identity_.number;
    last_.name = identity_.name;
}

Lifecycle Lifecycle::launched(TaskIdentity identity, bool docker_up) {
    return Lifecycle(std::move(identity), docker_up);
}

Lifecycle Lifecycle::adopted(TaskIdentity identity) {
    Lifecycle found(std::move(identity), true);
    found.adopted_ = true;
    found.create_sent_ = true;
    found.knowledge_ = Knowledge::Unknown;
    found.call_ = Call::Inspect; // the Seen that follows answers it
    return found;
}

Actions Lifecycle::step(const Event& event, const Now& now) {
    if (!forgotten_) {
        std::visit([this, &now](const auto& happened) { on(happened, now); }, event);
        wake_at_.reset();
        decide(now);
    }
    return std::exchange(actions_, {});
}

void Lifecycle::set_number(TaskNumber number) {
    identity_.number = number;
    last_.number = number;
}

std::optional<ContainerFacts::Status> Lifecycle::seen_status() const {
    if (knowledge_ != Knowledge::Present) {
        return std::nullopt;
    }
    return facts_.status;
}

// ---- what happened -------------------------------------------------------------------------

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

void Lifecycle::on(const event::PullProgress& progress, const Now& now) {
    if (call_ == Call::Image) {
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
        return;
    case CallFailure::NoAnswer:
        start_settles_ = now.mono + start_settle;
        want_inspect();
        retry_later(now);
        return;
    case CallFailure::PortConflict:
        pending_end_ = End{TaskState::Failed, Reason::PortConflict, failed.message, std::nullopt};
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

void Lifecycle::on(const event::Seen& seen, const Now&) {
    if (!answers(Call::Inspect)) {
        return;
    }
    if (!remove_wanted_ && !pending_end_) {
        failures_ = 0;
    }
    phantoms_ = 0;
    create_settles_.reset();
    knowledge_ = Knowledge::Present;
    facts_ = seen.facts;
    if (std::exchange(dirty_, false)) {
        knowledge_ = Knowledge::Unknown;
    }
}

void Lifecycle::on(const event::Missing&, const Now& now) {
    if (!answers(Call::Inspect)) {
        return;
    }
    knowledge_ = Knowledge::Absent;
    facts_.id.clear();
    if (std::exchange(resolve_conflict_, false)) { // 409, but nobody has the name
        ++phantoms_;
        retry_later(now);
    }
}

void Lifecycle::on(const event::InspectFailed&, const Now& now) {
    if (answers(Call::Inspect)) {
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
    }
}

void Lifecycle::on(const event::RemoveFailed&, const Now& now) {
    if (answers(Call::Remove)) {
        want_inspect();
        retry_later(now);
    }
}

void Lifecycle::on(const event::Hint& hint, const Now&) {
    if (hint.exit_code) {
        hinted_exit_code_ = hint.exit_code;
    }
    want_inspect();
}

void Lifecycle::on(const event::DockerDown&, const Now&) {
    docker_up_ = false;
    outage_ = outage_ || is_running();
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

void Lifecycle::on(const event::TerminalAcked&, const Now&) {
    acked_ = outcome_;
}

void Lifecycle::on(const event::Superseded&, const Now&) {
    superseded_ = true;
}

// ---- what is wanted next -------------------------------------------------------------------

void Lifecycle::decide(const Now& now) {
    if (outcome_) {
        decide_cleanup(now);
        return;
    }
    if (kill_grace_ && call_ == Call::Image) {
        actions_.emplace_back(action::AbandonImage());
        call_ = Call::None;
    }
    const bool nothing_made = !create_sent_ && knowledge_ == Knowledge::Absent;
    if (kill_grace_ && nothing_made) {
        end(End{TaskState::Killed, Reason::KilledByRequest, "killed before it was started", {}},
            now);
        return;
    }
    if (!docker_up_) {
        return;
    }
    if (is_running()) {
        decide_stop(now);
    }
    if (call_ != Call::None) {
        return;
    }
    if (now.mono < not_before_) {
        wake(not_before_);
        return;
    }
    switch (knowledge_) {
    case Knowledge::Unknown:
        call_ = Call::Inspect;
        dirty_ = false;
        actions_.emplace_back(action::Inspect{facts_.id});
        return;
    case Knowledge::Absent:
        decide_absent(now);
        return;
    case Knowledge::Present:
        decide_present(now);
        return;
    }
}

void Lifecycle::decide_absent(const Now& now) {
    remove_wanted_ = false;
    if (create_settles_ && kill_grace_ && now.mono < *create_settles_) {
        knowledge_ = Knowledge::Unknown; // the cut create may still bring it about
        not_before_ = now.mono + settle_poll;
        wake(not_before_);
        return;
    }
    if (pending_end_) {
        end(*pending_end_, now);
        return;
    }
    if (kill_grace_) {
        end(End{TaskState::Killed, Reason::KilledByRequest, "killed", hinted_exit_code_}, now);
        return;
    }
    if (start_sent_ || running_reported_ || adopted_) {
        const auto state =
            start_sent_ || running_reported_ ? TaskState::Failed : TaskState::Dropped;
        end(End{state,
                Reason::ContainerRemoved,
                "somebody removed the container",
                hinted_exit_code_},
            now);
        return;
    }
    if (image_id_.empty()) {
        call_ = Call::Image;
        actions_.emplace_back(action::EnsureImage());
        return;
    }
    std::string suffix;
    if (phantoms_ >= phantoms_before_rename) {
        suffix = "-r" + std::to_string(phantoms_);
    }
    call_ = Call::Create;
    create_sent_ = true;
    actions_.emplace_back(action::Create{image_id_, suffix});
}

void Lifecycle::decide_present(const Now& now) {
    if (std::exchange(resolve_conflict_, false)) {
        if (!holder_is_ours()) {
            create_sent_ = false;
            knowledge_ = Knowledge::Absent;
            facts_ = ContainerFacts();
            end(End{TaskState::Failed,
                    Reason::LaunchFailed,
                    "a container that is not ours has this task's name; rename or remove it",
                    std::nullopt},
                now);
            return;
        }
        if (!holder_is_this_attempt()) {
            remove_wanted_ = true;
        }
    }
    switch (facts_.status) {
    case Status::Created:
        decide_created(now);
        return;
    case Status::Running:
    case Status::Paused:
    case Status::Restarting:
        if (!holder_is_this_attempt() && remove_wanted_) {
            call_ = Call::Remove;
            actions_.emplace_back(action::Remove{facts_.id});
            return;
        }
        decide_running(now);
        return;
    case Status::Removing:
        knowledge_ = Knowledge::Unknown;
        not_before_ = now.mono + removing_poll;
        wake(not_before_);
        return;
    case Status::Exited:
    case Status::Dead:
        if (!holder_is_this_attempt() && remove_wanted_) {
            call_ = Call::Remove;
            actions_.emplace_back(action::Remove{facts_.id});
            return;
        }
        if (!running_reported_ && !adopted_) { // it was quick: first RUNNING, then how it ended
            running_reported_ = true;
            report(TaskState::Running, Reason::None, "", true, now);
        }
        end(end_of_exit(), now);
        return;
    }
}

void Lifecycle::decide_created(const Now& now) {
    if (!facts_.error.empty() && !pending_end_ && !remove_wanted_) {
        end(End{TaskState::Failed,
                is_port_conflict(facts_.error) ? Reason::PortConflict : Reason::LaunchFailed,
                "Docker could not start the container: " + facts_.error,
                facts_.exit_code},
            now);
        return;
    }
    if (adopted_ && !start_settles_) { // the executor before us may have sent a start
        start_settles_ = now.mono + adopted_settle;
        start_sent_ = true;
    }
    const bool settling = start_settles_ && now.mono < *start_settles_;
    if (settling && !kill_grace_ && !remove_wanted_) {
        knowledge_ = Knowledge::Unknown;
        not_before_ = now.mono + settle_poll;
        wake(not_before_);
        return;
    }
    if (start_settles_ && !pending_end_ && !adopted_ && !goes_on_too_long(now)) {
        remove_wanted_ = true; // a new one can be started without fear of starting twice
    } else if (start_settles_ && !pending_end_) {
        const auto message = adopted_
                                 ? "the executor was restarted before the container was started"
                                 : "Docker did not say whether it started the container";
        const auto state = adopted_ ? TaskState::Dropped : TaskState::Failed;
        pending_end_ = End{state, Reason::LaunchFailed, message, std::nullopt};
    }
    if (kill_grace_) {
        pending_end_ =
            End{TaskState::Killed, Reason::KilledByRequest, "killed before it was started", {}};
    }
    if (pending_end_ || remove_wanted_) {
        // A start may be at work on it: only once it is gone is it certain that it does not run.
        start_sent_ = start_sent_ && pending_end_.has_value();
        if (remove_wanted_ && !adopted_) {
            start_settles_.reset();
        }
        call_ = Call::Remove;
        actions_.emplace_back(action::Remove{facts_.id});
        return;
    }
    call_ = Call::Start;
    start_sent_ = true;
    report(TaskState::Starting, Reason::None, "", false, now);
    actions_.emplace_back(action::Start{facts_.id});
}

void Lifecycle::decide_running(const Now& now) {
    remove_wanted_ = false;
    pending_end_.reset();
    start_settles_.reset();
    start_sent_ = true;
    outage_ = false;
    if (!running_reported_) {
        running_reported_ = true;
        report(TaskState::Running, Reason::None, "", true, now);
    }
    decide_stop(now);
}

void Lifecycle::decide_stop(const Now& now) {
    if (!kill_grace_) {
        return;
    }
    if (last_.state != TaskState::Killing) {
        report(TaskState::Killing, Reason::KilledByRequest, "stopping", false, now);
    }
    if (!stop_sent_ && now.mono >= stop_again_at_) {
        stop_sent_ = true;
        stop_in_flight_ = true;
        if (!kill_until_) { // the grace begins when the task hears of it
            kill_until_ = now.mono + *kill_grace_;
            force_at_ = *kill_until_ + stop_slack;
        }
        const auto grace = std::max(Duration::zero(), Duration(*kill_until_ - now.mono));
        actions_.emplace_back(action::Stop{facts_.id, grace});
    } else if (!stop_sent_) {
        wake(stop_again_at_);
        return;
    }
    if (now.mono >= force_at_) {
        actions_.emplace_back(action::ForceKill{facts_.id});
        force_at_ = now.mono + grown(force_first, force_cap, forces_++);
    }
    wake(force_at_);
}

void Lifecycle::decide_cleanup(const Now& now) {
    if (!acked_) {
        return;
    }
    const bool container_may_exist = create_sent_ && knowledge_ != Knowledge::Absent;
    if (!container_may_exist) {
        forgotten_ = true;
        actions_.emplace_back(action::Forget());
        return;
    }
    if (call_ != Call::None || !docker_up_) {
        return;
    }
    const auto due = superseded_ ? not_before_ : std::max(keep_until_, not_before_);
    if (now.mono < due) {
        wake(due);
        return;
    }
    call_ = Call::Remove;
    actions_.emplace_back(action::Remove{facts_.id});
}

// ---- small parts ---------------------------------------------------------------------------

bool Lifecycle::holder_is_ours() const {
    return facts_.host == identity_.host && facts_.task == identity_.name.value;
}

bool Lifecycle::holder_is_this_attempt() const {
    return facts_.attempt == identity_.attempt && facts_.spec_hash == identity_.spec_hash;
}

bool Lifecycle::is_running() const {
    return running_reported_ && !outcome_ && !facts_.id.empty() &&
           knowledge_ != Knowledge::Absent &&
           (facts_.status == Status::Running || facts_.status == Status::Paused ||
            facts_.status == Status::Restarting);
}

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

void Lifecycle::want_inspect() {
    if (call_ == Call::Inspect) {
        dirty_ = true;
    } else if (create_sent_ && !outcome_ && call_ == Call::None) {
        knowledge_ = Knowledge::Unknown;
    }
}

void Lifecycle::retry_later(const Now& now) {
    not_before_ = now.mono + grown(retry_first, retry_cap, failures_);
    failures_ = std::min(failures_ + 1, 16);
}

void Lifecycle::wake(MonoTime at) {
    wake_at_ = wake_at_ ? std::min(*wake_at_, at) : at;
}

void Lifecycle::report(
    TaskState state, Reason reason, std::string message, bool needs_ack, const Now& now) {
    last_.state = state;
    last_.reason = reason;
    last_.message = std::move(message);
    last_.time = now.wall;
    last_.container_id = facts_.id;
    if (state == TaskState::Running) {
        last_.ip_addresses = facts_.ip_addresses;
        last_.host_ports = facts_.host_ports;
    }
    if (!facts_.id.empty()) {
        last_.started_at = facts_.started_at;
    }
    actions_.emplace_back(action::Report{last_, needs_ack});
}

void Lifecycle::end(const End& how, const Now& now) {
    const bool by_itself =
        how.state == TaskState::Finished ||
        (how.state == TaskState::Failed && how.reason != Reason::ContainerRemoved);
    const bool has_run = facts_.status == Status::Exited || facts_.status == Status::Dead;
    if (by_itself && has_run) {
        const auto age = std::clamp<Duration>(now.wall - facts_.finished_at, 0s, keep_ended);
        keep_until_ = now.mono + (keep_ended - age);
    }
    last_.exit_code = how.exit_code;
    outcome_ = true;
    report(how.state, how.reason, how.message, true, now);
    decide_cleanup(now);
}

Lifecycle::End Lifecycle::end_of_exit() const {
    const int code = facts_.exit_code;
    auto message = describe_exit(code, facts_.oom_killed);
    if (kill_grace_) {
        return End{TaskState::Killed, Reason::KilledByRequest, std::move(message), code};
    }
    if (facts_.oom_killed && code != 0) {
        return End{TaskState::Failed, Reason::ContainerOom, std::move(message), code};
    }
    // dockerd stops containers when it ends or starts without live-restore: not the app's doing.
    if (outage_ && is_stop_signal_exit(code)) {
        return End{TaskState::Failed,
                   Reason::DockerDown,
                   "stopped by a restart of Docker (" + message + ")",
                   code};
    }
    const auto state = code == 0 ? TaskState::Finished : TaskState::Failed;
    return End{state, Reason::CommandExited, std::move(message), code};
}

} // namespace methos::executor
