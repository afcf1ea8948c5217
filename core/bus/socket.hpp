// One ZeroMQ socket and its monitor, watched by the loop. Private to core/bus: server.cpp and
// client.cpp own one each and say what to do with frames and events. Loop thread only.
#pragma once

#include "core/bus/bus.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <zmq.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace methos::bus {

/// A ZeroMQ context: one I/O thread. It ends, and with it every trace of its sockets, when the last
/// owner drops it.
class Context {
  public:
    Context();

    [[nodiscard]] zmq::context_t& get() { return context_; }

    /// "inproc://events-7"; never used before.
    [[nodiscard]] std::string next_monitor_address();

    /// The one that all clients of this process share while there is any: executors and emulated
    /// fleets have many.
    [[nodiscard]] static std::shared_ptr<Context> of_clients();

  private:
    zmq::context_t context_;
    std::uint64_t monitors_ = 0;
};

/// What the socket monitor reports.
struct SocketEvent {
    int kind = 0;  ///< ZMQ_EVENT_*
    int value = 0; ///< a descriptor, an errno or a protocol error, by kind
};

/// What went wrong in a handshake, for people: "the other side's CURVE key does not fit".
[[nodiscard]] std::string handshake_problem(const SocketEvent& event);

/// "::ffff:10.0.0.7" is "10.0.0.7".
[[nodiscard]] std::string plain_ip(std::string ip);

/// A Z85 key of 40 characters. Errors: InvalidInput naming `what`, never the key.
[[nodiscard]] Result<void> check_key(const std::string& key, const std::string& what);

/// The socket, its monitor, and turns of the loop. `turn` is called on the loop whenever there may
/// be something to read, until it returns true; it must read both the socket and the events dry to
/// return true (ZeroMQ's descriptor is edge-triggered). Everything may be called from inside a
/// turn, close() too.
class WatchedSocket : public std::enable_shared_from_this<WatchedSocket> {
  public:
    using Turn = std::function<bool()>;

    WatchedSocket(asio::any_io_executor executor,
                  std::shared_ptr<Context> context,
                  zmq::socket_type type,
                  int events);
    WatchedSocket(const WatchedSocket&) = delete;
    WatchedSocket& operator=(const WatchedSocket&) = delete;
    ~WatchedSocket();

    [[nodiscard]] zmq::socket_t& get() { return socket_; }

    void start(Turn turn);
    /// Asks for a turn soon; needed after each send, which may have swallowed a readiness edge.
    void schedule();
    /// One part without waiting; false when there is none now.
    [[nodiscard]] bool receive(zmq::message_t& message);
    /// One part without waiting. False when it cannot be taken now, or the peer is unknown.
    [[nodiscard]] bool send(const void* data, std::size_t bytes, bool more);
    [[nodiscard]] std::optional<SocketEvent> next_event();
    void close(Duration linger = Duration::zero());

    [[nodiscard]] bool closed() const noexcept { return closed_; }

  private:
    void run_turn();
    void wait(asio::posix::stream_descriptor& descriptor, bool& waiting);

    asio::any_io_executor executor_;
    std::shared_ptr<Context> context_;
    zmq::socket_t socket_;
    zmq::socket_t monitor_;
    asio::posix::stream_descriptor socket_ready_;
    asio::posix::stream_descriptor monitor_ready_;
    Turn turn_;
    bool scheduled_ = false;
    bool waiting_socket_ = false;
    bool waiting_monitor_ = false;
    bool closed_ = false;
};

/// What both ends set: no linger, IPv6, bounded frames and queues, keepalive, handshake limit.
void set_common_options(zmq::socket_t& socket,
                        int high_water_mark,
                        std::size_t frame_bytes_max,
                        Duration handshake_limit);

} // namespace methos::bus
