#include "executor/session/session.hpp"

#include "core/observe/log.hpp"
#include "core/wire/mapping.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using std::chrono::milliseconds;

constexpr BackoffPolicy reconnect{milliseconds(400), std::chrono::seconds(2), 2.0, 0.75};
constexpr Duration refused_pause = std::chrono::seconds(10);
constexpr Duration connect_limit = std::chrono::seconds(5);
constexpr Duration welcome_limit =
    std::chrono::seconds(10);                     // a fleet that comes back takes its time
constexpr Duration own_pause = milliseconds(500); // a gap of our loop, not the master's
constexpr Duration goodbye_flush = milliseconds(500);
constexpr std::uint32_t patience_max = 16;
constexpr Duration settled_after = std::chrono::seconds(30); ///< of a session: then it held
constexpr std::size_t statuses_per_frame = 500;
constexpr std::size_t inventory_text_max = 4 * 1024 * 1024; // half of a frame
constexpr std::size_t specs_max = 20'000;                   // then a new session starts afresh

/// What a person is to do about a refusal; empty when trying again is all there is to do.
const char* advice_for(wire::Refused::Why why) {
    switch (why) {
    case wire::Refused::BAD_SECRET:
        return "the join token is not this cluster's (any more): take the one in join.token of the "
               "master's data directory and start the executor with it";
    case wire::Refused::BAD_PROTOCOL:
        return "upgrade the older of the two programs";
    case wire::Refused::DUPLICATE_HOST:
        return "another host has this host's id: if this data directory was copied from there, "
               "remove it here";
    default:
        return "";
    }
}

} // namespace

/// One DEALER and what it has brought. Handlers write here; the session's coroutine reads.
struct MasterSession::Connection {
    Connection(const asio::any_io_executor& executor, std::string address_)
        : address(std::move(address_)), wake(executor) {}

    std::string address;
    Signal wake;
    std::unique_ptr<bus::BusClient> client;
    std::deque<std::string> inbox;
    bool connected = false;
    bool over = false;
    std::string why;
    MonoTime last_heard{};
    wire::Welcome welcome;

    void end(std::string reason) {
        if (!over) {
            over = true;
            why = std::move(reason);
        }
        wake.notify();
    }
};

MasterSession::MasterSession(asio::any_io_executor executor,
                             TaskRunner& runner,
                             SessionOptions options,
                             SessionHandlers handlers)
    : executor_(std::move(executor)), runner_(runner), options_(std::move(options)),
      handlers_(std::move(handlers)) {}

MasterSession::~MasterSession() = default;

awaitable<> MasterSession::run() {
    Backoff backoff(reconnect, system_uniform());
    for (std::size_t turn = 0;; ++turn) {
        const auto& address = options_.token.addresses[turn % options_.token.addresses.size()];
        refused_ = false;
        const auto begun = std::chrono::steady_clock::now();
        co_await run_session(address);
        if (std::chrono::steady_clock::now() - begun > settled_after) {
            backoff.reset();
        }
        auto pause = backoff.next();
        if (refused_) {
            pause = refused_pause;
        }
        co_await sleep_for(pause);
    }
}

awaitable<> MasterSession::run_session(std::string address) {
    Connection connection(executor_, std::move(address));
    connection_ = &connection;
    mark_ = wire::SessionMark();
    specs_.clear();
    bad_specs_.clear();
    std::exception_ptr cancelled;
    try {
        co_await connect(connection);
        co_await welcome(connection);
        co_await follow(connection);
    } catch (const std::exception&) {
        const auto error = error_of_current_exception();
        if (error.code == Code::Cancelled) {
            cancelled = std::current_exception();
        }
        connection.why = error.to_string();
    }
    const bool was_open = mark_.session != 0;
    mark_ = wire::SessionMark();
    connection_ = nullptr;
    if (was_open) {
        runner_.session_closed();
        handlers_.closed();
    }
    if (cancelled) {
        std::rethrow_exception(cancelled);
    }
    log::limited("session",
                 "no session with the master; containers go on, trying again",
                 {{"address", connection.address}, {"why", connection.why}});
}

