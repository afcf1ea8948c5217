// ZeroMQ with CURVE on the loop: a ROUTER for the master, a DEALER for executors. Carries opaque
// frames of one part; what is in them is core/wire's business. Only this folder includes zmq.hpp.
// Loop thread only. Owners are destroyed before the loop is.
#pragma once

#include "core/runtime/async.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::bus {

/// A CURVE key pair in ZeroMQ's Z85 text form, 40 characters each.
struct CurveKeys {
    std::string public_key;
    std::string secret_key;
};

[[nodiscard]] CurveKeys make_curve_keys();
/// The public key that belongs to a secret one. Errors: InvalidInput.
[[nodiscard]] Result<std::string> public_key_of(const std::string& secret_key);

/// What an executor needs to join: where, whom to trust, and the secret that lets it in.
/// Text form: "methos1-" and base64url of a JSON object; one line, no blanks.
struct JoinToken {
    std::vector<std::string> addresses; ///< "tcp://10.0.0.1:5051"
    std::string server_key;             ///< the cluster's CURVE public key, Z85
    std::string secret;
    friend bool operator==(const JoinToken&, const JoinToken&) = default;
};

[[nodiscard]] std::string format_join_token(const JoinToken& token);
/// Errors: InvalidInput that says which part is wrong; never prints the secret.
[[nodiscard]] Result<JoinToken> parse_join_token(const std::string& text);

/// Whether executors can connect to `address`: "tcp://HOST:PORT" with a port. Errors: InvalidInput.
[[nodiscard]] Result<void> check_bus_address(const std::string& address);

/// A connection as the ROUTER names it. Valid until on_closed reports it or for ever useless after.
using PeerId = std::string;

struct ServerOptions {
    std::string bind; ///< "tcp://127.0.0.1:5051", port 0 or * for any
    CurveKeys keys;
    int high_water_mark = 10'000; ///< messages queued per peer
    std::size_t frame_bytes_max = 8 * 1024 * 1024;
    // A turn ends at whichever comes first; then other work of the loop gets its own.
    std::size_t frames_per_turn = 200;
    Duration turn_limit = std::chrono::milliseconds(5); ///< of work; one frame at any rate
};

class BusServer {
  public:
    /// Called on the loop, never from inside send(); they must not throw, and may call anything
    /// here, close() and the destructor too.
    struct Handlers {
        /// One frame of a peer.
        std::function<void(const PeerId& peer, std::string frame)> on_frame;
        /// The kernel closed the peer's connection (process died, or the network said so). Comes
        /// once, after the peer's last frame, and only for peers that sent one. Silence is not
        /// reported.
        std::function<void(const PeerId& peer)> on_closed;
        /// For the log: a connection that was refused (wrong key, not a bus) or not accepted (no
        /// descriptors left). May come at any rate.
        std::function<void(const std::string& what)> on_trouble = {};
    };

    /// Binds. Throws Failure naming the address: Conflict when the port is taken, Forbidden when it
    /// needs rights, InvalidInput when the address or a key is malformed.
    BusServer(asio::any_io_executor executor, ServerOptions options, Handlers handlers);
    BusServer(const BusServer&) = delete;
    BusServer& operator=(const BusServer&) = delete;
    ~BusServer();

    /// Queues a frame; never waits. False when the peer is gone, its queue is full or the frame is
    /// over frame_bytes_max: the caller drops the session.
    [[nodiscard]] bool send(const PeerId& peer, std::string frame);

    /// The bound address with the real port: "tcp://127.0.0.1:41233".
    [[nodiscard]] const std::string& address() const;
    /// Nothing when all frames that came have been read at the last look; else a moment such that
    /// all that came before it have been.
    [[nodiscard]] std::optional<MonoTime> unread_since() const;
    /// "127.0.0.1" of the peer, as the kernel says; empty when unknown.
    [[nodiscard]] std::string peer_ip(const PeerId& peer) const;
    /// Stops reading and closes; handlers are not called afterwards. The port is free when it
    /// returns.
    void close();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

struct ClientOptions {
    std::string address;
    std::string server_key; ///< Z85
    CurveKeys keys;         ///< our own
    int high_water_mark = 10'000;
    std::size_t frame_bytes_max = 8 * 1024 * 1024;
};

/// One session's DEALER: make a new one per session. It connects by itself, and again whenever the
/// connection ends (100-400 ms between tries; 1 s where something else than a bus answers). What
/// was queued goes out on the next connection, or is lost: send HELLO from on_connected.
class BusClient {
  public:
    /// Called on the loop, never from inside send(); they must not throw, and may call anything
    /// here, close() and the destructor too.
    struct Handlers {
        std::function<void(std::string frame)> on_frame;
        std::function<void()> on_connected; ///< handshake done
        /// The connection ended, the handshake was refused, or (once per run of failures) nobody
        /// answers. The client goes on trying. `why` is for people.
        std::function<void(std::string why)> on_disconnected;
    };

    /// Throws Failure(InvalidInput) when the address or a key is malformed.
    BusClient(asio::any_io_executor executor, ClientOptions options, Handlers handlers);
    BusClient(const BusClient&) = delete;
    BusClient& operator=(const BusClient&) = delete;
    ~BusClient();

    /// Queues a frame, also before the connection is there; never waits. False when the queue is
    /// full, the frame is over frame_bytes_max, or something else than a bus answers.
    [[nodiscard]] bool send(std::string frame);
    /// The local IP of the connection ("10.0.0.7"); empty before it is there.
    [[nodiscard]] std::string local_ip() const;
    /// Drops what is queued and closes; handlers are not called afterwards.
    void close();
    /// As close(), but what is queued may still leave within `limit`: for a last GOODBYE. Does not
    /// wait; the end of the process's last client does, at most `limit`.
    void close_after_flush(Duration limit);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace methos::bus
