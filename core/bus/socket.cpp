#include "core/bus/socket.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

namespace methos::bus {

namespace {

constexpr int sockets_max = 16'384; ///< of a context; ZeroMQ's 1023 ends an emulated fleet early
constexpr int receive_mark_max =
    1'000; ///< frames waiting per peer; beyond, TCP holds the sender back
constexpr int keepalive_idle_s = 10;
constexpr int keepalive_interval_s = 5;
constexpr int keepalive_count = 3;
constexpr int unacknowledged_ms_max = 15'000; ///< then the kernel gives a connection up
constexpr std::size_t key_length = 40;

int flags_of(bool more) {
    return ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
}

} // namespace

Context::Context() {
    context_.set(zmq::ctxopt::max_sockets, sockets_max);
}

std::string Context::next_monitor_address() {
    return "inproc://events-" + std::to_string(++monitors_);
}

std::shared_ptr<Context> Context::of_clients() {
    static std::mutex mutex; // tests may run a loop per thread
    static std::weak_ptr<Context> shared;
    const std::lock_guard lock(mutex);
    auto context = shared.lock();
    if (!context) {
        context = std::make_shared<Context>();
        shared = context;
    }
    return context;
}

std::string handshake_problem(const SocketEvent& event) {
    if (event.kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        return "the other side ended the connection before the handshake was done: its CURVE key "
               "is not the one expected, or it is no Methos bus";
    }
    if (event.kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        switch (event.value) {
        case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
            return "the other side's CURVE key does not fit: it has another cluster's join token";
        case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return "the other side does not speak CURVE: it is no Methos bus";
        default:
            return "the other side broke the ZeroMQ protocol: it is no Methos bus";
        }
    }
    return "the other side was not authenticated";
}

std::string plain_ip(std::string ip) {
    constexpr std::string_view mapped = "::ffff:";
    if (ip.rfind(mapped, 0) == 0 && ip.find('.') != std::string::npos) {
        ip.erase(0, mapped.size());
    }
    return ip;
}

Result<void> check_key(const std::string& key, const std::string& what) {
    std::array<std::uint8_t, 32> bytes{};
    if (key.size() != key_length || key.find('\0') != std::string::npos ||
        zmq_z85_decode(bytes.data(), key.c_str()) == nullptr) {
        return Error(Code::InvalidInput, what + " is not a Z85 key of 40 characters");
    }
    return {};
}

WatchedSocket::WatchedSocket(asio::any_io_executor executor,
                             std::shared_ptr<Context> context,
                             zmq::socket_type type,
                             int events)
    : executor_(std::move(executor)), context_(std::move(context)), socket_(context_->get(), type),
      monitor_(context_->get(), zmq::socket_type::pair), socket_ready_(executor_),
      monitor_ready_(executor_) {
    const auto address = context_->next_monitor_address();
    if (zmq_socket_monitor(socket_.handle(), address.c_str(), events) != 0) {
        throw Failure(Code::Internal, std::string("ZeroMQ monitor: ") + zmq_strerror(zmq_errno()));
    }
    // Unlimited: ZeroMQ's I/O thread waits when events find no room.
    monitor_.set(zmq::sockopt::rcvhwm, 0);
    monitor_.set(zmq::sockopt::linger, 0);
    monitor_.connect(address);
}

WatchedSocket::~WatchedSocket() {
    close();
}

void WatchedSocket::start(Turn turn) {
    turn_ = std::move(turn);
    socket_ready_.assign(socket_.get(zmq::sockopt::fd));
    monitor_ready_.assign(monitor_.get(zmq::sockopt::fd));
    schedule();
}

void WatchedSocket::schedule() {
    if (scheduled_ || closed_) {
        return;
    }
    scheduled_ = true;
    asio::post(executor_, [self = shared_from_this()] {
        self->scheduled_ = false;
        self->run_turn();
    });
}

void WatchedSocket::run_turn() {
    if (closed_) {
        return;
    }
    const bool dry = turn_();
    if (closed_) {
        return;
    }
    if (!dry) {
        schedule();
        return;
    }
    wait(socket_ready_, waiting_socket_);
    wait(monitor_ready_, waiting_monitor_);
}

void WatchedSocket::wait(asio::posix::stream_descriptor& descriptor, bool& waiting) {
    if (waiting) {
        return;
    }
    waiting = true;
    descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this(), &waiting](boost::system::error_code error) {
                              waiting = false;
                              if (!error) {
                                  self->run_turn();
                              }
                          });
}

bool WatchedSocket::receive(zmq::message_t& message) {
    while (zmq_msg_recv(message.handle(), socket_.handle(), ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() == EINTR) {
            continue;
        }
        if (zmq_errno() == EAGAIN) {
            return false;
        }
        throw Failure(Code::Internal,
                      std::string("reading from the bus: ") + zmq_strerror(zmq_errno()));
    }
    return true;
}

bool WatchedSocket::send(const void* data, std::size_t bytes, bool more) {
    while (zmq_send(socket_.handle(), data, bytes, flags_of(more)) < 0) {
        if (zmq_errno() == EINTR) {
            continue;
        }
        if (zmq_errno() == EAGAIN || zmq_errno() == EHOSTUNREACH) {
            return false;
        }
        throw Failure(Code::Internal,
                      std::string("writing to the bus: ") + zmq_strerror(zmq_errno()));
    }
    return true;
}

std::optional<SocketEvent> WatchedSocket::next_event() {
    zmq::message_t message;
    while (zmq_msg_recv(message.handle(), monitor_.handle(), ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR) {
            return std::nullopt;
        }
    }
    // Two parts: event (16 bits) and value (32 bits) in host order; then the endpoint.
    std::uint16_t kind = 0;
    std::int32_t value = 0;
    if (message.size() >= sizeof(kind) + sizeof(value)) {
        std::memcpy(&kind, message.data<char>(), sizeof(kind));
        std::memcpy(&value, message.data<char>() + sizeof(kind), sizeof(value));
    }
    while (message.more()) {
        if (zmq_msg_recv(message.handle(), monitor_.handle(), ZMQ_DONTWAIT) < 0 &&
            zmq_errno() != EINTR) {
            break;
        }
    }
    return SocketEvent{kind, value};
}

void WatchedSocket::close(Duration linger) {
    if (std::exchange(closed_, true)) {
        return;
    }
    // The descriptors are ZeroMQ's: let go of them before they are closed.
    if (socket_ready_.is_open()) {
        socket_ready_.release();
        monitor_ready_.release();
    }
    // The monitor ends first: the I/O thread would wait for ever to tell a closed one something.
    zmq_socket_monitor(socket_.handle(), nullptr, 0);
    monitor_.close();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(linger).count();
    socket_.set(zmq::sockopt::linger, static_cast<int>(ms));
    socket_.close();
    context_.reset();
}

void set_common_options(zmq::socket_t& socket,
                        int high_water_mark,
                        std::size_t frame_bytes_max,
                        Duration handshake_limit) {
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::ipv6, true);
    socket.set(zmq::sockopt::sndhwm, high_water_mark);
    socket.set(zmq::sockopt::rcvhwm, std::min(high_water_mark, receive_mark_max));
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(frame_bytes_max));
    socket.set(zmq::sockopt::handshake_ivl,
               static_cast<int>(duration_cast<milliseconds>(handshake_limit).count()));
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, keepalive_idle_s);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, keepalive_interval_s);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, keepalive_count);
    socket.set(zmq::sockopt::tcp_maxrt, unacknowledged_ms_max);
}

} // namespace methos::bus
