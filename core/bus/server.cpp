// The ROUTER end. libzmq names no peer when a connection ends: its monitor gives a descriptor, and
// each frame says the descriptor that it came over. PeerTable keeps the two together.
#include "core/bus/peer_table.hpp"
#include "core/bus/socket.hpp"

#include "core/base/units.hpp"

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace methos::bus {

namespace {

constexpr int backlog = 4096; ///< with the default of 100 a storm of 10,000 connections starves
constexpr auto handshake_limit = std::chrono::seconds(30); ///< such a storm's last takes ten
constexpr int server_events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED |
                              ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

[[noreturn]] void throw_bind_failure(const std::string& address, int number) {
    const auto fail = [&address, number](Code code, const std::string& problem) {
        throw Failure(Error(
            code, "cannot listen on " + address + ": " + problem, Cause{Cause::Kind::Zmq, number}));
    };
    switch (number) {
    case EADDRINUSE:
        fail(Code::Conflict, "another program has this port; stop it or choose another port");
        break;
    case EACCES:
        fail(Code::Forbidden, "permission denied; ports below 1024 need root");
        break;
    case EADDRNOTAVAIL:
    case ENODEV:
        fail(Code::InvalidInput, "this machine has no such address");
        break;
    default:
        fail(Code::InvalidInput,
             std::string(zmq_strerror(number)) + "; write tcp://IP:PORT, like tcp://0.0.0.0:5051");
    }
    std::abort();
}

/// What this thread has worked. A turn is measured in it, since a busy machine's clock runs while
/// the thread does not, and would leave the bus the smallest share of the loop when it has most to
/// read.
Duration own_cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// libzmq would take port 99999 for 34463.
void check_bind(const std::string& address) {
    constexpr std::string_view scheme = "tcp://";
    constexpr std::string_view any_port = ":*";
    auto rest = std::string_view(address);
    const bool tcp = rest.substr(0, scheme.size()) == scheme;
    rest.remove_prefix(tcp ? scheme.size() : 0);
    const bool any =
        rest.size() > any_port.size() && rest.substr(rest.size() - any_port.size()) == any_port;
    if (!tcp || (!any && !parse_host_port(rest))) {
        throw_bind_failure(address, EINVAL);
    }
}

void check_options(const ServerOptions& options) {
    check_bind(options.bind);
    if (const auto checked = check_key(options.keys.secret_key, "the bus's secret key"); !checked) {
        throw Failure(checked.error());
    }
}

} // namespace

struct BusServer::Impl {
    Impl(asio::any_io_executor executor, ServerOptions options_, Handlers handlers_)
        : options(std::move(options_)), handlers(std::move(handlers_)) {
        check_options(options);
        // A context of its own, so that nothing of the socket is left when close() returns.
        socket = std::make_shared<WatchedSocket>(std::move(executor),
                                                 std::make_shared<Context>(),
                                                 zmq::socket_type::router,
                                                 server_events);
        auto& zmq_socket = socket->get();
        set_common_options(
            zmq_socket, options.high_water_mark, options.frame_bytes_max, handshake_limit);
        zmq_socket.set(zmq::sockopt::router_mandatory, true);
        zmq_socket.set(zmq::sockopt::backlog, backlog);
        zmq_socket.set(zmq::sockopt::curve_server, true);
        zmq_socket.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
        if (zmq_bind(zmq_socket.handle(), options.bind.c_str()) != 0) {
            throw_bind_failure(options.bind, zmq_errno());
        }
        address = zmq_socket.get(zmq::sockopt::last_endpoint);
    }

    bool turn();
    void read_events();
    void deliver(zmq::message_t& sender, zmq::message_t& body);
    void report_closed();

    ServerOptions options;
    Handlers handlers;
    std::shared_ptr<WatchedSocket> socket;
    std::string address;
    PeerTable peers;
    MonoTime read_dry_at = MonoTime::min();
    bool is_dry = true;
};

/// Reads events, then frames as far as a turn's limits go. A peer's end is reported when the ROUTER
/// has been read dry after the event: by then its last frame has been delivered.
bool BusServer::Impl::turn() {
    const auto ends = own_cpu_time() + options.turn_limit;
    const auto begun = std::chrono::steady_clock::now();
    is_dry = false;
    read_events();
    for (std::size_t count = 0; count < options.frames_per_turn; ++count) {
        if (socket->closed()) {
            return true;
        }
        zmq::message_t sender;
        if (!socket->receive(sender)) {
            read_dry_at = begun;
            is_dry = true;
            report_closed();
            return true;
        }
        zmq::message_t body;
        bool more = sender.more();
        std::size_t parts = 0;
        while (more && socket->receive(body)) {
            more = body.more();
            ++parts;
        }
        if (parts == 1) { // other messages are not ours
            deliver(sender, body);
        }
        if (own_cpu_time() >= ends) {
            return false;
        }
    }
    return false;
}

void BusServer::Impl::read_events() {
    while (!socket->closed()) {
        const auto event = socket->next_event();
        if (!event) {
            return;
        }
        switch (event->kind) {
        case ZMQ_EVENT_ACCEPTED:
            peers.accepted(event->value);
            break;
        case ZMQ_EVENT_DISCONNECTED:
            peers.disconnected(event->value);
            break;
        case ZMQ_EVENT_ACCEPT_FAILED:
            if (handlers.on_trouble) {
                handlers.on_trouble(std::string("cannot accept a connection: ") +
                                    zmq_strerror(event->value));
            }
            break;
        default:
            if (handlers.on_trouble && event->kind != ZMQ_EVENT_MONITOR_STOPPED) {
                handlers.on_trouble("refused a connection: " + handshake_problem(*event));
            }
        }
    }
}

void BusServer::Impl::deliver(zmq::message_t& sender, zmq::message_t& body) {
    const PeerId peer = sender.to_string();
    if (!peers.knows(peer)) {
        read_events(); // a new peer's ACCEPTED is there before its first frame is
        if (socket->closed()) {
            return;
        }
        const char* ip = zmq_msg_gets(body.handle(), "Peer-Address");
        peers.add(peer, zmq_msg_get(body.handle(), ZMQ_SRCFD), plain_ip(ip == nullptr ? "" : ip));
    }
    handlers.on_frame(peer, body.to_string());
}

void BusServer::Impl::report_closed() {
    while (!socket->closed()) {
        const auto peer = peers.take_closed();
        if (!peer) {
            return;
        }
        handlers.on_closed(*peer);
    }
}

BusServer::BusServer(asio::any_io_executor executor, ServerOptions options, Handlers handlers)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), std::move(handlers))) {
    impl_->socket->start([weak = std::weak_ptr<Impl>(impl_)] {
        const auto impl = weak.lock();
        return !impl || impl->turn();
    });
}

BusServer::~BusServer() {
    close();
}

bool BusServer::send(const PeerId& peer, std::string frame) {
    auto& socket = *impl_->socket;
    // ZeroMQ takes frames for a peer a little longer than its connection lasts.
    if (socket.closed() || frame.size() > impl_->options.frame_bytes_max ||
        !impl_->peers.knows(peer)) {
        return false;
    }
    socket.schedule();
    return socket.send(peer.data(), peer.size(), true) &&
           socket.send(frame.data(), frame.size(), false);
}

const std::string& BusServer::address() const {
    return impl_->address;
}

std::optional<MonoTime> BusServer::unread_since() const {
    return impl_->is_dry ? std::nullopt : std::optional(impl_->read_dry_at);
}

std::string BusServer::peer_ip(const PeerId& peer) const {
    return impl_->peers.ip_of(peer);
}

void BusServer::close() {
    impl_->socket->close();
}

} // namespace methos::bus
