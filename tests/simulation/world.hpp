// One run: a master, hosts, people who change apps, and faults from one seed; then calm, after
// which everything must be as it was wanted. Throws Violation when a promise is broken.
#pragma once

#include "tests/simulation/host.hpp"
#include "tests/simulation/master.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::simulation {

class World {
  public:
    World(std::uint64_t seed, bool trace);
    void run();

  private:
    /// An app as its owner wants it.
    struct Wanted {
        int instances = 0;
        bool deleted = false;
        std::string definition;
        std::uint64_t revision = 0;
        std::uint64_t answered = 0; ///< the revision that the master has confirmed
        bool asked = false;         ///< a request is open
    };

    /// How often each fault strikes, in parts of a million per turn; some runs know only some of
    /// them.
    struct Climate {
        std::uint64_t master_kill = 0;
        std::uint64_t disk_full = 0;
        std::uint64_t stall = 0;
        std::uint64_t executor_kill = 0;
        std::uint64_t link_cut = 0;
        std::uint64_t connection_reset = 0;
        std::uint64_t docker_down = 0;
    };

    void choose_climate();
    void turn();
    void deliver();
    void strike();
    void lose_host_for_good();
    void strike_host(std::size_t index);
    void change_an_app();
    void ask();
    void begin_calm();
    /// What is still wrong; empty when all is as it should be.
    [[nodiscard]] std::string unsettled() const;
    [[nodiscard]] std::string unsettled_apps() const;
    [[nodiscard]] std::string unsettled_records() const;
    [[nodiscard]] std::string stray_containers() const;

    Trace trace_;
    Random random_;
    Network network_;
    ModelMaster master_;
    std::map<std::string, int> starts_;
    std::vector<std::unique_ptr<ModelHost>> hosts_;
    std::map<std::string, Wanted> apps_;
    Climate climate_;
    Weather weather_;
    std::uint64_t change_chance_ = 0;

    MonoTime master_back_{};
    MonoTime disk_back_{};
    MonoTime stall_over_{};

    struct HostFaults {
        MonoTime executor_back{};
        MonoTime link_back{};
        MonoTime docker_back{};
    };

    std::vector<HostFaults> faults_;
    std::optional<std::size_t> dead_host_; ///< stays away for good
};

} // namespace methos::simulation
