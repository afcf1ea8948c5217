// Reads a container's log as lines, from the body that docker::Engine::logs gives. Pulled: a slow
// reader slows the Engine's log reader, never the container. Owned by who reads.
#pragma once

#include "core/http/message.hpp"
#include "executor/streams/log_lines.hpp"
#include "executor/streams/repeated_lines.hpp"

#include <memory>
#include <vector>

namespace methos::streams {

class LogReader {
  public:
    /// With `after` set (needs timestamps) lines up to that time are left out: `since` of the query
    /// is inclusive, so that a reader who comes back gives the time of its last line to both.
    LogReader(std::shared_ptr<http::BodyReader> body,
              LogFormat format,
              docker::UnixNanos after = 0);

    /// For a follow: leaves out what Docker tells again when it rotates the log. `clock` must
    /// outlive the reader.
    void leave_out_repeated(const Clock& clock) { clock_ = &clock; }

    /// The next lines, at least one; none at the end. Throws Failure when the stream was cut or
    /// is not of that format.
    [[nodiscard]] awaitable<std::vector<LogLine>> read();

  private:
    std::shared_ptr<http::BodyReader> body_;
    LogLines lines_;
    RepeatedLines repeated_;
    docker::UnixNanos after_;
    const Clock* clock_ = nullptr; ///< set: repeated lines are left out
    bool ended_ = false;
};

} // namespace methos::streams
