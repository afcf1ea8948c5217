// The faults of a run: chosen from its seed, struck at random until the calm, then mended. Whoever
// is down comes back after a while, except a host that is lost for good.
#pragma once

#include "tests/simulation/settled.hpp"

namespace methos::simulation {

class Storm {
  public:
    Storm(Network& network,
          ModelMaster& master,
          Hosts& hosts,
          Boundaries& boundaries,
          Random& random,
          Trace& trace);

    /// How unkind this run is.
    void choose();
    /// What breaks by chance in one turn.
    void strike();
    /// Whoever is down and has been long enough comes back.
    void mend();
    /// No more faults; everything that is down comes back now.
    void end();

    /// A process died in the middle of a move, or what is beside it failed.
    void crashed(const Crash& crash);
    void failed(Victim victim, std::size_t host);

    [[nodiscard]] const DockerWeather& weather() const { return weather_; }

    [[nodiscard]] std::uint64_t change_chance() const { return change_chance_; }

    [[nodiscard]] std::optional<std::size_t> lost_host() const { return lost_host_; }

  private:
    /// How often each fault strikes, in parts of a million per turn; some runs know only some of
    /// them.
    struct Climate {
        std::uint64_t master_kill = 0;
        std::uint64_t disk_full = 0;
        std::uint64_t disk_broken = 0;
        std::uint64_t stall = 0;
        std::uint64_t clock_jump = 0;
        std::uint64_t executor_kill = 0;
        std::uint64_t executor_pause = 0;
        std::uint64_t link_cut = 0;
        std::uint64_t connection_reset = 0;
        std::uint64_t docker_down = 0;
        std::uint64_t docker_hang = 0;
    };

    struct HostFaults {
        MonoTime executor_back{};
        MonoTime link_back{};
        MonoTime docker_back{};
    };

    void strike_master();
    void strike_host(std::size_t index);
    void mend_host(std::size_t index, bool at_once);
    void kill_master();
    void kill_executor(std::size_t index, bool orderly);
    void kill_docker(std::size_t index);
    void fail_disk(ModelMaster::Disk how);
    void lose_host();
    [[nodiscard]] Duration clock_jump(const std::string& whose);

    Network& network_;
    ModelMaster& master_;
    Hosts& hosts_;
    Boundaries& boundaries_;
    Random& random_;
    Trace& trace_;

    Climate climate_;
    DockerWeather weather_;
    std::uint64_t change_chance_ = 0;
    MonoTime master_back_{};
    MonoTime disk_back_{};
    MonoTime stall_over_{};
    MonoTime loss_at_ = MonoTime::max();
    std::vector<HostFaults> faults_;
    std::optional<std::size_t> lost_host_;
};

} // namespace methos::simulation
