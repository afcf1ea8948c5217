// A host as the heart meets it: Docker with containers that outlive their executor, and an executor
// that keeps to docs/protocol.md. A model, not executor/: that one has tests of its own and does
// I/O.
#pragma once

#include "tests/simulation/network.hpp"
#include "tests/simulation/trace.hpp"

#include <map>
#include <set>
#include <string>

namespace methos::simulation {

struct Container {
    enum class State : std::uint8_t { Created, Running, Exited };
    State state = State::Created;
    std::string app;
    std::string version;
    std::vector<std::uint16_t> ports;
    Resources resources;
    bool failed = false; ///< its exit code is not 0
};

/// How unkind the world is to containers, in parts of a million per turn.
struct Weather {
    std::uint64_t exit_chance = 0;
    std::uint64_t launch_failure_percent = 0;
    std::uint64_t duplicate_percent = 0;
    std::uint64_t start_ms_max = 300;
};

class ModelHost {
  public:
    ModelHost(std::size_t index,
              Network& network,
              Random& random,
              Trace& trace,
              std::map<std::string, int>& starts);

    void turn(const Weather& weather, bool master_listens);
    void take(ConnectionId id, const Frame& frame);

    void kill_executor();
    void start_executor();
    /// Stops in order: GOODBYE first.
    void stop_executor(Duration grace);
    void set_docker(bool up, bool containers_die);

    /// The connection, if there is one; 0 otherwise.
    [[nodiscard]] ConnectionId connection() const { return connection_; }

    [[nodiscard]] bool executor_up() const { return executor_up_; }

    [[nodiscard]] bool docker_up() const { return info_.docker_up; }

    [[nodiscard]] const HostInfo& info() const { return info_; }

    [[nodiscard]] const std::map<std::string, Container>& containers() const { return containers_; }

  private:
    enum class Phase : std::uint8_t { Staging, Created, Running, Stopping, Over };

    struct Task {
        TaskNumber number;
        Phase phase = Phase::Staging;
        MonoTime due{};
        bool kill_wanted = false;
        bool running_reported = false;
        bool terminal_acked = false;
        bool doomed = false; ///< its launch will fail
        TaskLaunch launch;
        std::shared_ptr<const TaskSpec> spec;
        TaskStatus last;
    };

    struct Lane {
        std::deque<TaskStatus> waiting;
        MonoTime due{};
    };

    void connect();
    void end_session();
    void adopt_containers();
    void send(Frame frame);
    void send_inventory();
    void launch(const cluster::SendLaunch& order);
    void kill(const cluster::SendKill& order);
    void acknowledge(const cluster::SendAck& order);
    void live(const std::string& name, Task& task, const Weather& weather);
    void see_container(const std::string& name, Task& task);
    void report(const std::string& name, Task& task, TaskState state, bool needs_ack);
    void flush(const Weather& weather);

    [[nodiscard]] std::string label() const { return info_.hostname; }

    std::size_t index_;
    Network& network_;
    Random& random_;
    Trace& trace_;
    std::map<std::string, int>&
        starts_; ///< of all hosts: how often a container of a name was started

    HostInfo info_;
    std::map<std::string, Container> containers_;

    bool executor_up_ = true;
    bool listed_ = true; ///< the executor has seen Docker's list since it began
    std::map<std::string, Task> tasks_;
    std::map<std::string, std::pair<TaskNumber, bool>> pending_kills_;
    std::map<std::string, Lane> lanes_;
    std::vector<TaskStatus> unacked_;
    std::uint64_t last_stamp_ = 0;

    ConnectionId connection_ = 0;
    SessionNumber session_;
    std::uint64_t epoch_ = 0;
    std::map<SpecNumber, std::shared_ptr<const TaskSpec>> specs_;
    MonoTime last_heard_{};
    MonoTime next_beat_{};
    MonoTime connect_at_{};
};

} // namespace methos::simulation
