// Notices two executors that claim to be one host and cannot be told apart (a copied data directory
// behind one address): each HELLO ends the other's session, for ever. One that reconnects after a
// broken connection does that too, but not again and again. Pure; owned by the bus port.
#pragma once

#include "core/base/clock.hpp"

#include <string>
#include <unordered_map>

namespace methos::master {

class SessionContest {
  public:
    /// A session of `host` was ended by a newer one while its connection was open and heard of.
    /// True when that has happened too often to be chance: at the fourth time within 30 s, and then
    /// once every 30 s.
    [[nodiscard]] bool displaced(const std::string& host, MonoTime now) {
        auto& turns = turns_[host];
        if (turns.count == 0 || now - turns.since > window) {
            turns = Turns{now, 0};
        }
        return ++turns.count == turns_by_chance_max + 1;
    }

  private:
    static constexpr Duration window = std::chrono::seconds(30);
    static constexpr int turns_by_chance_max = 3;

    struct Turns {
        MonoTime since{};
        int count = 0;
    };

    std::unordered_map<std::string, Turns> turns_; ///< at most one per known host
};

} // namespace methos::master
