// What the emulated hosts of fleet_bench have seen, all of them together. They write, the program
// prints it when it is asked.
#pragma once

#include "core/base/clock.hpp"

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace methos::bench {

struct FleetFigures {
    std::uint64_t sessions_begun = 0;
    std::uint64_t sessions_lost = 0; ///< ended by silence, a closed connection or a refusal
    std::uint64_t launches = 0;
    std::uint64_t kills = 0;
    std::uint64_t statuses_sent = 0; ///< repeated ones too
    std::uint64_t acknowledged = 0;
    std::uint64_t own_pauses = 0; ///< of the fleet's loop: figures of that time are worth little

    // What must never happen.
    std::uint64_t launched_twice = 0; ///< a number that was launched before, on whatever host
    std::uint64_t port_clashes = 0;   ///< a launch with a port that another task of the host has
    std::uint64_t bad_frames = 0;     ///< unreadable, or a launch without its spec

    /// From a BEAT to its answer, since the phase began: how long the master's loop was away, as
    /// seen some thousand times a second.
    std::vector<Duration> round_trips;
    std::unordered_set<std::uint64_t> launched;
};

} // namespace methos::bench
