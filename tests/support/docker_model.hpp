// Docker's containers in memory: what each call of the Engine does to them at the moment dockerd
// carries it out. Delays, lost answers and the life of dockerd itself are the user's: the random
// driver of the lifecycle's unit test, and the hosts of the simulation. Not the Engine's HTTP face;
// that is fake_engine.
#pragma once

#include "executor/tasks/container_plan.hpp"
#include "executor/tasks/lifecycle.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace methos::test {

class DockerModel {
  public:
    struct Container {
        docker::ContainerState state;
        std::int64_t milli_cpus = 0;
        std::int64_t memory_bytes = 0;
        int starts = 0;

        [[nodiscard]] bool is_running() const { return state.is_running(); }
    };

    /// Ids begin with `prefix`, so that they differ from those of other hosts.
    explicit DockerModel(std::string prefix) : prefix_(std::move(prefix)) {}

    /// Created, or NameConflict when the name is taken.
    executor::Event
    create(const docker::ContainerConfig& config, const std::string& name, WallTime now);
    executor::Event start(const std::string& id, WallTime now);
    /// The container stays as Docker leaves it after a start that failed.
    executor::Event
    refuse_start(const std::string& id, executor::CallFailure failure, const std::string& why);
    [[nodiscard]] executor::Event inspect(const std::string& id_or_name) const;
    executor::Event remove(const std::string& id);
    /// The container is killed and left dead, as by a busy device.
    executor::Event refuse_removal(const std::string& id, WallTime now);
    /// Its process ends. False when it does not run.
    bool end(const std::string& id, int exit_code, WallTime now);

    /// Somebody beside us starts it (again): not one of our starts.
    void start_by_hand(const std::string& id, WallTime now);

    /// What a list says, as the executor reads it.
    [[nodiscard]] std::vector<executor::ContainerFacts> list() const;

    [[nodiscard]] const std::map<std::string, Container>& containers() const { return containers_; }

    /// Null when there is none.
    [[nodiscard]] const Container* find(const std::string& id) const;

  private:
    std::string prefix_;
    std::uint64_t made_ = 0;
    std::map<std::string, Container> containers_; ///< by id
};

} // namespace methos::test
