// The people who run the cluster of a simulation: they cordon, drain and give back hosts, mark lost
// ones as gone, set weights and limits for roles. In the end all hosts are as they want them.
#pragma once

#include "tests/simulation/host.hpp"
#include "tests/simulation/master.hpp"

#include <optional>
#include <string>

namespace methos::simulation {

class Operators {
  public:
    Operators(std::size_t hosts, ModelMaster& master, Random& random, Trace& trace);

    /// How many hosts apps must not count on, beside one that is lost.
    [[nodiscard]] std::size_t spare_hosts() const { return rests_ ? 1 : 0; }

    /// Something is done to some host or role.
    void act();
    /// From now on only what is to stay; repeated until it is so.
    void settle();
    /// What is not as they want it in the end; empty when all is.
    [[nodiscard]] std::string unsettled() const;

  private:
    void change_host(const cluster::Host& host);
    void give_back_or_rest(const cluster::Host& host);
    void set_role(const std::string& role, const cluster::RoleSettings& settings);
    [[nodiscard]] cluster::DrainTerms some_terms();
    [[nodiscard]] bool is_to_rest(const cluster::Host& host) const;

    ModelMaster& master_;
    Random& random_;
    Trace& trace_;
    std::optional<HostId> rests_; ///< is left drained
};

} // namespace methos::simulation