awaitable<> MasterSession::connect(Connection& connection) {
    bus::ClientOptions options;
    options.address = connection.address;
    options.server_key = options_.token.server_key;
    options.keys = options_.identity.curve;
    bus::BusClient::Handlers handlers;
    handlers.on_frame = [&connection](std::string frame) {
        connection.inbox.push_back(std::move(frame));
        connection.wake.notify();
    };
    handlers.on_connected = [&connection] {
        connection.connected = true;
        connection.wake.notify();
    };
    handlers.on_disconnected = [&connection](const std::string& why) {
        if (connection.connected) {
            connection.end("the connection ended: " + why);
        } else {
            connection.why = why;
        }
    };
    connection.client =
        std::make_unique<bus::BusClient>(executor_, std::move(options), std::move(handlers));
    const auto deadline = std::chrono::steady_clock::now() + connect_limit;
    while (!connection.connected && !connection.over) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (left <= Duration::zero()) {
            connection.end(connection.why.empty() ? "the master does not answer" : connection.why);
            break;
        }
        co_await connection.wake.wait_for(left);
    }
}

/// HELLO, and the answer to it.
awaitable<> MasterSession::welcome(Connection& connection) {
    if (connection.over) {
        co_return;
    }
    told_ = handlers_.host(connection.client->local_ip());
    send(make_hello(told_));
    const auto deadline = std::chrono::steady_clock::now() + welcome_limit;
    while (!connection.over && mark_.session == 0) {
        while (!connection.inbox.empty() && mark_.session == 0 && !connection.over) {
            const auto frame = wire::parse_frame(connection.inbox.front());
            connection.inbox.pop_front();
            if (!frame) {
                connection.end(frame.error().to_string());
            } else if (frame->has_welcome()) {
                connection.welcome = frame->welcome();
                mark_ = wire::mark_of(*frame);
            } else if (frame->has_refused()) {
                take_refused(frame->refused());
            }
        }
        const auto left = deadline - std::chrono::steady_clock::now();
        if (mark_.session != 0 || connection.over) {
            break;
        }
        if (left <= Duration::zero()) {
            connection.end("the master did not answer HELLO");
            break;
        }
        co_await connection.wake.wait_for(left);
    }
}

awaitable<> MasterSession::follow(Connection& connection) {
    if (connection.over || mark_.session == 0) {
        co_return;
    }
    const Duration beat = milliseconds(std::max(1U, connection.welcome.beat_interval_ms()));
    const Duration silence = beat * std::max(1U, connection.welcome.beats_to_loss()) * patience_;
    log::info("joined the cluster",
              {{"address", connection.address},
               {"cluster", connection.welcome.cluster()},
               {"session", mark_.session}});
    runner_.session_opened(connection.welcome.cluster());
    handlers_.opened(mark_, connection.address);
    send_host(); // Docker may have come or gone since HELLO
    send_inventory();
    auto now = std::chrono::steady_clock::now();
    const auto opened = now;
    connection.last_heard = now;
    auto next_beat = now + beat;
    std::uint64_t beats = 0;
    while (!connection.over) {
        while (!connection.inbox.empty() && !connection.over) {
            connection.last_heard = now;
            const auto frame = wire::parse_frame(connection.inbox.front());
            connection.inbox.pop_front();
            if (frame) {
                take(*frame);
            } else {
                log::limited("bad frame",
                             "the master sent a frame that is not one",
                             {{"why", frame.error().to_string()}});
            }
        }
        if (now >= next_beat) {
            send(wire::make_beat(mark_, ++beats));
            next_beat = now + beat;
        }
        const auto lost_at = connection.last_heard + silence;
        if (now >= lost_at) {
            connection.end("the master is silent");
            patience_ = std::min(2 * patience_, patience_max);
        }
        if (connection.over) {
            break;
        }
        const auto until = std::min(next_beat, lost_at);
        co_await connection.wake.wait_for(until - now);
        now = std::chrono::steady_clock::now();
        if (now > until + own_pause) {
            connection.last_heard += now - until; // we slept, the master did not
        }
    }
    if (connection.last_heard - opened > settled_after) {
        patience_ = 1;
    }
}

wire::Frame MasterSession::make_hello(const HostInfo& host) const {
    auto frame = wire::make_frame(wire::SessionMark());
    auto& hello = *frame.mutable_hello();
    hello.set_protocol_min(wire::protocol_version);
    hello.set_protocol_max(wire::protocol_version);
    hello.set_build(options_.build);
    hello.set_connection(wire::Hello::CONTROL);
    hello.set_join_secret(options_.token.secret);
    hello.set_host_key(options_.identity.key);
    wire::to_wire(host, *hello.mutable_host());
    return frame;
}

// ---- what the master says ------------------------------------------------------------------

void MasterSession::take(const wire::Frame& frame) {
    if (frame.has_refused()) {
        take_refused(frame.refused());
        return;
    }
    if (wire::mark_of(frame) != mark_) {
        return; // of an old session
    }
    switch (frame.body_case()) {
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
        return; // a beat is a sign of life and nothing more; unknown kinds are ignored
    }
}

