// Whether everything is as it was wanted, once the faults have stopped.
#pragma once

#include "tests/simulation/host.hpp"
#include "tests/simulation/master.hpp"
#include "tests/simulation/operators.hpp"
#include "tests/simulation/people.hpp"
#include "tests/simulation/scheduler.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::simulation {

using Hosts = std::vector<std::unique_ptr<Host>>;
using Schedulers = std::vector<std::unique_ptr<Scheduler>>;

/// What the end of a run is judged by.
struct Outcome {
    const ModelMaster& master;
    const Hosts& hosts;
    const People& people;
    const Operators& operators;
    const Schedulers& schedulers;
    std::optional<std::size_t> lost_host; ///< gone for good: what it runs does not count
};

/// What is still wrong; empty when all is as it should be.
[[nodiscard]] std::string unsettled(const Outcome& outcome);

} // namespace methos::simulation
