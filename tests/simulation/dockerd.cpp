#include "tests/simulation/dockerd.hpp"

#include "executor/tasks/labels.hpp"

#include <algorithm>

namespace methos::simulation {

using executor::CallFailure;
using executor::Event;
namespace action = executor::action;
namespace event = executor::event;

namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 30s; ///< of the executor with a daemon that hangs
/// A cut create goes on for so long at most, and so does a start: what the lifecycle allows for.
constexpr std::uint64_t late_create_ms = 9'000;
constexpr std::uint64_t late_start_ms = 2'500;

std::string task_of(const test::DockerModel::Container& container) {
    const auto& labels = container.state.labels;
    const auto found = labels.find(executor::label::task);
    return found == labels.end() ? "" : found->second;
}

/// What a call without an answer looks like to its caller.
Event no_answer(const executor::Action& action) {
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

bool is_pull(const executor::Action& action) {
    return std::holds_alternative<action::EnsureImage>(action);
}

} // namespace

Dockerd::Dockerd(
    std::size_t host, HostResources resources, Random& random, Trace& trace, TaskHistory& history)
    : label_("host" + std::to_string(host) + " docker"), resources_(std::move(resources)),
      random_(random), trace_(trace), history_(history), model_("c" + std::to_string(host) + "-") {}

// ---- the daemon's life ---------------------------------------------------------------------

void Dockerd::set_mode(Mode mode) {
    static constexpr const char* words[] = {"up", "hangs", "down"};
    trace_.say(label_, ": ", words[static_cast<std::size_t>(mode)]);
    mode_ = mode;
}

void Dockerd::die(bool containers_die) {
    set_mode(Mode::Down);
    ++lives_;
    events_.clear();
    // Pulls are the executor's: it asks again.
    for (auto& pending : calls_) {
        if (!is_pull(pending.call.action) && !pending.answer) {
            pending.answer = no_answer(pending.call.action);
            pending.answer_at = trace_.now.mono;
        }
    }
    if (!containers_die) {
        return;
    }
    constexpr int killed = 137;
    for (const auto& [id, container] : model_.containers()) {
        if (container.is_running()) {
            trace_.say(label_, ": ", task_of(container), " dies with it");
            (void)model_.end(id, killed, trace_.now.wall); // no daemon, no event
        }
    }
}

void Dockerd::turn(const DockerWeather& weather) {
    const auto now = trace_.now.mono;
    event_loss_percent_ = weather.event_loss_percent;
    std::vector<std::string> leaving;
    for (const auto& [id, container] : model_.containers()) {
        const auto stopping = stopping_.find(id);
        const bool stops = stopping != stopping_.end() && stopping->second <= now;
        if (container.is_running() && (stops || random_.per_million(weather.exit_chance))) {
            leaving.push_back(id);
        }
    }
    for (const auto& id : leaving) {
        constexpr int terminated = 143;
        const int by_itself = random_.percent(70) ? 1 : 0;
        end(id, stopping_.contains(id) ? terminated : by_itself);
    }
    std::erase_if(stopping_, [now](const auto& entry) { return entry.second <= now; });
    for (auto& pending : calls_) {
        if (mode_ == Mode::Up && !pending.answer && pending.effect_at <= now) {
            carry_out(pending, weather);
        }
    }
    std::erase_if(calls_, [](const auto& pending) { return pending.answer && !pending.heard; });
}

// ---- calls ---------------------------------------------------------------------------------

void Dockerd::ask(Call call, const DockerWeather& weather) {
    const auto now = trace_.now.mono;
    Pending pending;
    const bool pull = is_pull(call.action);
    pending.effect_at = now + random_.ms(0, pull ? weather.pull_ms_max : weather.call_ms_max);
    pending.answer_at = pending.effect_at + random_.ms(0, weather.call_ms_max);
    pending.cut = !pull && (mode_ == Mode::Down || random_.percent(weather.cut_percent));
    if (pending.cut) {
        const bool create = std::holds_alternative<action::Create>(call.action);
        pending.answer_at = now + random_.ms(0, weather.call_ms_max);
        pending.effect_at = now + random_.ms(0, create ? late_create_ms : late_start_ms);
    }
    pending.call = std::move(call);
    if (pending.cut && (mode_ == Mode::Down || random_.percent(30))) {
        pending.answer = no_answer(pending.call.action); // it never arrived
    }
    calls_.push_back(std::move(pending));
}

void Dockerd::abandon_image(const TaskName& task) {
    std::erase_if(calls_, [&task](const auto& pending) {
        return is_pull(pending.call.action) && pending.call.task == task;
    });
}

void Dockerd::forget_executor() {
    std::erase_if(
        calls_, [](const auto& pending) { return is_pull(pending.call.action) || pending.answer; });
    for (auto& pending : calls_) {
        pending.heard = false;
        pending.effect_at =
            std::min(pending.effect_at, trace_.now.mono + random_.ms(0, late_start_ms));
    }
    events_.clear();
}

std::optional<Dockerd::Answer> Dockerd::take_answer() {
    const auto now = trace_.now.mono;
    for (auto place = calls_.begin(); place != calls_.end(); ++place) {
        auto& pending = *place;
        const auto& call = pending.call;
        const bool given_up = !pending.answer && !is_pull(call.action) &&
                              (pending.cut || mode_ == Mode::Hung) && pending.heard &&
                              now >= pending.answer_at + (pending.cut ? 0s : patience);
        if (!pending.heard || (!given_up && (!pending.answer || pending.answer_at > now))) {
            continue;
        }
        Answer answer{call.task,
                      call.to_inspect,
                      given_up || pending.cut ? no_answer(call.action) : *pending.answer};
        pending.heard = false;
        if (pending.answer) {
            calls_.erase(place);
        }
        return answer;
    }
    return std::nullopt;
}

void Dockerd::carry_out(Pending& pending, const DockerWeather& weather) {
    pending.answer = effect(pending, weather);
    pending.answer_at = std::max(pending.answer_at, trace_.now.mono);
}

Event Dockerd::effect(Pending& pending, const DockerWeather& weather) {
    const auto& call = pending.call;
    if (is_pull(call.action)) {
        if (random_.percent(weather.refusal_percent)) {
            return event::ImageFailed{Reason::ImagePullFailed, "the registry is away"};
        }
        return event::ImageReady{"sha256:1"};
    }
    if (std::holds_alternative<action::Create>(call.action)) {
        return create(call, weather);
    }
    if (const auto* begin = std::get_if<action::Start>(&call.action)) {
        return start(begin->container_id, weather);
    }
    if (const auto* inspect = std::get_if<action::Inspect>(&call.action)) {
        return model_.inspect(inspect->container_id.empty() ? call.name : inspect->container_id);
    }
    if (const auto* halt = std::get_if<action::Stop>(&call.action)) {
        return stop(pending, *halt, weather);
    }
    if (const auto* kill = std::get_if<action::ForceKill>(&call.action)) {
        constexpr int killed = 137;
        if (!random_.percent(weather.stuck_percent)) {
            end(kill->container_id, killed);
        }
        return event::Hint();
    }
    if (std::holds_alternative<action::ProveDocker>(call.action)) {
        return event::DockerProven();
    }
    return remove(std::get<action::Remove>(call.action).container_id);
}

Event Dockerd::create(const Call& call, const DockerWeather& weather) {
    if (random_.percent(weather.refusal_percent)) {
        constexpr CallFailure ways[] = {
            CallFailure::Retryable, CallFailure::Permanent, CallFailure::ImageMissing};
        return event::CreateFailed{ways[random_.below(std::size(ways))], "refused"};
    }
    auto made = model_.create(call.config, call.name, trace_.now.wall);
    const auto* created = std::get_if<event::Created>(&made);
    trace_.say(label_,
               ": create of ",
               call.name,
               ": ",
               created == nullptr ? "the name is taken" : created->container_id);
    return made;
}

Event Dockerd::start(const std::string& id, const DockerWeather& weather) {
    const auto* container = model_.find(id);
    if (container != nullptr && !container->is_running()) {
        if (container->starts == 0 && random_.percent(weather.refusal_percent)) {
            constexpr CallFailure ways[] = {
                CallFailure::Retryable, CallFailure::Permanent, CallFailure::PortConflict};
            trace_.say(label_, ": refuses to start ", id);
            return model_.refuse_start(id, ways[random_.below(std::size(ways))], "refused");
        }
        check_start(*container);
    }
    auto started = model_.start(id, trace_.now.wall);
    if (random_.percent(weather.refusal_percent / 4)) {
        end(id, 1); // it was quick
    }
    return started;
}

Event Dockerd::stop(Pending& pending, const action::Stop& halt, const DockerWeather& weather) {
    const auto* container = model_.find(halt.container_id);
    if (container == nullptr || !container->is_running() ||
        random_.percent(weather.stuck_percent)) {
        return event::StopEnded();
    }
    const auto leaves = trace_.now.mono + std::min<Duration>(halt.grace, random_.ms(0, 3'000));
    const auto known = stopping_.try_emplace(halt.container_id, leaves).first;
    known->second = std::min(known->second, leaves);
    if (!pending.cut) {
        pending.answer_at = std::max(pending.answer_at, known->second);
    }
    return event::StopEnded();
}

Event Dockerd::remove(const std::string& id) {
    if (model_.find(id) != nullptr) {
        trace_.say(label_, ": removes ", id);
        tell_end(id, std::nullopt);
        stopping_.erase(id);
    }
    return model_.remove(id);
}

// ---- containers ----------------------------------------------------------------------------

bool Dockerd::runs(const std::string& task) const {
    const auto& containers = model_.containers();
    return std::any_of(containers.begin(), containers.end(), [&task](const auto& entry) {
        return entry.second.is_running() && task_of(entry.second) == task;
    });
}

void Dockerd::end(const std::string& id, int exit_code) {
    if (model_.end(id, exit_code, trace_.now.wall)) {
        trace_.say(label_, ": ", id, " exits with ", std::to_string(exit_code));
        tell_end(id, exit_code);
    }
}

void Dockerd::tell_end(const std::string& id, std::optional<int> exit_code) {
    if (mode_ == Mode::Up && !random_.percent(event_loss_percent_)) {
        events_.push_back(EndEvent{TaskName(task_of(*model_.find(id))), id, exit_code});
    }
}

std::optional<Dockerd::EndEvent> Dockerd::take_event() {
    if (events_.empty() || mode_ != Mode::Up) {
        return std::nullopt;
    }
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void Dockerd::check_start(const test::DockerModel::Container& wanted) {
    const auto task = task_of(wanted);
    trace_.say(label_, ": ", task, " starts in ", wanted.state.id);
    if (++history_.starts[task] > 1) {
        throw Violation("a container of " + task + " is started for the second time");
    }
    if (history_.ended.contains(task)) {
        throw Violation(task + " is started after its end was told");
    }
    auto milli_cpus = wanted.milli_cpus;
    auto memory_bytes = wanted.memory_bytes;
    const auto ports_of = [](const test::DockerModel::Container& container) {
        return executor::facts_of(container.state).host_ports;
    };
    const auto wanted_ports = ports_of(wanted);
    for (const auto& [id, other] : model_.containers()) {
        if (!other.is_running() || history_.given_up.contains(task_of(other))) {
            continue;
        }
        milli_cpus += other.milli_cpus;
        memory_bytes += other.memory_bytes;
        for (const auto port : wanted_ports.empty() ? wanted_ports : ports_of(other)) {
            if (std::find(wanted_ports.begin(), wanted_ports.end(), port) != wanted_ports.end()) {
                throw Violation("port " + std::to_string(port) + " of " + task + " is used by " +
                                task_of(other) + " on the same host");
            }
        }
    }
    if (milli_cpus > resources_.scalars.milli_cpus || memory_bytes > resources_.scalars.mem_bytes) {
        throw Violation("with " + task + " its host runs more than it has");
    }
}

} // namespace methos::simulation
