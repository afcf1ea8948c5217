// The bus as the two sides see it: connections that keep the order and lose nothing while they
// live, but end at any moment, losing what was under way; connections of one host overtake each
// other; a cut link holds everything.
#pragma once

#include "core/model/task.hpp"
#include "master/cluster/step.hpp"
#include "tests/simulation/random.hpp"

#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace methos::simulation {

enum class Kind : std::uint8_t {
    Hello,
    Welcome,
    Refused,
    Beat,
    Goodbye,
    Host,
    Inventory,
    Status,
    Orders,
    Closed
};

struct Frame {
    Kind kind = Kind::Beat;
    SessionNumber session;
    std::uint64_t epoch = 0;
    HostInfo info;                          ///< of Hello and Host
    std::vector<TaskStatus> statuses;       ///< of Inventory and Status
    std::vector<cluster::Message> messages; ///< of Orders: launches, kills, acks
    Duration grace{};                       ///< of Goodbye
};

using ConnectionId = std::uint64_t;

enum class Towards : std::uint8_t { Master, Host };

class Network {
  public:
    explicit Network(Random& random) : random_(random) {}

    /// Repeats of a status, in percent: what at-least-once allows.
    void set_repeats(std::uint64_t percent) { repeats_percent_ = percent; }

    /// Frames take up to this long from now on.
    void set_delay_max(std::uint64_t ms) { delay_max_ms_ = ms; }

    void set_cut(std::size_t host, bool cut) { cut_[host] = cut; }

    [[nodiscard]] bool is_cut(std::size_t host) const {
        const auto found = cut_.find(host);
        return found != cut_.end() && found->second;
    }

    ConnectionId open(std::size_t host);
    void send(ConnectionId id, Towards side, Frame frame, MonoTime now);
    /// One side closes, or is killed: some of what it sent still arrives, then the other side hears
    /// of the end.
    void close(ConnectionId id, Towards other_side, MonoTime now);
    /// The connection breaks for both.
    void reset(ConnectionId id, MonoTime now);
    [[nodiscard]] std::vector<ConnectionId> connections() const;

    [[nodiscard]] std::size_t host_of(ConnectionId id) const { return connections_.at(id).host; }

    /// The next frame that has arrived, if one has.
    [[nodiscard]] std::optional<Frame> take(ConnectionId id, Towards side, MonoTime now);

  private:
    struct Pipe {
        std::deque<std::pair<MonoTime, Frame>> frames;
        MonoTime last_arrival{};
        bool closed = false; ///< nothing can be sent any more
        bool ended = false;  ///< the receiver knows, or has gone
    };

    struct Connection {
        std::size_t host = 0;
        Pipe to_master;
        Pipe to_host;
    };

    static Pipe& pipe_of(Connection& connection, Towards side) {
        return side == Towards::Master ? connection.to_master : connection.to_host;
    }

    void push(Pipe& pipe, Frame frame, MonoTime now);
    void break_pipe(Pipe& pipe, MonoTime now);

    Random& random_;
    std::uint64_t delay_max_ms_ = 20;
    std::uint64_t repeats_percent_ = 0;
    std::map<std::size_t, bool> cut_;
    ConnectionId last_id_ = 0;
    std::map<ConnectionId, Connection> connections_;
};

} // namespace methos::simulation
