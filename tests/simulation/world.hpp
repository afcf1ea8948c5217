// One run: a master, hosts, people who change apps and hosts, foreign frameworks, and faults, all
// from one seed; then calm, after which everything must be as it was wanted. Throws Violation when
// a promise is broken.
#pragma once

#include "tests/simulation/people.hpp"
#include "tests/simulation/settled.hpp"
#include "tests/simulation/storm.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace methos::simulation {

/// Which run it is to be.
struct Plan {
    std::uint64_t seed = 1;
    bool trace = false;
    /// Instead of a storm: one crash at this boundary, of the process that passes it or (`beside`)
    /// of its disk or its Docker.
    std::optional<std::uint64_t> crash_at;
    bool beside = false;
};

class World {
  public:
    explicit World(const Plan& plan);
    void run();

    /// Boundaries passed so far.
    [[nodiscard]] std::uint64_t boundaries() const { return boundaries_.passed(); }

  private:
    void storm();
    void script();
    void calm();
    void turn();
    void change_something(std::uint64_t chance);
    void deliver();
    void deliver(ConnectionId id);

    Trace trace_;
    Random random_;
    Network network_;
    Boundaries boundaries_;
    TaskHistory history_;
    Streams streams_;
    ModelMaster master_;
    Hosts hosts_;
    Operators operators_;
    People people_;
    Schedulers schedulers_;
    Storm storm_;
    bool scripted_;
};

} // namespace methos::simulation
