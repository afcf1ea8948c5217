// One host of the emulated fleet: an executor that keeps to docs/protocol.md over the real bus,
// with the real outbox, whose containers are only names. A launched task runs at once, a killed one
// ends at once. Owned by fleet_bench, which calls tick(); loop thread only. It checks what the
// master must never do and counts it.
#pragma once

#include "core/base/backoff.hpp"
#include "core/bus/bus.hpp"
#include "core/wire/frames.hpp"
#include "executor/tasks/outbox.hpp"
#include "tests/bench/fleet_figures.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace methos::bench {

class EmulatedHost {
  public:
    EmulatedHost(asio::any_io_executor executor,
                 const bus::JoinToken& token,
                 const bus::CurveKeys& keys,
                 HostInfo info,
                 FleetFigures& figures);

    /// Connects, beats, repeats, and gives up a silent master: whatever is due.
    void tick();
    /// The fleet's own loop slept for so long: that is no silence of the master.
    void paused(Duration gap);

    [[nodiscard]] bool in_session() const { return mark_.session != 0; }

    [[nodiscard]] std::size_t running() const;
    /// Tasks whose last status the master has not acknowledged.
    [[nodiscard]] std::size_t unacknowledged() const;

  private:
    struct Task {
        TaskStatus last;
        std::vector<std::uint16_t> ports;
    };

    struct SentBeat {
        std::uint64_t sequence = 0;
        MonoTime at;
    };

    void connect(MonoTime now);
    void end_session(MonoTime now);
    void on_frame(const std::string& bytes);
    void take(const wire::Frame& frame);
    void take_welcome(const wire::Frame& frame);
    void take_beat(const wire::Beat& beat);
    void take_launch(const wire::Launch& launch);
    void start(TaskLaunch launch);
    void take_kill(const wire::Kill& kill);
    void take_ack(const wire::Ack& ack);
    void beat(MonoTime now);
    void flush();
    void send(const wire::Frame& frame);
    [[nodiscard]] wire::Frame hello() const;
    [[nodiscard]] wire::Frame inventory() const;

    asio::any_io_executor executor_;
    const bus::JoinToken& token_;
    const bus::CurveKeys& keys_;
    HostInfo info_;
    FleetFigures& figures_;
    SystemClock clock_;
    Backoff backoff_;

    std::unique_ptr<bus::BusClient> client_;
    bool over_ = false; ///< the connection; tick() ends the session
    wire::SessionMark mark_;
    MonoTime connect_at_{};
    MonoTime silent_at_{}; ///< nothing heard until then: the session, or the try at one, is over
    Duration silence_{};
    Duration beat_interval_{};
    MonoTime next_beat_{};
    std::uint64_t beats_ = 0;
    std::deque<SentBeat> beats_on_their_way_;
    std::set<std::uint64_t> specs_; ///< that this session has carried

    executor::StatusOutbox outbox_;
    std::map<TaskName, Task> tasks_;
    std::set<std::uint16_t> ports_; ///< in use by tasks_
};

} // namespace methos::bench
