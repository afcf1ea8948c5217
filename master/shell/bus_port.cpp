#include "master/shell/bus_port.hpp"

#include "core/observe/log.hpp"
#include "core/wire/features.hpp"
#include "core/wire/mapping.hpp"
#include "master/shell/secrets.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace methos::master {

namespace {

/// Reads a list of statuses; a bad one is named in the log and left out, the others count.
template <class List>
std::vector<TaskStatus> read_statuses(const List& list) {
    std::vector<TaskStatus> statuses;
    statuses.reserve(static_cast<std::size_t>(list.size()));
    for (const auto& entry : list) {
        auto status = wire::from_wire(entry);
        if (status) {
            statuses.push_back(std::move(*status));
        } else {
            log::limited(
                "bad status", "a task status is ignored", {{"error", status.error().message}});
        }
    }
    return statuses;
}

constexpr std::size_t frame_fill_bytes = 1024 * 1024; ///< of one LAUNCH, far below the frame's cap
constexpr int frame_fill_entries = 1000;
constexpr std::size_t host_bytes_max = 64 * 1024; ///< of what a host says of itself

Result<HostInfo> read_host(const wire::Host& host) {
    if (host.ByteSizeLong() > host_bytes_max) {
        return Error(Code::InvalidInput, "the host's attributes are larger than 64 KiB");
    }
    return wire::from_wire(host);
}

void add(BusPort::Outbox& box, const cluster::SendLaunch& message) {
    if (message.spec) {
        auto& spec = *box.launch.add_specs();
        wire::to_wire(*message.spec, spec);
        box.launch_bytes += spec.ByteSizeLong();
    }
    auto& task = *box.launch.add_tasks();
    wire::to_wire(message.launch, task);
    box.launch_bytes += task.ByteSizeLong();
}

void add(BusPort::Outbox& box, const cluster::SendKill& message) {
    auto& kill = *box.kill.add_tasks();
    kill.set_number(message.number.value);
    kill.set_name(message.name.value);
    const auto grace = std::chrono::duration_cast<std::chrono::milliseconds>(message.grace).count();
    kill.set_grace_ms(message.grace < Duration::zero() ? -1 : grace);
}

void add(BusPort::Outbox& box, const cluster::SendAck& message) {
    auto& ack = *box.ack.add_tasks();
    ack.set_number(message.number.value);
    ack.set_name(message.name.value);
    ack.set_stamp(message.stamp);
}

void add(BusPort::Outbox& box, const cluster::SendWelcome& /*message*/) {
    box.welcome = true;
}

} // namespace

bool BusPort::Outbox::full() const {
    return launch_bytes >= frame_fill_bytes || launch.tasks_size() >= frame_fill_entries ||
           kill.tasks_size() >= frame_fill_entries || ack.tasks_size() >= frame_fill_entries;
}

BusPort::BusPort(asio::any_io_executor executor,
                 Shell& shell,
                 LogStreams& streams,
                 Options options,
                 Metrics& metrics)
    : shell_(shell), streams_(streams), options_(std::move(options)),
      frames_in_(
          metrics.counter("methos_master_bus_frames_received_total", "Frames that executors sent")),
      frames_out_(
          metrics.counter("methos_master_bus_frames_sent_total", "Frames sent to executors")),
      bad_frames_(
          metrics.counter("methos_master_bus_bad_frames_total", "Frames that broke the protocol")),
      server_(
          std::move(executor),
          [this] {
              bus::ServerOptions server;
              server.bind = options_.bind;
              server.keys = options_.keys;
              return server;
          }(),
          bus::BusServer::Handlers{
              [this](const bus::PeerId& peer, const std::string& frame) { on_frame(peer, frame); },
              [this](const bus::PeerId& peer) { on_closed(peer); }}) {
    shell_.on_messages(
        [this](const std::vector<cluster::Message>& messages) { send_messages(messages); });
    shell_.on_unread([this] { return server_.unread_since(); });
    streams_.on_send([this](SessionNumber session, wire::Frame frame) {
        return send_on_stream(session, std::move(frame));
    });
}

BusPort::~BusPort() {
    close();
}

void BusPort::close() {
    shell_.on_messages({});
    shell_.on_unread({});
    streams_.on_send({});
    server_.close();
}

