// A machine of the cluster: Docker, an executor that comes and goes, a clock of its own. The faults
// of machines happen here.
#pragma once

#include "tests/simulation/executor.hpp"

#include <memory>
#include <optional>

namespace methos::simulation {

/// Of the index-th host.
[[nodiscard]] HostId host_id_of(std::size_t index);

class Host {
  public:
    /// `role` is what it is reserved for, or "*".
    Host(std::size_t index,
         const std::string& role,
         Network& network,
         Random& random,
         Trace& trace,
         Boundaries& boundaries,
         TaskHistory& history);
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    void turn(const DockerWeather& weather, bool master_listens);
    void take(ConnectionId id, const Frame& frame);

    void start_executor();
    void kill_executor();
    /// Stops in order: GOODBYE first.
    void stop_executor(Duration grace);

    /// The process does nothing until then; its kernel keeps the connection.
    void pause_executor(MonoTime until) { paused_until_ = until; }

    /// The wall clock jumps.
    void shift_clock(Duration offset) { around_.clock_offset = offset; }

    void set_docker(Dockerd::Mode mode);
    void kill_docker(bool containers_die);

    [[nodiscard]] ConnectionId connection() const;
    [[nodiscard]] bool executor_listens() const;

    [[nodiscard]] bool executor_up() const { return executor_ != nullptr; }

    [[nodiscard]] const executor::TaskBook* book() const;

    [[nodiscard]] const Dockerd& docker() const { return docker_; }

    [[nodiscard]] const HostInfo& info() const { return around_.info; }

  private:
    Dockerd docker_;
    Surroundings around_;
    std::unique_ptr<Executor> executor_;
    MonoTime paused_until_{};
};

} // namespace methos::simulation
