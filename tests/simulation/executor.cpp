#include "tests/simulation/executor.hpp"

#include <algorithm>

namespace methos::simulation {

using executor::CallFailure;
namespace action = executor::action;
namespace event = executor::event;
namespace order = executor::order;

namespace {

using namespace std::chrono_literals;

// As executor/session and executor/tasks/docker_watch have them.
constexpr Duration beat = 500ms;
constexpr Duration silence_max = 2s;
constexpr Duration welcome_limit = 10s;
constexpr Duration own_pause = 500ms;
constexpr Duration list_interval = 30s;
constexpr Duration pings_missed = 15s;

} // namespace

Executor::Executor(Surroundings& around)
    : around_(around), book_(around.info.id.value), last_turn_(around.trace.now.mono) {
    around_.info.docker_up = false;
    plan_.cluster = "simulation";
    plan_.host = around_.info.id.value;
}

Now Executor::now() const {
    return around_.trace.seen_with(around_.clock_offset);
}

void Executor::die() {
    if (connection_ != 0) {
        around_.network.close(connection_, Towards::Master, around_.trace.now.mono);
        connection_ = 0;
    }
    around_.docker.forget_executor();
}

void Executor::say_goodbye(Duration grace) {
    Frame frame;
    frame.kind = Kind::Goodbye;
    frame.grace = grace;
    send(std::move(frame));
}

void Executor::turn(bool master_listens) {
    const auto mono = around_.trace.now.mono;
    if (mono - last_turn_ > own_pause) {
        last_heard_ += mono - last_turn_; // we slept, the master did not
    }
    last_turn_ = mono;
    watch_docker();
    hear_docker();
    start_in_turn();
    carry_out(book_.tick(now()));
    keep_session(master_listens);
}

// ---- Docker --------------------------------------------------------------------------------

void Executor::watch_docker() {
    const auto mono = around_.trace.now.mono;
    const auto mode = around_.docker.mode();
    if (watch_.life != 0 && watch_.life != around_.docker.lives()) {
        lose_docker();
    }
    if (mode == Dockerd::Mode::Hung && watch_.up) {
        watch_.hangs_since = watch_.hangs_since.value_or(mono);
        if (mono - *watch_.hangs_since >= pings_missed) {
            lose_docker();
        }
        return;
    }
    watch_.hangs_since.reset();
    if (mode != Dockerd::Mode::Up) {
        return;
    }
    if (watch_.list && mono >= watch_.list_arrives) {
        const auto list = *std::exchange(watch_.list, std::nullopt);
        if (std::exchange(watch_.up, true)) {
            carry_out(book_.listed(list, now()));
        } else {
            around_.info.docker_up = true;
            send_host();
            carry_out(book_.docker_up(list, now()));
        }
    } else if (!watch_.list && mono >= watch_.list_at) {
        if (watch_.life == 0) {
            watch_.life = around_.docker.lives();
            around_.docker.subscribe();
        }
        ask_for_list();
    }
}

void Executor::ask_for_list() {
    watch_.list = around_.docker.list();
    watch_.list_arrives =
        around_.trace.now.mono + around_.random.ms(0, around_.weather.call_ms_max);
    watch_.list_at = watch_.list_arrives + list_interval;
}

void Executor::lose_docker() {
    const bool was_up = watch_.up;
    watch_ = Watch();
    watch_.list_at = around_.trace.now.mono + around_.random.ms(80, 5'000);
    if (was_up) {
        around_.info.docker_up = false;
        carry_out(book_.docker_down(now()));
        send_host();
    }
}

void Executor::hear_docker() {
    while (watch_.up) {
        const auto end = around_.docker.take_event();
        if (!end) {
            break;
        }
        const event::Hint hint{end->exit_code};
        carry_out(book_.container_event(end->task, end->container_id, hint, now()));
    }
    while (const auto answer = around_.docker.take_answer()) {
        if (answer->inspected.empty()) {
            carry_out(book_.deliver(answer->task, answer->event, now()));
        } else {
            carry_out(book_.inspected(answer->inspected, answer->event, now()));
        }
    }
}

/// Starts wait in a lane; whose turn has come may be wanted dead by then.
void Executor::start_in_turn() {
    while (!starts_.empty() && starts_.front().turn_at <= around_.trace.now.mono) {
        const auto waiting = std::move(starts_.front());
        starts_.pop_front();
        if (book_.may_start(waiting.task)) {
            ask(waiting.task, waiting.start);
        } else {
            const event::StartFailed not_sent{CallFailure::NotSent, ""};
            carry_out(book_.deliver(waiting.task, not_sent, now()));
        }
    }
}

// ---- what the book wants -------------------------------------------------------------------

void Executor::carry_out(const executor::Orders& orders) {
    for (const auto& wanted : orders) {
        around_.boundaries.pass_host(around_.host);
        std::visit([this](const auto& what) { follow(what); }, wanted);
    }
}

void Executor::follow(const order::Perform& perform) {
    if (const auto* report = std::get_if<action::Report>(&perform.action)) {
        around_.trace.say(around_.info.hostname,
                          ": ",
                          perform.task.value,
                          " is ",
                          to_string(report->status.state),
                          report->status.message.empty() ? "" : ": ",
                          report->status.message);
    } else if (const auto* start = std::get_if<action::Start>(&perform.action)) {
        const auto turn_at = around_.trace.now.mono + around_.random.ms(0, 100);
        starts_.push_back({perform.task, *start, turn_at});
    } else if (std::holds_alternative<action::AbandonImage>(perform.action)) {
        around_.docker.abandon_image(perform.task);
    } else if (!std::holds_alternative<action::Forget>(perform.action)) {
        ask(perform.task, perform.action);
    }
}

void Executor::follow(const order::InspectFound& inspect) {
    Dockerd::Call call;
    call.to_inspect = inspect.container_id;
    call.action = action::Inspect{inspect.container_id};
    around_.docker.ask(std::move(call), around_.weather);
}

void Executor::follow(const order::RemoveStray& remove) {
    around_.trace.say(around_.info.hostname, ": a second container of ", remove.task.value);
    ask(TaskName(), action::Remove{remove.container_id});
}

void Executor::follow(const order::TellInventory&) {
    send_inventory();
}

void Executor::follow(const order::Note& note) {
    around_.trace.say(
        around_.info.hostname, ": ", note.text, ": ", note.task.value, " ", note.container_id);
}

void Executor::ask(const TaskName& task, const executor::Action& action) {
    Dockerd::Call call;
    call.task = task;
    call.action = action;
    if (const auto* known = book_.find(task); known != nullptr) {
        call.name = known->container_name;
        if (const auto* create = std::get_if<action::Create>(&action)) {
            auto planned = executor::plan_container(*known->spec, known->launch, plan_);
            if (!planned) {
                throw Violation("a launch that was accepted cannot be planned: " +
                                planned.error().message);
            }
            call.config = std::move(*planned);
            call.config.image = create->image_id;
        }
    }
    around_.docker.ask(std::move(call), around_.weather);
}

// ---- the session ---------------------------------------------------------------------------

void Executor::keep_session(bool master_listens) {
    const auto mono = around_.trace.now.mono;
    if (connection_ == 0 && mono >= connect_at_ && master_listens &&
        !around_.network.is_cut(around_.host)) {
        connect();
    }
    if (connection_ != 0 && mono > last_heard_ + (session_.empty() ? welcome_limit : silence_max)) {
        close("the master is silent");
    }
    if (session_.empty()) {
        return;
    }
    send_updates();
    if (mono >= next_beat_) {
        send(Frame());
        next_beat_ = mono + beat;
    }
}

void Executor::connect() {
    connection_ = around_.network.open(around_.host);
    last_heard_ = around_.trace.now.mono;
    Frame hello;
    hello.kind = Kind::Hello;
    hello.info = around_.info;
    around_.network.send(connection_, Towards::Master, std::move(hello), last_heard_);
}

void Executor::close(const std::string& why) {
    around_.trace.say(around_.info.hostname, ": ", why);
    around_.network.close(connection_, Towards::Master, around_.trace.now.mono);
    connection_ = 0;
    connect_at_ = around_.trace.now.mono + around_.random.ms(100, 2'000);
    specs_.clear();
    if (!session_.empty()) {
        session_ = SessionNumber();
        book_.session_closed();
    }
}

void Executor::take(ConnectionId id, const Frame& frame) {
    if (id != connection_) {
        return; // of a connection given up
    }
    around_.boundaries.pass_host(around_.host);
    last_heard_ = around_.trace.now.mono;
    if (frame.kind == Kind::Closed) {
        close("the connection ended");
    } else if (frame.kind == Kind::Refused) {
        close("refused by the master");
    } else if (frame.kind == Kind::Welcome) {
        welcome(frame);
    } else if (frame.session == session_ && frame.epoch == epoch_) {
        for (const auto& message : frame.messages) {
            obey(message);
        }
    }
}

void Executor::welcome(const Frame& frame) {
    session_ = frame.session;
    epoch_ = frame.epoch;
    next_beat_ = around_.trace.now.mono;
    book_.session_opened();
    send_host();
    send_inventory();
}

void Executor::obey(const cluster::Message& message) {
    if (const auto* start = std::get_if<cluster::SendLaunch>(&message.body)) {
        launch(*start);
    } else if (const auto* end = std::get_if<cluster::SendKill>(&message.body)) {
        std::optional<Duration> grace;
        if (end->grace >= Duration::zero()) {
            grace = end->grace;
        }
        carry_out(book_.kill(end->number, end->name, grace, now()));
    } else if (const auto* ack = std::get_if<cluster::SendAck>(&message.body)) {
        carry_out(book_.acknowledge(ack->number, ack->name, ack->stamp, now()));
    }
}

void Executor::launch(const cluster::SendLaunch& order) {
    if (order.spec) {
        specs_[order.launch.spec] = order.spec;
    }
    const auto spec = specs_.find(order.launch.spec);
    if (spec == specs_.end()) {
        throw Violation("a LAUNCH of " + order.launch.name.value +
                        " names a spec that its session has not carried");
    }
    if (book_.find(order.launch.name) == nullptr &&
        around_.random.percent(around_.weather.refusal_percent / 4)) {
        book_.refuse(order.launch, TaskState::Error, Reason::PolicyDenied, "policy", now());
        return;
    }
    carry_out(book_.launch(spec->second, order.launch, now()));
}

void Executor::send(Frame frame) {
    if (session_.empty()) {
        return;
    }
    frame.session = session_;
    frame.epoch = epoch_;
    around_.network.send(connection_, Towards::Master, std::move(frame), around_.trace.now.mono);
}

void Executor::send_host() {
    Frame frame;
    frame.kind = Kind::Host;
    frame.info = around_.info;
    send(std::move(frame));
}

void Executor::send_inventory() {
    if (!book_.knows_containers()) {
        return;
    }
    Frame frame;
    frame.kind = Kind::Inventory;
    frame.statuses = book_.inventory();
    send(std::move(frame));
}

void Executor::send_updates() {
    Frame frame;
    frame.kind = Kind::Status;
    frame.statuses = book_.take_updates(now());
    for (const auto& status : frame.statuses) {
        if (!is_terminal(status.state)) {
            continue;
        }
        if (around_.docker.runs(status.name.value)) {
            throw Violation(status.name.value + " is said to be over and runs");
        }
        around_.history.ended.insert(status.name.value);
    }
    if (!frame.statuses.empty()) {
        around_.boundaries.pass_host(around_.host);
        send(std::move(frame));
    }
}

} // namespace methos::simulation
