#include "master/cluster/types.hpp"

#include <array>

namespace methos::cluster {

std::string_view to_string(HostState state) {
    static constexpr std::array<std::string_view, 4> names{
        "UP", "RESTARTING", "DOCKER_DOWN", "LOST"};
    return names.at(static_cast<std::size_t>(state));
}

std::string_view to_string(Duty duty) {
    static constexpr std::array<std::string_view, 5> names{
        "ACTIVE", "CORDONED", "DRAINING", "DRAINED", "GONE"};
    return names.at(static_cast<std::size_t>(duty));
}

std::string_view shown_state(const Host& host) {
    const bool by_duty =
        host.duty == Duty::Gone || (host.state == HostState::Up && host.duty != Duty::Active);
    return by_duty ? to_string(host.duty) : to_string(host.state);
}

std::string_view to_string(Unfit reason) {
    static constexpr std::array<std::string_view, unfit_count> names{"",
                                                                     "HostNotUp",
                                                                     "HostDraining",
                                                                     "HostInTrouble",
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
