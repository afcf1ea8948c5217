// The real heart in a shell that does what master/shell does (group commits, nothing seen before it
// is durable, a refused commit discards the heart) and that can be killed between any two of its
// moves. Checks every promise that can be seen from here.
#pragma once

#include "master/heart/heart.hpp"
#include "tests/simulation/boundaries.hpp"
#include "tests/simulation/dockerd.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/streams.hpp"
#include "tests/simulation/trace.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>

namespace methos::simulation {

class ModelMaster {
  public:
    using Event = std::function<void(heart::Heart&, cluster::Step&)>;
    using Answer = std::function<void(bool committed)>;
    using Records = Streams::Records;

    enum class Disk : std::uint8_t {
        Good,
        Full,  ///< refuses what is written
        Broken ///< fails in ways that leave open what was written: the process gives up
    };

    ModelMaster(Network& network,
                Streams& streams,
                TaskHistory& history,
                Random& random,
                Trace& trace,
                Boundaries& boundaries);

    /// Throws Crash when the disk is broken.
    void start();
    /// The process is gone; a commit under way has happened, or not.
    void kill();

    void set_disk(Disk disk);

    /// The wall clock jumps.
    void shift_clock(Duration offset) { clock_offset_ = offset; }

    /// Commits take up to this long.
    void set_commit_ms_max(std::uint64_t ms) { commit_ms_max_ = ms; }

    /// The loop does nothing until it is let go.
    void hold_up(bool held) { stalled_ = held; }

    void turn();
    void take(ConnectionId id, const Frame& frame);
    /// One event; `answer` when it is durable, or lost. False when changes are refused.
    bool apply(const Event& event, Answer answer = {});

    [[nodiscard]] bool up() const { return heart_ != nullptr; }

    [[nodiscard]] bool refusing() const { return refusing_; }

    /// Whether apply() would take an event.
    [[nodiscard]] bool takes_calls() const { return up() && !stalled_ && !refusing_; }

    [[nodiscard]] bool stalled() const { return stalled_; }

    [[nodiscard]] Disk disk() const { return disk_; }

    [[nodiscard]] const heart::Heart& heart() const { return *heart_; }

    [[nodiscard]] const Records& records() const { return records_; }

  private:
    struct Pending {
        std::vector<cluster::Step> steps;
        std::vector<Answer> answers;

        [[nodiscard]] bool empty() const { return steps.empty() && answers.empty(); }
    };

    [[nodiscard]] Now now() const { return trace_.seen_with(clock_offset_); }

    [[nodiscard]] cluster::Step new_step() const;
    void load();
    void push(cluster::Step step);
    void decide();
    void begin_commit();
    void end_commit();
    void write(const Pending& batch);
    [[noreturn]] void give_up();
    void recover();
    void probe();
    void settle(Pending& batch);
    void release(Pending& batch);
    static void answer_all(Pending& batch, bool committed);
    void tell_frameworks(const Pending& batch);
    void note_given_up(const cluster::Task& task);
    // master_promises.cpp
    void check_step(const cluster::Step& step);
    void check_placements();
    void check_durable(const cluster::Message& message);
    void open(ConnectionId id, const Frame& hello);
    void refuse(ConnectionId id);
    void hear(SessionNumber session, const Frame& frame);
    void forget(ConnectionId id);
    void send(SessionNumber session, Frame frame);

    Network& network_;
    Streams& streams_;
    TaskHistory& history_;
    Random& random_;
    Trace& trace_;
    Boundaries& boundaries_;
    heart::Options options_;
    Records records_;
    Disk disk_ = Disk::Good;
    Duration clock_offset_{};
    std::uint64_t commit_ms_max_ = 30;
    bool stalled_ = false;

    std::unique_ptr<heart::Heart> heart_;
    bool refusing_ = false;
    bool decide_wanted_ = false;
    Pending pending_;
    std::optional<Pending> committing_;
    MonoTime commit_due_{};
    MonoTime tick_due_{};
    MonoTime probe_due_{};
    std::map<ConnectionId, SessionNumber> session_of_;
    std::map<SessionNumber, ConnectionId> connection_of_;
    std::uint64_t sessions_opened_ = 0;

    TaskNumber last_task_;           ///< that check_placements() has seen
    OfferNumber last_offer_;         ///< likewise, of this heart's epoch
    std::set<std::string> launched_; ///< every name that a LAUNCH has left for
    /// What was heard, by session, task and stamp: what an ACK must have made durable.
    std::map<std::tuple<SessionNumber, std::uint64_t, std::string, std::uint64_t>, TaskState>
        heard_;
};

} // namespace methos::simulation
