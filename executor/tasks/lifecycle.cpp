// The frame of a task's life: how it begins, one step, what it reports and how it ends.
#include "executor/tasks/lifecycle.hpp"

#include "executor/tasks/exit_message.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Status = ContainerFacts::Status;

constexpr Duration keep_ended = 10min; // the newest ended container of an app
constexpr Duration signal_reach = 60s; // from a signal to an end that is owed to it
constexpr Duration signal_slack = 5s;  // its event is made when it has been delivered
/// A starting dockerd ends what a killed one without live-restore left: 11 s were measured.
constexpr Duration docker_start_max = 60s;

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

bool Lifecycle::is_running() const {
    return running_reported_ && !outcome_ && !facts_.id.empty() &&
           knowledge_ != Knowledge::Absent && has_process(facts_.status);
}

void Lifecycle::wake(MonoTime at) {
    wake_at_ = wake_at_ ? std::min(*wake_at_, at) : at;
}

void Lifecycle::report(
    TaskState state, Reason reason, std::string message, bool needs_ack, const Now& now) {
    if (state != TaskState::Staging) {
        last_.image.reset();
    }
    last_.state = state;
    last_.reason = reason;
    last_.message = std::move(message);
    last_.healthy = healthy_;
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
    const bool has_run = (facts_.status == Status::Exited || facts_.status == Status::Dead) &&
                         facts_.started_at != WallTime();
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
        if (kill_reason_ == Reason::HealthCheckFailed) {
            message = "killed, since its health check failed: " + illness_ + "; " + message;
        }
        return End{TaskState::Killed, kill_reason_, std::move(message), code};
    }
    if (ran_out_of_memory()) {
        return End{TaskState::Failed, Reason::ContainerOom, std::move(message), code};
    }
    if (ended_by_docker()) { // not the app's doing
        return End{TaskState::Failed,
                   Reason::DockerDown,
                   "stopped by a restart of Docker (" + message + ")",
                   code};
    }
    const auto state = code == 0 ? TaskState::Finished : TaskState::Failed;
    return End{state, Reason::CommandExited, std::move(message), code};
}

/// Whether its end is owed to a signal that somebody sent through Docker.
bool Lifecycle::was_signalled() const {
    if (!facts_.signalled_at) {
        return false;
    }
    const auto after = facts_.finished_at - *facts_.signalled_at;
    return -signal_slack <= after && after <= signal_reach;
}

/// Also by the code that a signal leaves; a program that handles SIGTERM may leave any other.
bool Lifecycle::was_stopped() const {
    return was_signalled() || is_stop_signal_exit(facts_.exit_code);
}

bool Lifecycle::ran_out_of_memory() const {
    return is_oom_exit(facts_.exit_code, facts_.oom_killed) && !was_signalled();
}

/// A dockerd that is killed may have started what the next one takes for never started.
bool Lifecycle::docker_died_since_created() const {
    return adopted_ ? facts_.docker_since > facts_.created_at : outage_;
}

/// Whether dockerd stopped it as it ended or started, or lost it in a reboot of the host.
bool Lifecycle::ended_by_docker() const {
    const bool found_ended = adopted_ && !running_reported_;
    if (found_ended && facts_.finished_at < facts_.docker_since + docker_start_max) {
        return was_stopped() || facts_.exit_code == exit_code_unknown;
    }
    const bool is_unknown =
        facts_.exit_code == exit_code_unknown && facts_.finished_at >= facts_.docker_since;
    return outage_ && (was_stopped() || is_unknown);
}

} // namespace methos::executor
