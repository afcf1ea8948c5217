// What one call of Cluster::allocate works with; shared by allocator.cpp, placing.cpp and
// offering.cpp, and by nobody else.
#pragma once

#include "master/cluster/cluster.hpp"

namespace methos::cluster {

/// A host that could take a demand's next task, and how well.
struct Cluster::Candidate {
    bool held = false;      ///< only when offers that others hold are taken back
    std::size_t load = 0;   ///< of the demand's own tasks there
    std::int64_t spare = 0; ///< free milli-cpus: much is good when spreading, little when packing
    std::size_t slot = 0;
};

struct Cluster::Cycle {
    /// Work that one turn of the loop may do; a unit is looking at one host.
    std::int64_t budget = 8'000;
    std::map<Shares::Client, std::vector<Demand*>> demands;
    std::map<const Demand*, std::vector<Candidate>> candidates; ///< heaps, the best first
    std::set<const Demand*> waits_for_offers;                   ///< that may not be rescinded yet
    std::map<std::string, std::vector<OfferNumber>> offers;     ///< made in this cycle
};

constexpr std::int64_t offer_cost = 20;
constexpr std::int64_t placement_cost = 20;

/// Which resource is missing first, in the order of the reject funnel.
[[nodiscard]] Unfit lacking(const Resources& free, const Resources& need);

} // namespace methos::cluster
