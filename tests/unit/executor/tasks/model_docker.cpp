#include "tests/unit/executor/tasks/model_docker.hpp"

#include "executor/tasks/labels.hpp"

#include <algorithm>

namespace methos::executor::test {

namespace {

using namespace std::chrono_literals;

TaskIdentity some_identity() {
    TaskIdentity identity;
    identity.number = TaskNumber(7);
    identity.name = TaskName("demo.1");
    identity.host = "h1";
    identity.app = "/demo";
    identity.spec_hash = "abc";
    return identity;
}

/// What a call without an answer looks like to the lifecycle.
Event no_answer(const Action& action) {
    if (std::holds_alternative<action::Create>(action)) {
        return event::CreateFailed{CallFailure::NoAnswer, "cut"};
    }
    if (std::holds_alternative<action::Start>(action)) {
        return event::StartFailed{CallFailure::NoAnswer, "cut"};
    }
    if (std::holds_alternative<action::Inspect>(action)) {
        return event::InspectFailed();
    }
    if (std::holds_alternative<action::Remove>(action)) {
        return event::RemoveFailed();
    }
    if (std::holds_alternative<action::Stop>(action)) {
        return event::StopEnded();
    }
    if (std::holds_alternative<action::ProveDocker>(action)) {
        return event::DockerDoubted();
    }
    return event::Hint();
}

} // namespace

ModelDocker::ModelDocker(std::uint64_t seed)
    : random_(seed), life_(Lifecycle::launched(some_identity(), true)) {
    now_.mono = MonoTime(1000s);
    now_.wall = WallTime(1'000'000s);
    damaged_ = chance(10);
    if (chance(10)) {
        stuck_until_ = now_.mono + 300s;
    }
}

bool ModelDocker::chance(int percent) {
    return static_cast<int>(random_() % 100) < percent;
}

void ModelDocker::run() {
    feed(event::Begin());
    constexpr int steps_faulty = 60;
    constexpr int steps_max = 4000;
    for (int i = 0; i < steps_max && !forgotten; ++i) {
        calm_ = i >= steps_faulty;
        random_event();
    }
    for (const auto& ghost : ghosts_) {
        (void)effect(ghost);
    }
    // A container that a cut create brings about later is the list's business (it is adopted and
    // removed); one that has run must be gone.
    const auto& left = docker_.containers();
    left_behind = std::any_of(left.begin(), left.end(), [](const auto& entry) {
        return entry.second.starts > 0 || entry.second.is_running();
    });
}

void ModelDocker::random_event() {
    now_.mono += std::chrono::milliseconds(random_() % 800);
    now_.wall += std::chrono::milliseconds(random_() % 800);
    if (calm_ && !up_) {
        up_ = true;
        feed(event::DockerUp());
    }
    if (!ghosts_.empty() && (calm_ || chance(30))) {
        const auto ghost = ghosts_.front();
        ghosts_.erase(ghosts_.begin());
        (void)effect(ghost);
    }
    if (chance(50) && !pending_.empty()) {
        answer_one();
    }
    if (life_.wake_at() && *life_.wake_at() <= now_.mono && chance(calm_ ? 100 : 60)) {
        feed(event::Timer());
    }
    list_containers();
    if (terminal_ && chance(30)) {
        acked_ = true;
        feed(event::TerminalAcked());
    }
    if (calm_) {
        now_.mono += 200ms;
        if (chance(20)) {
            feed(event::Hint());
        }
        if (chance(3) || (forgotten == false && acked_ && chance(10))) {
            now_.mono += 11min;
            now_.wall += 11min;
        }
        // Tasks run for ever unless somebody ends them.
        if (chance(5)) {
            kill_asked = true;
            feed(event::Kill{1s});
        }
        return;
    }
    switch (random_() % 12) {
    case 0:
        kill_asked = true;
        feed(event::Kill{std::chrono::seconds(random_() % 4)});
        break;
    case 1:
        feed(event::Hint());
        break;
    case 2:
        up_ = false;
        feed(event::DockerDown());
        break;
    case 3:
        up_ = true;
        feed(event::DockerUp());
        break;
    case 4:
    case 5: // a process ends by itself
        end_some(static_cast<int>(random_() % 3));
        if (chance(50)) {
            feed(event::Hint{1});
        }
        break;
    case 6: // somebody removes it
        if (chance(20)) {
            remove_all();
        }
        break;
    case 7:
        feed(event::PullProgress{"half", std::nullopt});
        break;
    case 8: // somebody starts it again
        for (const auto& [id, container] : docker_.containers()) {
            if (container.state.status == docker::ContainerStatus::Exited && chance(50)) {
                docker_.start_by_hand(id, now_.wall);
                ++starts_by_hand;
                feed(event::Runs());
            }
        }
        break;
    default:
        break;
    }
}

/// A list is asked for, and answered some time after Docker made it.
void ModelDocker::list_containers() {
    constexpr Duration answer_limit = 10s;
    if (list_ && now_.mono - listed_at_ > answer_limit) {
        list_.reset();
    }
    if (!list_ && up_ && chance(20)) {
        list_ = docker_.list();
        listed_at_ = now_.mono;
    } else if (list_ && up_ && chance(30)) {
        event::Listed listed;
        for (const auto& row : *list_) {
            if (life_.container_id().empty() || row.id == life_.container_id()) {
                listed.row = row;
            }
        }
        list_.reset();
        feed(listed);
    }
}

void ModelDocker::answer_one() {
    const auto place = random_() % pending_.size();
    const auto pending = pending_[place];
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(place));
    if (!up_ || (!calm_ && chance(15))) { // cut; what it asked for may happen yet, or have happened
        const bool image = std::holds_alternative<action::EnsureImage>(pending.action);
        if (image) {
            pending_.push_back(pending);
            return;
        }
        const bool is_start = std::holds_alternative<action::Start>(pending.action);
        if (!up_ && is_start && chance(50)) { // refused a connection
            feed(event::StartFailed{CallFailure::NotSent, "cannot connect"});
            return;
        }
        if (chance(50)) {
            if (chance(50)) {
                (void)effect(pending.action);
            } else if (!std::holds_alternative<action::Inspect>(pending.action)) {
                ghosts_.push_back(pending.action);
            }
        }
        feed(no_answer(pending.action));
        return;
    }
    const auto event = effect(pending.action);
    watch_invariants();
    feed(event);
}

