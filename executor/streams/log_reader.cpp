#include "executor/streams/log_reader.hpp"

#include <utility>

namespace methos::streams {

LogReader::LogReader(std::shared_ptr<http::BodyReader> body,
                     LogFormat format,
                     docker::UnixNanos after)
    : body_(std::move(body)), lines_(format), after_(after) {}

awaitable<std::vector<LogLine>> LogReader::read() {
    std::vector<LogLine> lines;
    while (lines.empty() && !ended_) {
        const auto piece = co_await body_->read();
        if (piece) {
            lines_.feed(*piece, lines);
        } else {
            ended_ = true;
            lines_.finish(lines);
        }
        if (after_ > 0) {
            std::erase_if(lines, [this](const LogLine& line) { return line.time <= after_; });
        }
        if (clock_ != nullptr) {
            repeated_.take_out(lines, clock_->now().wall);
        }
    }
    co_return lines;
}

} // namespace methos::streams
