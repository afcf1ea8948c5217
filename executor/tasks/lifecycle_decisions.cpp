// What a task wants next, from what is known of it and nothing else: first what is absent is made,
// then what is there is started, watched, stopped and removed. Called after every event, so no
// decision here may depend on which event it was.
#include "executor/tasks/lifecycle.hpp"

#include "executor/tasks/exit_message.hpp"

#include <algorithm>
#include <utility>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Status = ContainerFacts::Status;

constexpr int phantoms_before_rename = 3; // docker-engine.md 3.14
constexpr Duration removing_poll = 500ms;
constexpr Duration removing_poll_cap = 5s;
constexpr int removing_looks_max = 5; // 12 s; then a kill does not wait for Docker to be done
constexpr Duration settle_poll = 250ms;
constexpr Duration adopted_settle = 3s; // of a start that the previous executor had sent
constexpr Duration stop_slack = 2s;     // what the Engine may take beyond the grace
constexpr const char* paused_message = "paused in Docker: `docker unpause` lets it go on";
constexpr const char* oom_message = "one of its processes ran out of memory and was killed";
/// Then the end of what has never run waits no longer for Docker to remove it.
constexpr Duration removal_patience = 60s;
constexpr Duration force_first = 2s;
constexpr Duration force_cap = 10s;

} // namespace

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
        looked_at_ = now.mono;
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
    if (create_settles_ && kill_grace_ && looked_at_ < *create_settles_) {
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
        end(End{TaskState::Killed, kill_reason_, "killed", hinted_exit_code_}, now);
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
        suffix = container_name_suffix + std::to_string(phantoms_);
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
            if (kill_grace_) {
                end(End{TaskState::Killed, kill_reason_, "killed before it was started", {}}, now);
                return;
            }
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
    if (facts_.status != Status::Removing) {
        removing_looks_ = 0;
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
        if (kill_grace_ && removing_looks_ >= removing_looks_max) {
            removing_looks_ = 0;
            call_ = Call::Remove;
            actions_.emplace_back(action::Remove{facts_.id});
            return;
        }
        knowledge_ = Knowledge::Unknown;
        not_before_ = now.mono + grown(removing_poll, removing_poll_cap, removing_looks_++);
        wake(not_before_);
        return;
    case Status::Exited:
    case Status::Dead: {
        // A removal that was refused leaves it dead, also when it has never run.
        const bool was_never_started = facts_.started_at == WallTime();
        const bool is_wanted_away = was_never_started && (pending_end_ || remove_wanted_);
        if (is_wanted_away) {
            remove_never_run(now);
            return;
        }
        if (!holder_is_this_attempt() && remove_wanted_) {
            call_ = Call::Remove;
            actions_.emplace_back(action::Remove{facts_.id});
            return;
        }
        decide_exited(now);
        return;
    }
    }
}

void Lifecycle::decide_exited(const Now& now) {
    const bool is_judged = kill_grace_ || docker_proven_ || ended_by_docker();
    if (!is_judged && was_stopped() && !ran_out_of_memory()) {
        call_ = Call::Prove;
        actions_.emplace_back(action::ProveDocker());
        return;
    }
    if (!running_reported_ && !adopted_) { // it was quick: first RUNNING, then how it ended
        running_reported_ = true;
        report(TaskState::Running, Reason::None, "", true, now);
    }
    end(end_of_exit(), now);
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
    // What was seen counts as of when it was asked for: the answer may have waited for us.
    const bool settling = start_settles_ && looked_at_ < *start_settles_;
    if (settling && !kill_grace_ && !remove_wanted_) {
        knowledge_ = Knowledge::Unknown;
        not_before_ = now.mono + settle_poll;
        wake(not_before_);
        return;
    }
    if (start_settles_ && !pending_end_ && docker_died_since_created()) {
        pending_end_ = End{TaskState::Failed,
                           Reason::DockerDown,
                           "Docker ended while the container was to be started: whether its "
                           "command has run is not known",
                           std::nullopt};
    } else if (start_settles_ && !pending_end_ && !adopted_ && !goes_on_too_long(now)) {
        remove_wanted_ = true; // a new one can be started without fear of starting twice
    } else if (start_settles_ && !pending_end_) {
        const auto message = adopted_
                                 ? "the executor was restarted before the container was started"
                                 : "Docker did not say whether it started the container";
        const auto state = adopted_ ? TaskState::Dropped : TaskState::Failed;
        pending_end_ = End{state, Reason::LaunchFailed, message, std::nullopt};
    }
    if (kill_grace_ || pending_end_ || remove_wanted_) {
        // A start may be at work on it: only once it is gone is it certain that it does not run.
        start_sent_ = start_sent_ && (kill_grace_ || pending_end_);
        remove_never_run(now);
        if (remove_wanted_ && !adopted_ && !pending_end_) {
            start_settles_.reset(); // of this container; the next one is its own
        }
        return;
    }
    call_ = Call::Start;
    start_sent_ = true;
    report(TaskState::Starting, Reason::None, "", false, now);
    actions_.emplace_back(action::Start{facts_.id});
}