void MasterSession::take_launch(const wire::Launch& launch) {
    for (const auto& wanted : launch.specs()) {
        auto spec = wire::from_wire(wanted);
        if (!spec) {
            bad_specs_[wanted.number()] = spec.error().message;
            continue;
        }
        if (spec->hash.empty()) {
            spec->hash = hash_of(*spec);
        }
        specs_[wanted.number()] = std::make_shared<const TaskSpec>(std::move(*spec));
    }
    for (const auto& wanted : launch.tasks()) {
        auto task = wire::from_wire(wanted);
        if (!task) {
            log::warning("the master sent a launch that is not one",
                         {{"task", wanted.name()}, {"why", task.error().message}});
            TaskLaunch refused;
            refused.number = TaskNumber(wanted.number());
            refused.name = TaskName(wire::clean_text(wanted.name(), wire::name_bytes_max));
            runner_.refuse(refused, TaskState::Error, Reason::InvalidSpec, task.error().message);
            continue;
        }
        const auto spec = specs_.find(wanted.spec());
        if (spec != specs_.end()) {
            runner_.launch(spec->second, std::move(*task));
            continue;
        }
        const auto bad = bad_specs_.find(wanted.spec());
        if (bad != bad_specs_.end()) {
            runner_.refuse(*task, TaskState::Error, Reason::InvalidSpec, bad->second);
        } else {
            connection_->end("a launch names a spec that this session has not carried");
            return;
        }
    }
    if (specs_.size() + bad_specs_.size() > specs_max) {
        connection_->end("this session has carried too many specs");
    }
}

void MasterSession::take_kill(const wire::Kill& kill) {
    for (const auto& task : kill.tasks()) {
        std::optional<Duration> grace;
        if (task.grace_ms() >= 0) {
            grace = milliseconds(task.grace_ms());
        }
        runner_.kill(TaskNumber(task.number()), TaskName(task.name()), grace);
    }
}

void MasterSession::take_ack(const wire::Ack& ack) {
    for (const auto& task : ack.tasks()) {
        runner_.acknowledge(TaskNumber(task.number()), TaskName(task.name()), task.stamp());
    }
}

void MasterSession::take_refused(const wire::Refused& refused) {
    const std::string advice = advice_for(refused.why());
    refused_ = !advice.empty();
    if (refused_) {
        log::error("the master refuses this host", {{"why", refused.message()}, {"do", advice}});
    }
    connection_->end("refused: " + refused.message());
}

// ---- what the master is told ---------------------------------------------------------------

void MasterSession::send(const wire::Frame& frame) {
    if (connection_ != nullptr && connection_->client &&
        !connection_->client->send(wire::serialize(frame))) {
        connection_->end("the queue to the master is full");
    }
}

void MasterSession::send_statuses(const std::vector<TaskStatus>& statuses) {
    if (mark_.session == 0) {
        return; // the outbox sends them again in the next session
    }
    for (std::size_t from = 0; from < statuses.size(); from += statuses_per_frame) {
        const auto to = std::min(statuses.size(), from + statuses_per_frame);
        auto frame = wire::make_frame(mark_);
        for (std::size_t i = from; i < to; ++i) {
            wire::to_wire(statuses[i], *frame.mutable_status()->add_tasks());
        }
        send(frame);
    }
}

void MasterSession::send_host() {
    if (mark_.session == 0) {
        return; // said when the session opens
    }
    auto host = handlers_.host(connection_->client->local_ip());
    if (host == told_) {
        return;
    }
    auto frame = wire::make_frame(mark_);
    wire::to_wire(host, *frame.mutable_host());
    send(frame);
    told_ = std::move(host);
}

void MasterSession::send_inventory() {
    if (mark_.session == 0 || !runner_.knows_containers()) {
        return;
    }
    auto frame = wire::make_frame(mark_);
    auto& inventory = *frame.mutable_inventory();
    std::size_t text = 0;
    for (const auto& status : runner_.inventory()) {
        auto& task = *inventory.add_tasks();
        wire::to_wire(status, task);
        text += task.message().size();
        if (text > inventory_text_max) {
            task.clear_message(); // a frame that is too large would end every session anew
        }
    }
    send(frame);
}

void MasterSession::say_goodbye() {
    if (mark_.session == 0) {
        return;
    }
    const auto grace = std::chrono::duration_cast<milliseconds>(options_.goodbye_grace).count();
    send(wire::make_goodbye(mark_, static_cast<std::uint32_t>(grace)));
    connection_->client->close_after_flush(goodbye_flush);
}

} // namespace methos::executor