void ModelDocker::end_some(int exit_code) {
    for (const auto& [id, container] : docker_.containers()) {
        (void)docker_.end(id, exit_code, now_.wall);
    }
}

void ModelDocker::remove_all() {
    while (!docker_.containers().empty()) {
        const auto id = docker_.containers().begin()->first;
        (void)docker_.remove(id);
    }
}

Event ModelDocker::effect_of_create(const action::Create& create) {
    if (!calm_ && docker_.containers().empty() && chance(10)) {
        return event::CreateFailed{chance(50) ? CallFailure::Retryable : CallFailure::ImageMissing,
                                   "refused"};
    }
    const auto& identity = life_.identity();
    docker::ContainerConfig config;
    config.labels[label::task] = identity.name.value;
    config.labels[label::host] = identity.host;
    config.labels[label::app] = identity.app;
    config.labels[label::spec_hash] = identity.spec_hash;
    config.labels[label::attempt] = std::to_string(identity.attempt);
    return docker_.create(config, container_name_of(identity.name) + create.name_suffix, now_.wall);
}

Event ModelDocker::effect_of_start(const action::Start& start) {
    const auto* container = docker_.find(start.container_id);
    if (container != nullptr && !container->is_running() && !calm_ && container->starts == 0 &&
        chance(15)) {
        const auto failure = chance(50) ? CallFailure::Retryable : CallFailure::Permanent;
        return docker_.refuse_start(start.container_id, failure, "refused");
    }
    auto started = docker_.start(start.container_id, now_.wall);
    if (container != nullptr) {
        starts_of_one_container_max = std::max(starts_of_one_container_max, container->starts);
    }
    if (chance(20)) {
        (void)docker_.end(start.container_id, 0, now_.wall); // it was quick
    }
    return started;
}

Event ModelDocker::effect(const Action& action) {
    if (std::holds_alternative<action::EnsureImage>(action)) {
        if (!calm_ && chance(10)) {
            return event::ImageFailed{Reason::ImageNotFound, "manifest unknown"};
        }
        return event::ImageReady{"sha256:1"};
    }
    if (const auto* create = std::get_if<action::Create>(&action)) {
        return effect_of_create(*create);
    }
    if (const auto* start = std::get_if<action::Start>(&action)) {
        return effect_of_start(*start);
    }
    if (const auto* inspect = std::get_if<action::Inspect>(&action)) {
        if (damaged_) {
            return event::InspectFailed();
        }
        const auto name = container_name_of(life_.identity().name);
        return docker_.inspect(inspect->container_id.empty() ? name : inspect->container_id);
    }
    if (const auto* stop = std::get_if<action::Stop>(&action)) {
        constexpr int terminated = 143;
        if (chance(70)) {
            (void)docker_.end(stop->container_id, terminated, now_.wall);
        }
        return event::StopEnded();
    }
    if (const auto* kill = std::get_if<action::ForceKill>(&action)) {
        constexpr int killed = 137;
        (void)docker_.end(kill->container_id, killed, now_.wall);
        return event::Hint();
    }
    if (std::holds_alternative<action::ProveDocker>(action)) {
        return event::DockerProven();
    }
    if (const auto* remove = std::get_if<action::Remove>(&action)) {
        if (now_.mono < stuck_until_ || (!calm_ && chance(20))) {
            return docker_.refuse_removal(remove->container_id, now_.wall);
        }
        return docker_.remove(remove->container_id);
    }
    return event::Hint();
}

bool ModelDocker::any_running() const {
    const auto& containers = docker_.containers();
    return std::any_of(containers.begin(), containers.end(), [](const auto& entry) {
        return entry.second.is_running();
    });
}

void ModelDocker::watch_invariants() {
    running_after_terminal = running_after_terminal || (terminal_ && any_running());
}

void ModelDocker::feed(const Event& event) {
    take(life_.step(event, now_));
}

void ModelDocker::take(Actions actions) {
    for (auto& action : actions) {
        if (const auto* report = std::get_if<action::Report>(&action)) {
            const auto state = report->status.state;
            trace += std::string(to_string(state)) + " ";
            if (state == TaskState::Running) {
                ++running_reports;
            }
            if (is_terminal(state)) {
                const bool repeated = terminal_ && state == last_state;
                terminal_reports += repeated ? 0 : 1; // a kill after the end says it again
                terminal_while_running = terminal_while_running || (!repeated && any_running());
                terminal_ = true;
            } else if (terminal_) {
                ++reports_after_terminal;
            }
            last_state = state;
        } else if (std::holds_alternative<action::Forget>(action)) {
            forgotten = true;
        } else if (std::holds_alternative<action::AbandonImage>(action)) {
            std::erase_if(pending_, [](const Pending& p) {
                return std::holds_alternative<action::EnsureImage>(p.action);
            });
        } else {
            trace += "#" + std::to_string(action.index()) + " ";
            pending_.push_back(Pending{std::move(action), false});
        }
    }
}

} // namespace methos::executor::test
