#include "executor/docker/lines.hpp"

#include "core/base/error.hpp"

#include <utility>

namespace methos::docker {

namespace {

constexpr std::string_view blanks = " \t\r";

bool is_blank(std::string_view line) {
    return line.find_first_not_of(blanks) == std::string_view::npos;
}

} // namespace

void LineSplitter::feed(std::string_view bytes) {
    if (taken_ > 0) {
        buffer_.erase(0, taken_);
        scanned_ -= taken_;
        taken_ = 0;
    }
    // Whole lines are handed out by next() before more is fed, so that what is kept is one line.
    const auto line_end = bytes.find('\n');
    const auto grows_by = line_end == std::string_view::npos ? bytes.size() : line_end;
    if (buffer_.size() + grows_by > line_bytes_max_) {
        throw Failure(Code::Protocol,
                      "a line of the stream is longer than " + std::to_string(line_bytes_max_) +
                          " bytes");
    }
    buffer_.append(bytes);
}

std::optional<std::string> LineSplitter::next() {
    for (;;) {
        const auto end = buffer_.find('\n', scanned_);
        if (end == std::string::npos) {
            scanned_ = buffer_.size();
            return std::nullopt;
        }
        auto line = buffer_.substr(taken_, end - taken_);
        taken_ = end + 1;
        scanned_ = taken_;
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (!is_blank(line)) {
            return line;
        }
    }
}

std::optional<std::string> LineSplitter::rest() {
    auto line = buffer_.substr(taken_);
    buffer_.clear();
    taken_ = 0;
    scanned_ = 0;
    if (is_blank(line)) {
        return std::nullopt;
    }
    return line;
}

} // namespace methos::docker
