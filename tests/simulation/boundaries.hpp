// The places between two moves of a process where it may die: before a commit, between two messages
// of it, before each order of a task book. Whoever makes a move passes one; the storm lets some of
// them strike by chance, --every-boundary each in its turn.
#pragma once

#include "tests/simulation/random.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace methos::simulation {

enum class Victim : std::uint8_t { Master, Disk, Executor, Docker };

/// Thrown through the moves of a process that is dead from here on. Not an error.
struct Crash {
    Victim victim = Victim::Master;
    std::size_t host = 0; ///< of Executor
};

class Boundaries {
  public:
    explicit Boundaries(Random& random) : random_(random) {}

    /// Disk and Docker fail beside the process that passes: `fails` is told, and the move goes on.
    void on_failure(std::function<void(Victim, std::size_t host)> fails) {
        fails_ = std::move(fails);
    }

    /// From now on `chance` boundaries in a million strike.
    void set_chance(std::uint64_t chance) { chance_ = chance; }

    /// The boundary of this number strikes, once: the process that passes it, or what is beside it.
    void arm(std::uint64_t number, bool beside) { armed_ = {number, beside}; }

    [[nodiscard]] std::uint64_t passed() const { return passed_; }

    void pass_master() { pass(Victim::Master, Victim::Disk, 0); }

    void pass_host(std::size_t host) { pass(Victim::Executor, Victim::Docker, host); }

  private:
    struct Armed {
        std::uint64_t number = 0;
        bool beside = false;
    };

    void pass(Victim self, Victim beside, std::size_t host) {
        const bool armed = armed_ && armed_->number == passed_;
        ++passed_;
        const bool by_chance = chance_ > 0 && random_.per_million(chance_);
        if (!armed && !by_chance) {
            return;
        }
        if (armed ? armed_->beside : random_.percent(40)) {
            fails_(beside, host);
        } else {
            throw Crash{self, host};
        }
    }

    Random& random_;
    std::function<void(Victim, std::size_t)> fails_;
    std::uint64_t chance_ = 0;
    std::uint64_t passed_ = 0;
    std::optional<Armed> armed_;
};

} // namespace methos::simulation
