// Finds what a followed log tells a second time: when Docker rotates a json-file log, its follower
// reads lines anew that it has sent before, up to a whole file of them (seen with 20.10). They come
// with their old times. Pure; owned by a LogReader. Does not remember lines, so that lines of a
// wall clock that was set back, by less than the reader lags behind, are taken for repeated ones.
#pragma once

#include "core/base/clock.hpp"
#include "executor/streams/log_lines.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace methos::streams {

class RepeatedLines {
  public:
    /// Takes out of the lines, which are the next ones of the log, those that came before. Lines
    /// without a time stay.
    void take_out(std::vector<LogLine>& lines, WallTime now);

  private:
    struct Newest {
        docker::UnixNanos time = 0;
        std::size_t text_hash = 0;
    };

    bool is_repeated(const LogLine& line, docker::UnixNanos now);

    std::array<Newest, 4> newest_; ///< by channel: only within one are the times in order
};

} // namespace methos::streams
