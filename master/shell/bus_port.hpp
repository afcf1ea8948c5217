// The master's end of the bus: who is connected, in which session, and the way between frames and
// the heart's events. Checks every frame; decides nothing. Loop thread only.
#pragma once

#include "core/bus/bus.hpp"
#include "core/observe/metrics.hpp"
#include "core/wire/frames.hpp"
#include "master/shell/log_streams.hpp"
#include "master/shell/session_contest.hpp"
#include "master/shell/shell.hpp"

#include <string>
#include <unordered_map>
#include <vector>

namespace methos::master {

class BusPort {
  public:
    struct Options {
        std::string bind;
        bus::CurveKeys keys;
        std::string join_secret;
        std::string build;
    };

    /// Binds. Throws Conflict when the address is taken.
    BusPort(asio::any_io_executor executor,
            Shell& shell,
            LogStreams& streams,
            Options options,
            Metrics& metrics);
    BusPort(const BusPort&) = delete;
    BusPort& operator=(const BusPort&) = delete;
    ~BusPort();

    /// The messages of one session in one commit, joined into one frame of each kind.
    struct Outbox {
        bool welcome = false;
        wire::Launch launch;
        std::size_t launch_bytes = 0;
        wire::Kill kill;
        wire::Ack ack;

        /// Another message might make a frame larger than the bus takes.
        [[nodiscard]] bool full() const;
    };

    [[nodiscard]] const std::string& address() const { return server_.address(); }

    void close();

  private:
    /// What a connection has shown itself to be.
    struct Connection {
        bool stream = false; ///< the second connection of a session, for bulk data
        SessionNumber session;
    };

    void on_frame(const bus::PeerId& peer, const std::string& bytes);
    void on_closed(const bus::PeerId& peer);
    void on_hello(const bus::PeerId& peer, const wire::Hello& hello);
    void open_control(const bus::PeerId& peer, const wire::Hello& hello);
    void open_stream(const bus::PeerId& peer, const wire::Hello& hello);
    void on_control(const Connection& connection, const wire::Frame& frame);
    void on_stream(const Connection& connection, const wire::Frame& frame);
    void on_statuses(SessionNumber session, const std::vector<TaskStatus>& all, bool inventory);
    void forget(const bus::PeerId& peer);
    void refuse(const bus::PeerId& peer, wire::Refused::Why why, const std::string& message);

    [[nodiscard]] bool
    is_twin(const bus::PeerId& peer, const HostId& id, const std::string& key_hash) const;
    [[nodiscard]] bool is_heard_of(const cluster::Host& host) const;
    void watch_contest(const bus::PeerId& peer, const HostId& id);
    void flush(SessionNumber session, Outbox& box);
    void send_messages(const std::vector<cluster::Message>& messages);
    void send(SessionNumber session, const wire::Frame& frame);
    [[nodiscard]] bool send_on_stream(SessionNumber session, wire::Frame frame);
    void send_to(const bus::PeerId& peer, const wire::Frame& frame);
    [[nodiscard]] wire::Frame welcome_of(SessionNumber session) const;
    [[nodiscard]] wire::Frame frame_of(SessionNumber session) const;
    [[nodiscard]] SessionNumber new_session();

    Shell& shell_;
    LogStreams& streams_;
    Options options_;
    std::unordered_map<bus::PeerId, Connection> connections_;
    std::unordered_map<SessionNumber, bus::PeerId> peer_of_;
    std::unordered_map<SessionNumber, bus::PeerId> stream_peer_of_;
    std::uint64_t sessions_opened_ = 0;
    SessionContest contest_;
    Metrics::Counter frames_in_;
    Metrics::Counter frames_out_;
    Metrics::Counter bad_frames_;
    bus::BusServer server_; ///< last: its handlers use all of the above
};

} // namespace methos::master
