#include "master/cluster/types.hpp"

#include <array>

namespace methos::cluster {

std::string_view to_string(HostState state) {
    static constexpr std::array<std::string_view, 4> names{
        "UP", "RESTARTING", "DOCKER_DOWN", "LOST"};
    return names.at(static_cast<std::size_t>(state));
}

std::string_view to_string(Unfit reason) {
    static constexpr std::array<std::string_view, unfit_count> names{"",
                                                                     "HostNotUp",
                                                                     "HostDraining",
                                                                     "UnfulfilledRole",
                                                                     "ReservedForAnotherRole",
                                                                     "UnfulfilledConstraint",
                                                                     "QuotaReached",
                                                                     "InsufficientCpus",
                                                                     "InsufficientMemory",
                                                                     "InsufficientDisk",
                                                                     "InsufficientGpus",
                                                                     "InsufficientPorts"};
    return names.at(static_cast<std::size_t>(reason));
}

} // namespace methos::cluster
