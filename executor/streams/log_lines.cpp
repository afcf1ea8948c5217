#include "executor/streams/log_lines.hpp"

#include "core/base/error.hpp"
#include "executor/docker/time_text.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace methos::streams {

namespace {

/// "2026-11-22T10:43:19.123456789Z " is 31 bytes; an offset makes it longer.
constexpr std::size_t time_bytes_max = 40;

/// What json-file writes of a line at once.
constexpr std::size_t part_bytes = 16 * 1024;

struct Stamped {
    docker::UnixNanos time = 0;
    std::size_t prefix_bytes = 0; ///< of the time stamp and its blank
};

std::optional<Stamped> read_time(std::string_view text) {
    const auto blank = text.substr(0, time_bytes_max).find(' ');
    if (blank == std::string_view::npos) {
        return std::nullopt;
    }
    const auto time = docker::parse_time(text.substr(0, blank));
    if (!time) {
        return std::nullopt;
    }
    return Stamped{*time, blank + 1};
}

Stamped must_read_time(std::string_view text) {
    if (const auto stamped = read_time(text)) {
        return *stamped;
    }
    // A line without text may come without the blank.
    const auto alone = docker::parse_time(text);
    if (!alone) {
        throw Failure(Code::Protocol, "a line of the Engine's logs has no time stamp");
    }
    return Stamped{*alone, text.size()};
}

void append(LogLine& line, std::string_view text) {
    const auto room = log_line_bytes_max - line.text.size();
    line.text.append(text.substr(0, room));
    line.is_cut = line.is_cut || text.size() > room;
}

/// A tty's parts follow each other without frames; each begins with the stamp of the whole line.
std::string join_raw_parts(std::string_view text, std::string_view stamp) {
    std::string joined;
    while (text.size() > part_bytes && !stamp.empty() &&
           text.substr(part_bytes, stamp.size()) == stamp) {
        joined.append(text.substr(0, part_bytes));
        text.remove_prefix(part_bytes + stamp.size());
    }
    joined.append(text);
    return joined;
}

} // namespace

LogLines::LogLines(LogFormat format)
    : format_(format), parser_(log_line_bytes_max + time_bytes_max) {}

void LogLines::feed(std::string_view bytes, std::vector<LogLine>& lines) {
    if (format_.tty) {
        take_raw(bytes, lines);
        return;
    }
    parser_.feed(bytes, frames_);
    for (const auto& frame : frames_) {
        take_frame(frame, lines);
    }
    frames_.clear();
}

void LogLines::take_frame(const docker::Frame& frame, std::vector<LogLine>& lines) {
    auto& partial = partials_.at(static_cast<std::size_t>(frame.channel));
    std::string_view text = frame.payload;
    const bool is_whole = !text.empty() && text.back() == '\n';
    if (is_whole) {
        text.remove_suffix(1);
    }
    Stamped stamped;
    if (format_.timestamps) {
        stamped = must_read_time(text);
        text.remove_prefix(stamped.prefix_bytes);
    }
    if (!partial.begun) {
        partial.begun = true;
        partial.line.channel = frame.channel;
        partial.line.time = stamped.time;
    }
    append(partial.line, text);
    partial.line.is_cut = partial.line.is_cut || frame.is_cut;
    if (is_whole) {
        lines.push_back(std::exchange(partial, Partial()).line);
    }
}

void LogLines::take_raw(std::string_view bytes, std::vector<LogLine>& lines) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto text = bytes.substr(0, end);
        // Room for the stamps of the parts, which are taken out of the whole.
        constexpr std::size_t raw_bytes_max =
            log_line_bytes_max + (log_line_bytes_max / part_bytes + 1) * time_bytes_max;
        const auto room = raw_bytes_max - raw_.size();
        raw_.append(text.substr(0, room));
        raw_is_cut_ = raw_is_cut_ || text.size() > room;
        if (end == std::string_view::npos) {
            return;
        }
        bytes.remove_prefix(end + 1);
        lines.push_back(line_of_raw(std::exchange(raw_, {}), std::exchange(raw_is_cut_, false)));
    }
}

LogLine LogLines::line_of_raw(std::string text, bool is_cut) const {
    if (!text.empty() && text.back() == '\r') {
        text.pop_back();
    }
    LogLine line;
    line.is_cut = is_cut;
    std::string_view rest = text;
    std::string_view stamp;
    if (format_.timestamps) {
        const auto stamped = must_read_time(rest);
        line.time = stamped.time;
        stamp = rest.substr(0, stamped.prefix_bytes);
        rest.remove_prefix(stamped.prefix_bytes);
    }
    append(line, join_raw_parts(rest, stamp));
    return line;
}

void LogLines::finish(std::vector<LogLine>& lines) {
    if (!raw_.empty()) {
        lines.push_back(line_of_raw(std::exchange(raw_, {}), std::exchange(raw_is_cut_, false)));
    }
    for (auto& partial : partials_) {
        if (partial.begun) {
            lines.push_back(std::exchange(partial, Partial()).line);
        }
    }
}

} // namespace methos::streams
