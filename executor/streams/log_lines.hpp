// From the bytes of the Engine's logs call to lines: frames are taken apart, the Engine's time
// stamps read, and lines that json-file has cut into parts of 16 KiB joined again. Pure and
// bounded.
#pragma once

#include "executor/docker/frames.hpp"
#include "executor/docker/values.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace methos::streams {

/// Longer lines are cut there; the rest of such a line is dropped.
inline constexpr std::size_t log_line_bytes_max = 1024 * 1024;

struct LogLine {
    docker::UnixNanos time = 0;                     ///< of its first part; 0 without timestamps
    docker::Channel channel = docker::Channel::Out; ///< a tty has only Out
    std::string text;                               ///< without its "\n"
    bool is_cut = false;

    friend bool operator==(const LogLine&, const LogLine&) = default;
};

/// How the stream is to be read: as the container and the query say, never as a header says.
struct LogFormat {
    bool tty = false;
    bool timestamps = true;
};

class LogLines {
  public:
    explicit LogLines(LogFormat format);

    /// Appends the lines that are complete with these bytes. Throws Failure(Protocol) when they
    /// are not of that format.
    void feed(std::string_view bytes, std::vector<LogLine>& lines);

    /// At the end of the stream: lines that had no line end.
    void finish(std::vector<LogLine>& lines);

  private:
    struct Partial {
        LogLine line;
        bool begun = false;
    };

    void take_frame(const docker::Frame& frame, std::vector<LogLine>& lines);
    void take_raw(std::string_view bytes, std::vector<LogLine>& lines);
    [[nodiscard]] LogLine line_of_raw(std::string text, bool is_cut) const;

    LogFormat format_;
    docker::FrameParser parser_;
    std::vector<docker::Frame> frames_;
    std::array<Partial, 4> partials_; ///< by channel
    std::string raw_;                 ///< of a tty: the line so far
    bool raw_is_cut_ = false;
};

} // namespace methos::streams