SessionNumber BusPort::new_session() {
    // Unique over restarts, too: the epoch is in it.
    constexpr unsigned counter_bits = 32;
    return SessionNumber((shell_.heart().cluster().epoch() << counter_bits) | ++sessions_opened_);
}

wire::Frame BusPort::frame_of(SessionNumber session) const {
    return wire::make_frame({session.value, shell_.heart().cluster().epoch()});
}

void BusPort::on_frame(const bus::PeerId& peer, const std::string& bytes) {
    frames_in_.increment();
    const auto frame = wire::parse_frame(bytes);
    if (!frame) {
        bad_frames_.increment();
        log::limited("bad frame",
                     "a frame is refused",
                     {{"from", server_.peer_ip(peer)}, {"error", frame.error().message}});
        refuse(peer, wire::Refused::BAD_FRAME, frame.error().message);
        return;
    }
    if (frame->has_hello()) {
        on_hello(peer, frame->hello());
        return;
    }
    const auto found = connections_.find(peer);
    const auto mark = wire::mark_of(*frame);
    const bool known = found != connections_.end() && mark.session == found->second.session.value &&
                       mark.epoch == shell_.heart().cluster().epoch();
    if (!known) {
        refuse(
            peer, wire::Refused::UNKNOWN_SESSION, "no such session; say HELLO on a new connection");
        return;
    }
    const auto connection = found->second;
    if (connection.stream) {
        on_stream(connection, *frame);
        return;
    }
    if (shell_.heart().cluster().find_host(connection.session) == nullptr) {
        // The heart gave this session up (silence, or a newer one of the same host).
        forget(peer);
        refuse(peer,
               wire::Refused::UNKNOWN_SESSION,
               "this session is over; say HELLO on a new connection");
        return;
    }
    on_control(connection, *frame);
}

void BusPort::on_hello(const bus::PeerId& peer, const wire::Hello& hello) {
    if (!equal_secrets(hello.join_secret(), options_.join_secret)) {
        log::limited("bad secret",
                     "a host was turned away: wrong join token",
                     {{"from", server_.peer_ip(peer)}});
        refuse(peer,
               wire::Refused::BAD_SECRET,
               "the join token is not this cluster's: take the one in the master's data directory "
               "(join.token)");
        return;
    }
    if (const auto protocol = wire::choose_protocol(hello); !protocol) {
        refuse(peer, wire::Refused::BAD_PROTOCOL, protocol.error().message);
        return;
    }
    if (!shell_.refusal().empty()) {
        refuse(peer, wire::Refused::NOT_LEADER, shell_.refusal());
        return;
    }
    forget(peer);
    if (hello.connection() == wire::Hello::STREAM) {
        open_stream(peer, hello);
    } else {
        open_control(peer, hello);
    }
}

void BusPort::open_control(const bus::PeerId& peer, const wire::Hello& hello) {
    auto info = read_host(hello.host());
    if (!info) {
        bad_frames_.increment();
        refuse(peer, wire::Refused::BAD_FRAME, info.error().message);
        return;
    }
    const auto key_hash = digest_of(hello.host_key());
    if (is_twin(peer, info->id, key_hash)) {
        log::limited(
            "twin " + info->id.value,
            "a second host says it is one that is connected; was its data directory copied?",
            {{"host", info->id.value}, {"from", server_.peer_ip(peer)}});
        refuse(peer,
               wire::Refused::DUPLICATE_HOST,
               "another host with this id is connected: remove the executor's data directory here "
               "when it was copied from there");
        return;
    }
    watch_contest(peer, info->id);
    info->build = hello.build();
    if (info->address.empty()) {
        info->address = server_.peer_ip(peer);
    }
    const auto session = new_session();
    Connection connection;
    connection.session = session;
    connections_[peer] = connection;
    peer_of_[session] = peer;
    shell_.apply([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().host_joined(session, *info, key_hash, step);
    });
}

bool BusPort::is_twin(const bus::PeerId& peer,
                      const HostId& id,
                      const std::string& key_hash) const {
    const auto& cluster = shell_.heart().cluster();
    const auto* host = cluster.find_host(id);
    if (host == nullptr || !is_heard_of(*host)) {
        return false; // the same executor after a broken connection, most likely
    }
    return host->key_hash != key_hash ||
           server_.peer_ip(peer_of_.at(host->session)) != server_.peer_ip(peer);
}

