// What a simulation says: a trace when asked for, and the violation that ends it.
#pragma once

#include "core/base/clock.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

namespace methos::simulation {

/// The heart, or what it did, broke a promise.
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

    void say(const std::string& text) const {
        if (on) {
            const auto passed =
                std::chrono::duration<double>(now.mono - MonoTime(std::chrono::hours(1))).count();
            std::fprintf(stderr, "%9.3f %s\n", passed, text.c_str());
        }
    }
};

} // namespace methos::simulation
