#include "tests/bench/emulated_host.hpp"

#include "core/wire/mapping.hpp"

#include <algorithm>
#include <utility>

namespace methos::bench {

namespace {

using std::chrono::milliseconds;

// As the real session has them (executor/session/session.cpp).
constexpr BackoffPolicy reconnect{milliseconds(400), std::chrono::seconds(2), 2.0, 0.75};
constexpr Duration welcome_limit = std::chrono::seconds(15); // connecting and HELLO together
constexpr std::size_t statuses_per_frame = 500;

/// As long as Docker's.
std::string container_id_of(TaskNumber number) {
    constexpr std::size_t id_length = 64;
    auto digits = std::to_string(number.value);
    return std::string(id_length - digits.size(), 'c') + digits;
}

} // namespace

EmulatedHost::EmulatedHost(asio::any_io_executor executor,
                           const bus::JoinToken& token,
                           const bus::CurveKeys& keys,
                           HostInfo info,
                           FleetFigures& figures)
    : executor_(std::move(executor)), token_(token), keys_(keys), info_(std::move(info)),
      figures_(figures), backoff_(reconnect, system_uniform()) {}

std::size_t EmulatedHost::running() const {
    return static_cast<std::size_t>(
        std::count_if(tasks_.begin(), tasks_.end(), [](const auto& entry) {
            return entry.second.last.state == TaskState::Running;
        }));
}

std::size_t EmulatedHost::unacknowledged() const {
    return static_cast<std::size_t>(
        std::count_if(tasks_.begin(), tasks_.end(), [this](const auto& entry) {
            return outbox_.outstanding(entry.first) != nullptr;
        }));
}

// ---- the session ---------------------------------------------------------------------------

void EmulatedHost::tick() {
    const auto now = clock_.now().mono;
    if (!client_) {
        if (now >= connect_at_) {
            connect(now);
        }
        return;
    }
    if (over_ || now >= silent_at_) {
        end_session(now);
        return;
    }
    if (in_session() && now >= next_beat_) {
        beat(now);
        flush();
    }
}

void EmulatedHost::paused(Duration gap) {
    silent_at_ += gap;
}

void EmulatedHost::connect(MonoTime now) {
    over_ = false;
    silent_at_ = now + welcome_limit;
    bus::ClientOptions options;
    options.address = token_.addresses.front();
    options.server_key = token_.server_key;
    options.keys = keys_;
    bus::BusClient::Handlers handlers;
    handlers.on_connected = [this] { send(hello()); };
    handlers.on_frame = [this](const std::string& bytes) { on_frame(bytes); };
    handlers.on_disconnected = [this](const std::string&) { over_ = over_ || in_session(); };
    client_ = std::make_unique<bus::BusClient>(executor_, std::move(options), std::move(handlers));
}

/// A fresh DEALER after a pause, so that nothing queued for this session arrives in the next.
void EmulatedHost::end_session(MonoTime now) {
    if (in_session()) {
        ++figures_.sessions_lost;
        outbox_.session_closed();
    }
    mark_ = wire::SessionMark();
    specs_.clear();
    beats_on_their_way_.clear();
    client_.reset();
    connect_at_ = now + backoff_.next();
}

void EmulatedHost::on_frame(const std::string& bytes) {
    const auto frame = wire::parse_frame(bytes);
    if (!frame) {
        ++figures_.bad_frames;
        return;
    }
    take(*frame);
    flush();
}

void EmulatedHost::take(const wire::Frame& frame) {
    if (frame.has_refused()) {
        over_ = true;
        return;
    }
    if (frame.has_welcome()) {
        take_welcome(frame);
        return;
    }
    if (wire::mark_of(frame) != mark_) {
        return; // of an old session
    }
    silent_at_ = clock_.now().mono + silence_;
    switch (frame.body_case()) {
    case wire::Frame::kBeat:
        take_beat(frame.beat());
        return;
    case wire::Frame::kLaunch:
        take_launch(frame.launch());
        return;
    case wire::Frame::kKill:
        take_kill(frame.kill());
        return;
    case wire::Frame::kAck:
        take_ack(frame.ack());
        return;
    default:
        return;
    }
}

void EmulatedHost::take_welcome(const wire::Frame& frame) {
    const auto& welcome = frame.welcome();
    ++figures_.sessions_begun;
    mark_ = wire::mark_of(frame);
    beat_interval_ = milliseconds(std::max(1U, welcome.beat_interval_ms()));
    silence_ = beat_interval_ * std::max(1U, welcome.beats_to_loss());
    const auto now = clock_.now().mono;
    silent_at_ = now + silence_;
    next_beat_ = now + beat_interval_;
    backoff_.reset();
    outbox_.session_opened();
    send(inventory());
}

void EmulatedHost::beat(MonoTime now) {
    next_beat_ = now + beat_interval_;
    beats_on_their_way_.push_back({++beats_, now});
    send(wire::make_beat(mark_, beats_));
}

void EmulatedHost::take_beat(const wire::Beat& beat) {
    auto& waiting = beats_on_their_way_;
    while (!waiting.empty() && waiting.front().sequence <= beat.sequence()) {
        figures_.round_trips.push_back(clock_.now().mono - waiting.front().at);
        waiting.pop_front();
    }
}

// ---- tasks ---------------------------------------------------------------------------------

void EmulatedHost::take_launch(const wire::Launch& launch) {
    for (const auto& spec : launch.specs()) {
        specs_.insert(spec.number());
    }
    for (const auto& wanted : launch.tasks()) {
        auto task = wire::from_wire(wanted);
        if (!task || !specs_.contains(wanted.spec())) {
            ++figures_.bad_frames;
            continue;
        }
        start(std::move(*task));
    }
}

void EmulatedHost::start(TaskLaunch launch) {
    ++figures_.launches;
    if (!figures_.launched.insert(launch.number.value).second) {
        ++figures_.launched_twice;
    }
    for (const auto port : launch.host_ports) {
        if (!ports_.insert(port).second) {
            ++figures_.port_clashes;
        }
    }
    TaskStatus status;
    status.number = launch.number;
    status.name = launch.name;
    status.time = clock_.now().wall;
    status.state = TaskState::Staging;
    outbox_.add(status, false);
    status.container_id = container_id_of(launch.number);
    status.state = TaskState::Starting;
    outbox_.add(status, false);
    status.state = TaskState::Running;
    status.started_at = status.time;
    status.host_ports = launch.host_ports;
    outbox_.add(status, true);
    tasks_[launch.name] = Task{std::move(status), std::move(launch.host_ports)};
}

void EmulatedHost::take_kill(const wire::Kill& kill) {
    for (const auto& wanted : kill.tasks()) {
        ++figures_.kills;
        const TaskName name(wanted.name());
        const auto known = tasks_.find(name);
        if (known == tasks_.end()) {
            TaskStatus status;
            status.number = TaskNumber(wanted.number());
            status.name = name;
            status.state = TaskState::Dropped;
            status.reason = Reason::Reconciliation;
            status.time = clock_.now().wall;
            outbox_.add(std::move(status), false);
            continue;
        }
        auto& last = known->second.last;
        if (last.state == TaskState::Running) {
            last.state = TaskState::Killed;
            last.reason = Reason::KilledByRequest;
            last.time = clock_.now().wall;
            outbox_.add(last, true);
        }
    }
}

void EmulatedHost::take_ack(const wire::Ack& ack) {
    for (const auto& entry : ack.tasks()) {
        const auto acked =
            outbox_.ack(TaskNumber(entry.number()), TaskName(entry.name()), entry.stamp());
        if (!acked) {
            continue;
        }
        ++figures_.acknowledged;
        if (acked->terminal) {
            const auto ended = tasks_.find(acked->name);
            for (const auto port : ended->second.ports) {
                ports_.erase(port);
            }
            tasks_.erase(ended);
            outbox_.forget(acked->name);
        }
    }
}

// ---- what the master is told ---------------------------------------------------------------

void EmulatedHost::flush() {
    if (!in_session()) {
        return;
    }
    const auto due = outbox_.take_due(clock_.now().mono);
    for (std::size_t from = 0; from < due.size(); from += statuses_per_frame) {
        auto frame = wire::make_frame(mark_);
        const auto to = std::min(due.size(), from + statuses_per_frame);
        for (auto at = from; at < to; ++at) {
            wire::to_wire(due[at], *frame.mutable_status()->add_tasks());
        }
        send(frame);
    }
    figures_.statuses_sent += due.size();
}

void EmulatedHost::send(const wire::Frame& frame) {
    over_ = over_ || !client_->send(wire::serialize(frame));
}

wire::Frame EmulatedHost::hello() const {
    auto frame = wire::make_frame(wire::SessionMark());
    auto& hello = *frame.mutable_hello();
    hello.set_protocol_min(wire::protocol_version);
    hello.set_protocol_max(wire::protocol_version);
    hello.set_build("fleet_bench");
    hello.set_join_secret(token_.secret);
    hello.set_host_key("key of " + info_.id.value);
    wire::to_wire(info_, *hello.mutable_host());
    return frame;
}

wire::Frame EmulatedHost::inventory() const {
    auto frame = wire::make_frame(mark_);
    auto& all = *frame.mutable_inventory();
    for (const auto& [name, task] : tasks_) {
        const auto* outstanding = outbox_.outstanding(name);
        wire::to_wire(outstanding == nullptr ? task.last : *outstanding, *all.add_tasks());
    }
    return frame;
}

} // namespace methos::bench