/// Whether the host's session has a connection that is open and not silent.
bool BusPort::is_heard_of(const cluster::Host& host) const {
    const auto silence = host.beat_interval * shell_.heart().cluster().policy().beats_to_loss;
    return !host.session.empty() && peer_of_.contains(host.session) &&
           host.last_heard + silence >= shell_.now().mono;
}

void BusPort::watch_contest(const bus::PeerId& peer, const HostId& id) {
    const auto* host = shell_.heart().cluster().find_host(id);
    if (host != nullptr && is_heard_of(*host) && contest_.displaced(id.value, shell_.now().mono)) {
        log::warning("two executors claim to be one host and end each other's sessions: stop one "
                     "of them, and remove its data directory when it was copied from the other",
                     {{"host", id.value},
                      {"hostname", host->info.hostname},
                      {"from", server_.peer_ip(peer)}});
    }
}

void BusPort::open_stream(const bus::PeerId& peer, const wire::Hello& hello) {
    const SessionNumber control(hello.control_session());
    const auto* host = shell_.heart().cluster().find_host(control);
    const bool same_host = host != nullptr && host->info.id.value == hello.host().id() &&
                           equal_secrets(host->key_hash, digest_of(hello.host_key()));
    if (!same_host) {
        refuse(peer,
               wire::Refused::UNKNOWN_SESSION,
               "the stream connection names no open session of this host");
        return;
    }
    if (const auto older = stream_peer_of_.find(control); older != stream_peer_of_.end()) {
        connections_.erase(older->second);
        streams_.on_host_gone(control);
    }
    Connection connection;
    connection.stream = true;
    connection.session = control;
    connections_[peer] = connection;
    stream_peer_of_[control] = peer;
    const auto& features = hello.features();
    streams_.on_host(control,
                     std::find(features.begin(), features.end(), wire::feature_pull_image) !=
                         features.end());
    send_to(peer, welcome_of(control));
}

void BusPort::on_control(const Connection& connection, const wire::Frame& frame) {
    const auto session = connection.session;
    shell_.heard(session);
    switch (frame.body_case()) {
    case wire::Frame::kBeat: {
        send(session,
             wire::make_beat({session.value, shell_.heart().cluster().epoch()},
                             frame.beat().sequence()));
        break;
    }
    case wire::Frame::kInventory:
        on_statuses(session, read_statuses(frame.inventory().tasks()), true);
        break;
    case wire::Frame::kStatus:
        on_statuses(session, read_statuses(frame.status().tasks()), false);
        break;
    case wire::Frame::kHost: {
        auto info = read_host(frame.host());
        if (!info) {
            bad_frames_.increment();
            log::limited(
                "bad host", "a host's description is ignored", {{"error", info.error().message}});
            break;
        }
        const auto* host = shell_.heart().cluster().find_host(session);
        info->build = host->info.build;
        if (info->address.empty()) {
            info->address = host->info.address;
        }
        shell_.apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().host_changed(session, *info, step);
        });
        break;
    }
    case wire::Frame::kGoodbye: {
        const auto grace = std::chrono::milliseconds(frame.goodbye().grace_ms());
        shell_.apply([&](heart::Heart& heart, cluster::Step& step) {
            heart.cluster().goodbye(session, grace, step);
        });
        break;
    }
    default:
        break; // kinds of newer builds are ignored
    }
}

void BusPort::on_statuses(SessionNumber session,
                          const std::vector<TaskStatus>& all,
                          bool inventory) {
    const std::span<const TaskStatus> statuses(all);
    std::size_t at = 0;
    do {
        // Each slice, or what a step has room for, is a step of its own.
        const auto slice =
            statuses.subspan(at, std::min(all.size() - at, cluster::Cluster::slice_max));
        const bool last = at + slice.size() == all.size();
        const bool applied = shell_.apply([&](heart::Heart& heart, cluster::Step& step) {
            auto& cluster = heart.cluster();
            at += inventory ? cluster.inventory(session, slice, last, step)
                            : cluster.statuses(session, slice, step);
        });
        if (!applied) {
            return; // the store refuses writes: its session is over when it takes them again
        }
    } while (at < all.size());
}