/// Its end is told when it is gone, or when Docker cannot remove it; that is tried on after it.
void Lifecycle::remove_never_run(const Now& now) {
    if (kill_grace_) {
        pending_end_ =
            End{TaskState::Killed, Reason::KilledByRequest, "killed before it was started", {}};
    }
    const bool may_run = start_settles_ && docker_died_since_created();
    const bool is_stuck = stuck_since_ && now.mono - *stuck_since_ >= removal_patience;
    if (is_stuck && pending_end_ && !may_run) {
        auto how = *pending_end_;
        how.message += "; Docker cannot remove its container yet";
        end(how, now);
        return;
    }
    call_ = Call::Remove;
    actions_.emplace_back(action::Remove{facts_.id, may_run});
}

void Lifecycle::decide_running(const Now& now) {
    remove_wanted_ = false;
    pending_end_.reset();
    start_settles_.reset();
    start_sent_ = true;
    outage_ = false;
    docker_proven_ = false;
    hinted_exit_code_.reset(); // of an earlier run of it
    const auto message = running_message();
    // Somebody may have restarted it.
    const bool is_elsewhere =
        !facts_.ip_addresses.empty() &&
        (last_.ip_addresses != facts_.ip_addresses || last_.host_ports != facts_.host_ports);
    const bool is_news = last_.message != message || last_.healthy != healthy_ || is_elsewhere ||
                         last_.started_at != facts_.started_at;
    if (!running_reported_ || (is_news && last_.state == TaskState::Running)) {
        running_reported_ = true;
        const auto reason = healthy_ == false ? Reason::HealthCheckFailed : Reason::None;
        report(TaskState::Running, reason, message, true, now);
    }
    decide_stop(now);
}

/// What people are to know of it while it runs.
std::string Lifecycle::running_message() const {
    if (facts_.status == Status::Paused) {
        return paused_message;
    }
    if (illness_.empty() && facts_.oom_killed) {
        return oom_message;
    }
    return illness_;
}

void Lifecycle::decide_stop(const Now& now) {
    if (!kill_grace_) {
        return;
    }
    if (last_.state != TaskState::Killing) {
        report(TaskState::Killing, kill_reason_, "stopping", false, now);
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
    const bool container_may_exist = create_sent_ && knowledge_ != Knowledge::Absent;
    if (!container_may_exist) {
        if (acked_) {
            forgotten_ = true;
            actions_.emplace_back(action::Forget());
        }
        return;
    }
    if (call_ != Call::None || !docker_up_) {
        return;
    }
    if (now.mono < not_before_) {
        wake(not_before_);
        return;
    }
    if (knowledge_ == Knowledge::Unknown) {
        call_ = Call::Inspect;
        dirty_ = false;
        actions_.emplace_back(action::Inspect{facts_.id});
        return;
    }
    // Somebody started it again. What it uses was given back: nothing may keep it.
    const bool runs_on = has_process(facts_.status);
    if (!acked_ && !runs_on) {
        return;
    }
    if (now.mono < keep_until_ && !superseded_ && !runs_on) {
        wake(keep_until_);
        return;
    }
    call_ = Call::Remove;
    actions_.emplace_back(action::Remove{facts_.id});
}

bool Lifecycle::holder_is_ours() const {
    return facts_.host == identity_.host && facts_.task == identity_.name.value;
}

bool Lifecycle::holder_is_this_attempt() const {
    return facts_.attempt == identity_.attempt && facts_.spec_hash == identity_.spec_hash;
}

} // namespace methos::executor
