// The one source of chance of a simulation: the same seed gives the same run with every compiler.
#pragma once

#include "core/base/clock.hpp"

#include <cstdint>

namespace methos::simulation {

/// SplitMix64; the standard's distributions differ between libraries.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        auto x = state_;
        x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31U);
    }

    /// 0 to n-1.
    std::uint64_t below(std::uint64_t n) { return next() % n; }

    std::uint64_t between(std::uint64_t first, std::uint64_t last) {
        return first + below(last - first + 1);
    }

    /// True `n` times in a million.
    bool per_million(std::uint64_t n) { return below(1'000'000) < n; }

    bool percent(std::uint64_t n) { return below(100) < n; }

    Duration ms(std::uint64_t first, std::uint64_t last) {
        return std::chrono::milliseconds(between(first, last));
    }

  private:
    std::uint64_t state_;
};

} // namespace methos::simulation
