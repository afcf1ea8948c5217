// The DEALER end: one session's connection to one master.
#include "core/bus/socket.hpp"

#include "core/base/units.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

namespace methos::bus {

namespace {

constexpr int reconnect_ms = 100;
constexpr int reconnect_ms_max = 400;                    ///< ZeroMQ jitters between the two
constexpr auto stranger_pause = std::chrono::seconds(1); ///< before what is no bus is tried again
constexpr int connect_timeout_ms = 2'000; ///< the kernel's own tries back off to a minute
constexpr auto handshake_limit = std::chrono::seconds(15);
constexpr std::size_t frames_per_turn = 200;
constexpr int client_events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED |
                              ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                              ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

/// The local IP of a connected TCP socket; empty when `descriptor` is none (any more).
std::string local_ip_of(int descriptor) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    // The sockets API takes every address family as sockaddr.
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (::getsockname(descriptor, address, &length) != 0) {
        return {};
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = nullptr;
    if (storage.ss_family == AF_INET) {
        bytes = &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr;
    } else if (storage.ss_family == AF_INET6) {
        bytes = &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
    }
    if (bytes == nullptr ||
        ::inet_ntop(storage.ss_family, bytes, text.data(), text.size()) == nullptr) {
        return {};
    }
    return plain_ip(text.data());
}

void check_options(const ClientOptions& options) {
    for (const auto& checked : {check_bus_address(options.address),
                                check_key(options.server_key, "the master's public key"),
                                check_key(options.keys.public_key, "our public key"),
                                check_key(options.keys.secret_key, "our secret key")}) {
        if (!checked) {
            throw Failure(checked.error());
        }
    }
}

} // namespace

struct BusClient::Impl : std::enable_shared_from_this<BusClient::Impl> {
    Impl(asio::any_io_executor executor, ClientOptions options_, Handlers handlers_)
        : options(std::move(options_)), handlers(std::move(handlers_)), retry(executor) {
        check_options(options);
        socket = std::make_shared<WatchedSocket>(
            std::move(executor), Context::of_clients(), zmq::socket_type::dealer, client_events);
        auto& zmq_socket = socket->get();
        set_common_options(
            zmq_socket, options.high_water_mark, options.frame_bytes_max, handshake_limit);
        zmq_socket.set(zmq::sockopt::reconnect_ivl, reconnect_ms);
        zmq_socket.set(zmq::sockopt::reconnect_ivl_max, reconnect_ms_max);
        zmq_socket.set(zmq::sockopt::connect_timeout, connect_timeout_ms);
        zmq_socket.set(zmq::sockopt::curve_serverkey, options.server_key);
        zmq_socket.set(zmq::sockopt::curve_publickey, options.keys.public_key);
        zmq_socket.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
        connect();
    }

    void connect() {
        if (zmq_connect(socket->get().handle(), options.address.c_str()) != 0) {
            throw Failure(Code::InvalidInput,
                          "cannot connect to " + options.address + ": " +
                              zmq_strerror(zmq_errno()));
        }
    }

    bool turn();
    void read_events();
    void handle(const SocketEvent& event);
    void disconnect(const std::string& why);
    void connect_again_later();
    bool read_frame();

    ClientOptions options;
    Handlers handlers;
    std::shared_ptr<WatchedSocket> socket;
    asio::steady_timer retry;
    int descriptor = -1; ///< of the connection in progress
    std::string local_ip;
    bool reported_down = false; ///< nothing new to say until a handshake succeeds
};

bool BusClient::Impl::turn() {
    for (std::size_t count = 0; count < frames_per_turn; ++count) {
        read_events();
        if (socket->closed() || !read_frame()) {
            return true;
        }
    }
    return false;
}

/// Events go first: on_connected comes before the first frame of the connection.
void BusClient::Impl::read_events() {
    while (!socket->closed()) {
        const auto event = socket->next_event();
        if (!event) {
            return;
        }
        handle(*event);
    }
}

void BusClient::Impl::handle(const SocketEvent& event) {
    switch (event.kind) {
    case ZMQ_EVENT_CONNECTED:
        descriptor = event.value;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        local_ip = local_ip_of(descriptor);
        reported_down = false;
        handlers.on_connected();
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        retry.cancel();
        disconnect("nobody answers at " + options.address + "; trying again");
        break;
    case ZMQ_EVENT_DISCONNECTED:
        connect_again_later();
        disconnect("the connection to " + options.address + " was closed");
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        disconnect("refused at " + options.address + ": " + handshake_problem(event));
        break;
    default:
        break;
    }
}

void BusClient::Impl::disconnect(const std::string& why) {
    local_ip.clear();
    if (!std::exchange(reported_down, true)) {
        handlers.on_disconnected(why);
    }
}

/// ZeroMQ announces its next try (CONNECT_RETRIED) after each end, unless the other side broke the
/// protocol: then it gives up for good. We do not: an operator may put a master there.
void BusClient::Impl::connect_again_later() {
    retry.expires_after(stranger_pause);
    retry.async_wait([weak = weak_from_this()](boost::system::error_code error) {
        const auto impl = weak.lock();
        if (error || !impl || impl->socket->closed()) {
            return;
        }
        // Fails when ZeroMQ has forgotten the address already, which is as good.
        zmq_disconnect(impl->socket->get().handle(), impl->options.address.c_str());
        impl->connect();
        impl->socket->schedule();
    });
}

/// Delivers one frame; false when there is none.
bool BusClient::Impl::read_frame() {
    zmq::message_t message;
    if (!socket->receive(message)) {
        return false;
    }
    const bool whole = !message.more();
    zmq::message_t rest;
    bool more = message.more();
    while (more && socket->receive(rest)) {
        more = rest.more();
    }
    if (whole) { // other messages are not ours
        handlers.on_frame(message.to_string());
    }
    return true;
}

BusClient::BusClient(asio::any_io_executor executor, ClientOptions options, Handlers handlers)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), std::move(handlers))) {
    impl_->socket->start([weak = std::weak_ptr<Impl>(impl_)] {
        const auto impl = weak.lock();
        return !impl || impl->turn();
    });
}

BusClient::~BusClient() {
    close();
}

bool BusClient::send(std::string frame) {
    auto& socket = *impl_->socket;
    if (socket.closed() || frame.size() > impl_->options.frame_bytes_max) {
        return false;
    }
    socket.schedule();
    return socket.send(frame.data(), frame.size(), false);
}

std::string BusClient::local_ip() const {
    return impl_->local_ip;
}

void BusClient::close() {
    impl_->socket->close();
}

void BusClient::close_after_flush(Duration limit) {
    impl_->socket->close(limit);
}

} // namespace methos::bus
