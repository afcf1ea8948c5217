// The executor of one host: the real task book (lifecycles, outbox, adoption by labels) with a
// session that keeps to docs/protocol.md and a watch over Docker, both as executor/session and
// docker_watch do it. One life of the process; another one is another object.
#pragma once

#include "executor/tasks/task_book.hpp"
#include "tests/simulation/boundaries.hpp"
#include "tests/simulation/dockerd.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/trace.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::simulation {

/// What an executor lives in and with.
struct Surroundings {
    std::size_t host = 0; ///< its index
    HostInfo info;
    Network& network;
    Random& random;
    Trace& trace;
    Boundaries& boundaries;
    TaskHistory& history;
    Dockerd& docker;
    DockerWeather weather;
    Duration clock_offset{}; ///< of the host's wall clock
};

class Executor {
  public:
    explicit Executor(Surroundings& around);

    void turn(bool master_listens);
    void take(ConnectionId id, const Frame& frame);
    /// The process is gone; the kernel closes its connection.
    void die();
    /// Tells the master that it stops in order.
    void say_goodbye(Duration grace);

    /// The connection, if there is one; 0 otherwise.
    [[nodiscard]] ConnectionId connection() const { return connection_; }

    [[nodiscard]] const executor::TaskBook& book() const { return book_; }

  private:
    struct Watch {
        bool up = false;
        std::uint64_t life = 0; ///< of the daemon that it is connected to
        MonoTime list_at{};     ///< when the next list is asked for, or the next try to connect
        std::optional<std::vector<executor::ContainerFacts>> list; ///< on its way
        MonoTime list_arrives{};
        std::optional<MonoTime> hangs_since;
    };

    struct WaitingStart {
        TaskName task;
        executor::action::Start start;
        MonoTime turn_at{};
    };

    [[nodiscard]] Now now() const;

    void watch_docker();
    void lose_docker();
    void ask_for_list();
    void start_in_turn();
    void hear_docker();

    void carry_out(const executor::Orders& orders);
    void follow(const executor::order::Perform& perform);
    void follow(const executor::order::InspectFound& inspect);
    void follow(const executor::order::RemoveStray& remove);
    void follow(const executor::order::TellInventory&);
    void follow(const executor::order::Note& note);
    void ask(const TaskName& task, const executor::Action& action);

    void connect();
    void close(const std::string& why);
    void keep_session(bool master_listens);
    void welcome(const Frame& frame);
    void obey(const cluster::Message& message);
    void launch(const cluster::SendLaunch& order);
    void send(Frame frame);
    void send_host();
    void send_inventory();
    void send_updates();

    Surroundings& around_;
    executor::TaskBook book_;
    executor::PlanContext plan_;
    Watch watch_;
    std::deque<WaitingStart> starts_;
    MonoTime last_turn_{};

    ConnectionId connection_ = 0;
    SessionNumber session_;
    std::uint64_t epoch_ = 0;
    std::map<SpecNumber, std::shared_ptr<const TaskSpec>> specs_;
    MonoTime last_heard_{};
    MonoTime next_beat_{};
    MonoTime connect_at_{};
};

} // namespace methos::simulation
