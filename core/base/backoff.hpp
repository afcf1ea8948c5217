// Delays that grow with each failure, capped and jittered. Pure: the random number comes from
// outside.
#pragma once

#include "core/base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>

namespace methos {

struct BackoffPolicy {
    Duration first = std::chrono::milliseconds(100);
    Duration cap = std::chrono::seconds(5);
    double factor = 2.0;
    double jitter = 0.2; ///< each delay is drawn from [delay*(1-jitter), delay]
};

/// `uniform` returns numbers in [0, 1); tests pass a constant.
class Backoff {
  public:
    using Uniform = std::function<double()>;

    Backoff(BackoffPolicy policy, Uniform uniform)
        : policy_(policy), uniform_(std::move(uniform)), next_(policy.first) {}

    /// The delay before the next attempt; the one after it is longer.
    [[nodiscard]] Duration next() {
        const auto delay = next_;
        const auto grown = static_cast<double>(next_.count()) * policy_.factor;
        next_ = Duration(
            static_cast<std::int64_t>(std::min(grown, static_cast<double>(policy_.cap.count()))));
        const double keep = 1.0 - policy_.jitter * uniform_();
        return Duration(static_cast<std::int64_t>(static_cast<double>(delay.count()) * keep));
    }

    /// After a success the next failure starts from the beginning.
    void reset() { next_ = policy_.first; }

  private:
    BackoffPolicy policy_;
    Uniform uniform_;
    Duration next_;
};

/// A uniform source for programs, seeded from the kernel once per thread.
[[nodiscard]] Backoff::Uniform system_uniform();

} // namespace methos
