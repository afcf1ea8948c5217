// What a simulation says: a trace when asked for, and the violation that ends it. Virtual time is
// kept here, since everybody who acts also says so.
#pragma once

#include "core/base/clock.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

namespace methos::simulation {

/// The heart, an executor, or what they did, broke a promise.
class Violation : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Trace {
    bool on = false;
    Now now{MonoTime(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 50))};

    void advance(Duration time) {
        now.mono += time;
        now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time);
    }

    /// What a machine's clock says that goes wrong by `offset`.
    [[nodiscard]] Now seen_with(Duration offset) const {
        auto seen = now;
        seen.wall += std::chrono::duration_cast<std::chrono::milliseconds>(offset);
        return seen;
    }

    /// The parts are joined only when somebody listens.
    template <class... Parts>
    void say(const Parts&... parts) const {
        if (on) {
            std::string text;
            (text.append(parts), ...);
            const auto passed =
                std::chrono::duration<double>(now.mono - MonoTime(std::chrono::hours(1))).count();
            std::fprintf(stderr, "%9.3f %s\n", passed, text.c_str());
        }
    }
};

} // namespace methos::simulation
