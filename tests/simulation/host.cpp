#include "tests/simulation/host.hpp"

#include <algorithm>

namespace methos::simulation {

namespace {

constexpr Duration beat = std::chrono::milliseconds(500);
constexpr Duration silence_max = std::chrono::seconds(2);
constexpr Duration welcome_limit = std::chrono::seconds(10);
constexpr Duration retry = std::chrono::seconds(1);

} // namespace

ModelHost::ModelHost(std::size_t index,
                     Network& network,
                     Random& random,
                     Trace& trace,
                     std::map<std::string, int>& starts)
    : index_(index), network_(network), random_(random), trace_(trace), starts_(starts) {
    info_.hostname = "host" + std::to_string(index);
    info_.id = HostId("id-of-" + info_.hostname);
    info_.address = "10.0.0." + std::to_string(index + 1);
    info_.resources.scalars = {4000, 8192 * bytes_per_mb, 100'000 * bytes_per_mb, 0};
    info_.resources.ports = PortSet(PortRange{31000, 31127});
    info_.docker_up = true;
    info_.docker_version = "20.10.24";
}

// ---- faults
// --------------------------------------------------------------------------------------------------------

void ModelHost::kill_executor() {
    trace_.say(label() + ": executor killed");
    executor_up_ = false;
    if (connection_ != 0) {
        network_.close(connection_, Towards::Master, trace_.now.mono);
    }
    end_session();
    tasks_.clear();
    lanes_.clear();
    pending_kills_.clear();
    last_stamp_ = 0;
}

void ModelHost::stop_executor(Duration grace) {
    Frame frame;
    frame.kind = Kind::Goodbye;
    frame.grace = grace;
    send(std::move(frame));
    kill_executor();
}

void ModelHost::start_executor() {
    trace_.say(label() + ": executor started");
    executor_up_ = true;
    listed_ = false;
    if (info_.docker_up) {
        adopt_containers();
    }
}

void ModelHost::set_docker(bool up, bool containers_die) {
    trace_.say(label() + ": docker " + (up ? "up" : "down"));
    info_.docker_up = up;
    if (containers_die) {
        for (auto& [name, container] : containers_) {
            if (container.state == Container::State::Running) {
                container.state = Container::State::Exited;
                container.failed = true;
            }
        }
    }
    if (!executor_up_) {
        return;
    }
    Frame frame;
    frame.kind = Kind::Host;
    frame.info = info_;
    send(std::move(frame));
    if (up) {
        if (!listed_) {
            adopt_containers();
        }
        send_inventory();
    }
}

void ModelHost::adopt_containers() {
    listed_ = true;
    for (const auto& [name, container] : containers_) {
        auto& task = tasks_[name];
        task.last.name = TaskName(name);
        task.launch.name = TaskName(name);
        task.phase = container.state == Container::State::Created ? Phase::Created : Phase::Running;
        if (const auto wanted = pending_kills_.find(name); wanted != pending_kills_.end()) {
            task.number = wanted->second.first;
            task.kill_wanted = true;
        }
        if (container.state == Container::State::Running) {
            task.running_reported = true;
            report(name, task, TaskState::Running, true);
        }
    }
    pending_kills_.clear();
    // One that was made and not started is given up: whether the start was sent is not known.
    for (auto& [name, task] : tasks_) {
        if (task.phase == Phase::Created) {
            containers_.erase(name);
            task.phase = Phase::Over;
            report(name, task, TaskState::Dropped, true);
        }
    }
}

// ---- the session
// ---------------------------------------------------------------------------------------------------

void ModelHost::connect() {
    connection_ = network_.open(index_);
    last_heard_ = trace_.now.mono;
    Frame hello;
    hello.kind = Kind::Hello;
    hello.info = info_;
    network_.send(connection_, Towards::Master, std::move(hello), trace_.now.mono);
}

void ModelHost::end_session() {
    connection_ = 0;
    session_ = SessionNumber();
    specs_.clear();
    unacked_.clear();
    connect_at_ = trace_.now.mono + random_.ms(100, 600);
}

void ModelHost::send(Frame frame) {
    if (session_.empty()) {
        return;
    }
    frame.session = session_;
    frame.epoch = epoch_;
    network_.send(connection_, Towards::Master, std::move(frame), trace_.now.mono);
}

void ModelHost::send_inventory() {
    if (!listed_) {
        return;
    }
    Frame frame;
    frame.kind = Kind::Inventory;
    for (const auto& [name, task] : tasks_) {
        frame.statuses.push_back(task.last);
    }
    send(std::move(frame));
}

void ModelHost::take(ConnectionId id, const Frame& frame) {
    if (id != connection_) {
        return; // of a connection given up
    }
    last_heard_ = trace_.now.mono;
    if (frame.kind == Kind::Closed || frame.kind == Kind::Refused) {
        network_.close(connection_, Towards::Master, trace_.now.mono);
        end_session();
        return;
    }
    if (frame.kind == Kind::Welcome) {
        session_ = frame.session;
        epoch_ = frame.epoch;
        next_beat_ = trace_.now.mono;
        for (auto& [name, lane] : lanes_) {
            lane.due = MonoTime();
        }
        send_inventory();
        return;
    }
    if (frame.session != session_ || frame.epoch != epoch_) {
        return; // of an old session
    }
    for (const auto& message : frame.messages) {
        if (const auto* order = std::get_if<cluster::SendLaunch>(&message.body)) {
            launch(*order);
        } else if (const auto* end = std::get_if<cluster::SendKill>(&message.body)) {
            kill(*end);
        } else if (const auto* ack = std::get_if<cluster::SendAck>(&message.body)) {
            acknowledge(*ack);
        }
    }
}

void ModelHost::launch(const cluster::SendLaunch& order) {
    if (order.spec) {
        specs_[order.launch.spec] = order.spec;
    }
    const auto& name = order.launch.name.value;
    if (const auto known = tasks_.find(name); known != tasks_.end()) {
        known->second.number = known->second.last.number = order.launch.number;
        return;
    }
    const auto spec = specs_.find(order.launch.spec);
    if (spec == specs_.end()) {
        throw Violation("a LAUNCH of " + name + " names a spec that its session has not carried");
    }
    Task task;
    task.number = order.launch.number;
    task.launch = order.launch;
    task.spec = spec->second;
    task.last.number = task.number;
    task.last.name = order.launch.name;
    auto& placed = tasks_[name] = std::move(task);
    report(name, placed, TaskState::Staging, false);
}

void ModelHost::kill(const cluster::SendKill& order) {
    auto name = order.name.value;
    for (const auto& [known, task] : tasks_) {
        if (name.empty() && task.number == order.number) {
            name = known;
        }
    }
    const auto found = tasks_.find(name);
    if (found != tasks_.end()) {
        auto& task = found->second;
        if (!order.number.empty()) {
            task.number = task.last.number = order.number;
            for (auto& status : lanes_[name].waiting) {
                status.number = order.number;
            }
        }
        task.kill_wanted = true;
        if (task.phase == Phase::Over && lanes_[name].waiting.empty()) {
            report(name, task, task.last.state, true); // the master has missed it
        }
    } else if (!listed_) {
        pending_kills_[name] = {order.number, true};
    } else {
        TaskStatus status;
        status.number = order.number;
        status.name = order.name;
        status.state = TaskState::Dropped;
        unacked_.push_back(std::move(status));
    }
}

void ModelHost::acknowledge(const cluster::SendAck& order) {
    for (auto& [name, lane] : lanes_) {
        if (lane.waiting.empty() || lane.waiting.front().stamp != order.stamp) {
            continue;
        }
        const auto task = tasks_.find(name);
        if (is_terminal(lane.waiting.front().state) && task != tasks_.end()) {
            task->second.terminal_acked = true;
            if (task->second.kill_wanted || !containers_.contains(name)) {
                containers_.erase(name);
                tasks_.erase(task);
            }
        }
        lane.waiting.pop_front();
        lane.due = MonoTime();
        return;
    }
}

// ---- tasks
// ---------------------------------------------------------------------------------------------------------

void ModelHost::report(const std::string& name, Task& task, TaskState state, bool needs_ack) {
    task.last.number = task.number;
    task.last.state = state;
    task.last.time = trace_.now.wall;
    task.last.container_id = containers_.contains(name) ? "container-of-" + name : "";
    trace_.say(label() + ": " + name + " " + std::string(to_string(state)));
    auto status = task.last;
    if (needs_ack) {
        status.stamp = ++last_stamp_;
        lanes_[name].waiting.push_back(std::move(status));
    } else {
        unacked_.push_back(std::move(status));
    }
}

void ModelHost::live(const std::string& name, Task& task, const Weather& weather) {
    const auto now = trace_.now.mono;
    if (task.phase == Phase::Staging) {
        if (task.kill_wanted) {
            task.phase = Phase::Over;
            report(name, task, TaskState::Killed, true);
        } else if (task.due == MonoTime()) {
            task.due = now + random_.ms(0, weather.start_ms_max);
            task.doomed = random_.percent(weather.launch_failure_percent);
        } else if (info_.docker_up && now >= task.due && task.doomed) {
            task.phase = Phase::Over;
            report(name, task, TaskState::Failed, true);
        } else if (info_.docker_up && now >= task.due) {
            task.phase = Phase::Created;
            task.due = now + random_.ms(0, weather.start_ms_max);
            containers_[name] = {Container::State::Created,
                                 task.spec->app,
                                 task.spec->version,
                                 task.launch.host_ports,
                                 task.spec->resources,
                                 false};
            report(name, task, TaskState::Starting, false);
        }
        return;
    }
    if (info_.docker_up) {
        see_container(name, task);
    }
}

/// What Docker shows of a task whose container was made.
void ModelHost::see_container(const std::string& name, Task& task) {
    const auto now = trace_.now.mono;
    auto& container = containers_[name];
    if (container.state == Container::State::Created) {
        if (task.kill_wanted) {
            containers_.erase(name);
            task.phase = Phase::Over;
            report(name, task, TaskState::Killed, true);
            return;
        }
        if (now < task.due) {
            return;
        }
        container.state = Container::State::Running;
        task.phase = Phase::Running;
        if (++starts_[name] > 1) {
            throw Violation("a container of " + name + " is started for the second time");
        }
    }
    if (!task.running_reported && task.spec) {
        task.running_reported = true;
        report(name, task, TaskState::Running, true);
    }
    if (container.state == Container::State::Exited) {
        task.phase = Phase::Over;
        report(name,
               task,
               task.kill_wanted   ? TaskState::Killed
               : container.failed ? TaskState::Failed
                                  : TaskState::Finished,
               true);
    } else if (task.kill_wanted && task.phase == Phase::Running) {
        task.phase = Phase::Stopping;
        task.due = now + random_.ms(0, 3000);
        report(name, task, TaskState::Killing, false);
    } else if (task.phase == Phase::Stopping && now >= task.due) {
        container.state = Container::State::Exited;
    }
}

void ModelHost::flush(const Weather& weather) {
    const auto now = trace_.now.mono;
    Frame frame;
    frame.kind = Kind::Status;
    for (auto& status : unacked_) {
        const auto lane = lanes_.find(status.name.value);
        if (lane == lanes_.end() || lane->second.waiting.empty()) {
            frame.statuses.push_back(std::move(status));
        }
    }
    unacked_.clear();
    std::erase_if(lanes_, [](const auto& entry) { return entry.second.waiting.empty(); });
    for (auto& [name, lane] : lanes_) {
        if (lane.due <= now || random_.percent(weather.duplicate_percent)) {
            frame.statuses.push_back(lane.waiting.front());
            lane.due = now + retry;
        }
    }
    if (!frame.statuses.empty()) {
        send(std::move(frame));
    }
}

void ModelHost::turn(const Weather& weather, bool master_listens) {
    const auto now = trace_.now.mono;
    for (auto& [name, container] : containers_) {
        if (container.state == Container::State::Running &&
            random_.per_million(weather.exit_chance)) {
            container.state = Container::State::Exited;
            container.failed = random_.percent(70);
        }
    }
    if (!executor_up_) {
        return;
    }
    for (auto& [name, task] : tasks_) {
        if (task.phase != Phase::Over) {
            live(name, task, weather);
        }
    }
    if (connection_ == 0 && now >= connect_at_ && master_listens && !network_.is_cut(index_)) {
        connect();
    }
    if (connection_ != 0 && now > last_heard_ + (session_.empty() ? welcome_limit : silence_max)) {
        trace_.say(label() + ": the master is silent");
        network_.close(connection_, Towards::Master, now);
        end_session();
    }
    if (!session_.empty()) {
        flush(weather);
        if (now >= next_beat_) {
            send(Frame());
            next_beat_ = now + beat;
        }
    }
}

} // namespace methos::simulation
