#include "tests/unit/executor/tasks/model_docker.hpp"

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
    return event::Hint();
}

} // namespace

ModelDocker::ModelDocker(std::uint64_t seed)
    : random_(seed), life_(Lifecycle::launched(some_identity(), true)) {
    now_.mono = MonoTime(1000s);
    now_.wall = WallTime(1'000'000s);
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
    left_behind = std::any_of(containers_.begin(), containers_.end(), [](const Container& c) {
        return c.starts > 0 || c.status == Status::Running;
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
        for (auto& container : containers_) {
            if (container.status == Status::Running) {
                container.status = Status::Exited;
                container.exit_code = static_cast<int>(random_() % 3);
            }
        }
        if (chance(50)) {
            feed(event::Hint{1});
        }
        break;
    case 6: // somebody removes it
        if (chance(20)) {
            containers_.clear();
        }
        break;
    case 7:
        feed(event::PullProgress{"half"});
        break;
    case 8: // somebody starts it again
        for (auto& container : containers_) {
            if (container.status == Status::Exited && chance(50)) {
                container.status = Status::Running;
                feed(event::Runs());
            }
        }
        break;
    default:
        break;
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

Event ModelDocker::effect_of_start(const action::Start& start) {
    auto* container = find(start.container_id);
    if (container == nullptr) {
        return event::StartFailed{CallFailure::Retryable, "No such container"};
    }
    if (container->status == Status::Running) {
        return event::Started();
    }
    if (!calm_ && container->starts == 0 && chance(15)) {
        container->error = "refused";
        const auto failure = chance(50) ? CallFailure::Retryable : CallFailure::Permanent;
        return event::StartFailed{failure, "refused"};
    }
    container->error.clear();
    ++container->starts;
    starts_of_one_container_max = std::max(starts_of_one_container_max, container->starts);
    container->status = chance(20) ? Status::Exited : Status::Running; // quick ones
    return event::Started();
}

Event ModelDocker::effect(const Action& action) {
    if (std::holds_alternative<action::EnsureImage>(action)) {
        if (!calm_ && chance(10)) {
            return event::ImageFailed{Reason::ImageNotFound, "manifest unknown"};
        }
        return event::ImageReady{"sha256:1"};
    }
    if (std::holds_alternative<action::Create>(action)) {
        if (!containers_.empty()) {
            return event::CreateFailed{CallFailure::NameConflict, "taken"};
        }
        if (!calm_ && chance(10)) {
            return event::CreateFailed{
                chance(50) ? CallFailure::Retryable : CallFailure::ImageMissing, "refused"};
        }
        Container container;
        container.id = "c" + std::to_string(++made_);
        containers_.push_back(container);
        return event::Created{container.id};
    }
    if (const auto* start = std::get_if<action::Start>(&action)) {
        return effect_of_start(*start);
    }
    if (const auto* inspect = std::get_if<action::Inspect>(&action)) {
        if (inspect->container_id.empty() && !containers_.empty()) {
            return event::Seen{facts_of(containers_.front())};
        }
        const auto* container = find(inspect->container_id);
        if (container == nullptr) {
            return event::Missing();
        }
        return event::Seen{facts_of(*container)};
    }
    if (const auto* stop = std::get_if<action::Stop>(&action)) {
        auto* container = find(stop->container_id);
        if (container != nullptr && container->status == Status::Running && chance(70)) {
            container->status = Status::Exited;
            container->exit_code = 143;
        }
        return event::StopEnded();
    }
    if (const auto* kill = std::get_if<action::ForceKill>(&action)) {
        auto* container = find(kill->container_id);
        if (container != nullptr && container->status == Status::Running) {
            container->status = Status::Exited;
            container->exit_code = 137;
        }
        return event::Hint();
    }
    if (const auto* remove = std::get_if<action::Remove>(&action)) {
        std::erase_if(containers_, [&](const auto& c) { return c.id == remove->container_id; });
        return event::Removed();
    }
    return event::Hint();
}

ContainerFacts ModelDocker::facts_of(const Container& container) const {
    ContainerFacts facts;
    facts.id = container.id;
    facts.status = container.status;
    facts.exit_code = container.exit_code;
    facts.error = container.error;
    facts.task = "demo.1";
    facts.host = "h1";
    facts.spec_hash = "abc";
    facts.attempt = 1;
    facts.finished_at = now_.wall;
    return facts;
}

ModelDocker::Container* ModelDocker::find(const std::string& id) {
    const auto found = std::find_if(
        containers_.begin(), containers_.end(), [&](const auto& c) { return c.id == id; });
    return found == containers_.end() ? nullptr : &*found;
}

bool ModelDocker::any_running() const {
    return std::any_of(containers_.begin(), containers_.end(), [](const auto& c) {
        return c.status == Status::Running;
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