void BusPort::on_stream(const Connection& connection, const wire::Frame& frame) {
    if (frame.has_stream_data()) {
        streams_.on_data(connection.session, frame.stream_data());
    } else if (frame.has_stream_end()) {
        streams_.on_end(connection.session, frame.stream_end());
    }
}

void BusPort::on_closed(const bus::PeerId& peer) {
    const auto found = connections_.find(peer);
    if (found == connections_.end()) {
        return;
    }
    const auto connection = found->second;
    forget(peer);
    if (connection.stream) {
        streams_.on_host_gone(connection.session);
        return;
    }
    shell_.apply([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().connection_closed(connection.session, step);
    });
}

void BusPort::forget(const bus::PeerId& peer) {
    const auto found = connections_.find(peer);
    if (found != connections_.end()) {
        auto& peers = found->second.stream ? stream_peer_of_ : peer_of_;
        peers.erase(found->second.session);
        connections_.erase(found);
    }
}

void BusPort::refuse(const bus::PeerId& peer, wire::Refused::Why why, const std::string& message) {
    const auto frame = wire::make_refused({0, shell_.heart().cluster().epoch()}, why, message);
    if (!server_.send(peer, wire::serialize(frame))) {
        log::debug("a refusal could not be delivered", {{"why", message}});
    }
}

void BusPort::send_to(const bus::PeerId& peer, const wire::Frame& frame) {
    frames_out_.increment();
    if (!server_.send(peer, wire::serialize(frame))) {
        // Gone, or so far behind that its queue is full: it opens a new session and tells what it
        // has.
        log::warning("an executor does not take its messages; its connection is given up");
        on_closed(bus::PeerId(peer));
    }
}

void BusPort::send(SessionNumber session, const wire::Frame& frame) {
    if (const auto found = peer_of_.find(session); found != peer_of_.end()) {
        const auto peer = found->second; // a failed send changes the map
        send_to(peer, frame);
    }
}

bool BusPort::send_on_stream(SessionNumber session, wire::Frame frame) {
    const auto found = stream_peer_of_.find(session);
    if (found == stream_peer_of_.end()) {
        return false;
    }
    frame.set_session(session.value);
    frame.set_epoch(shell_.heart().cluster().epoch());
    const auto peer = found->second;
    send_to(peer, frame);
    return true;
}

wire::Frame BusPort::welcome_of(SessionNumber session) const {
    const auto& cluster = shell_.heart().cluster();
    const auto* host = cluster.find_host(session);
    const auto interval = host == nullptr ? cluster.policy().beat_interval : host->beat_interval;
    auto frame = frame_of(session);
    auto& welcome = *frame.mutable_welcome();
    welcome.set_protocol(wire::protocol_version);
    welcome.set_cluster(cluster.id());
    welcome.set_build(options_.build);
    welcome.set_beat_interval_ms(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(interval).count()));
    welcome.set_beats_to_loss(static_cast<std::uint32_t>(cluster.policy().beats_to_loss));
    return frame;
}

void BusPort::send_messages(const std::vector<cluster::Message>& messages) {
    std::unordered_map<SessionNumber, Outbox> boxes;
    for (const auto& message : messages) {
        auto& box = boxes[message.session];
        std::visit([&box](const auto& body) { add(box, body); }, message.body);
        if (box.full()) {
            flush(message.session, box);
        }
    }
    for (auto& [session, box] : boxes) {
        flush(session, box);
    }
}

void BusPort::flush(SessionNumber session, Outbox& box) {
    auto ready = std::exchange(box, Outbox());
    if (ready.welcome) {
        send(session, welcome_of(session));
    }
    if (ready.launch.tasks_size() > 0) {
        auto frame = frame_of(session);
        frame.mutable_launch()->Swap(&ready.launch);
        send(session, frame);
    }
    if (ready.kill.tasks_size() > 0) {
        auto frame = frame_of(session);
        frame.mutable_kill()->Swap(&ready.kill);
        send(session, frame);
    }
    if (ready.ack.tasks_size() > 0) {
        auto frame = frame_of(session);
        frame.mutable_ack()->Swap(&ready.ack);
        send(session, frame);
    }
}

} // namespace methos::master
