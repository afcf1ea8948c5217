// Log streams from hosts: opened by an API call, filled over the hosts' stream connections, bounded
// by credit. A stream belongs to its reader; dropping it tells the host to stop. Loop thread only.
#pragma once

#include "core/base/ids.hpp"
#include "core/runtime/async.hpp"
#include "core/wire/frames.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace methos::master {

struct LogRequest {
    TaskName task;
    bool follow = false;
    std::int64_t tail = -1; ///< lines; -1: all
    std::int64_t since_ms = 0;
};

struct LogLine {
    std::int64_t time_ns = 0;
    bool is_stderr = false;
    std::string text; ///< without the newline
};

class LogStreams {
  public:
    class Stream {
      public:
        Stream(LogStreams& owner,
               std::uint64_t number,
               SessionNumber session,
               std::shared_ptr<Signal> arrived);
        Stream(const Stream&) = delete;
        Stream& operator=(const Stream&) = delete;
        ~Stream();

        /// The next line that has arrived; empty when none has. Gives its credit back to the host.
        [[nodiscard]] std::optional<LogLine> take();

        [[nodiscard]] bool ended() const { return ended_ && lines_.empty(); }

        /// Set when the stream ended with an error and everything before it was taken.
        [[nodiscard]] const std::optional<Error>& error() const { return error_; }

        /// Whether anything has come of it: a line, the end or an error.
        [[nodiscard]] bool answered() const { return answered_; }

      private:
        friend class LogStreams;
        LogStreams& owner_;
        std::uint64_t number_;
        SessionNumber session_;
        std::shared_ptr<Signal> arrived_;
        std::deque<LogLine> lines_;
        std::size_t credit_due_ = 0;
        bool answered_ = false;
        bool ended_ = false;
        std::optional<Error> error_;
    };

    using Sender = std::function<bool(SessionNumber control_session, wire::Frame frame)>;

    LogStreams() = default;
    void on_send(Sender sender);

    /// Asks the host of `session` for the lines of a task. `arrived` is notified when there is
    /// something to take. Errors: Unavailable when the host has no stream connection;
    /// ResourceExhausted when too many are open.
    [[nodiscard]] Result<std::shared_ptr<Stream>>
    open(SessionNumber session, const LogRequest& request, std::shared_ptr<Signal> arrived);

    void on_data(SessionNumber session, const wire::StreamData& data);
    void on_end(SessionNumber session, const wire::StreamEnd& end);
    void on_host_gone(SessionNumber session);

  private:
    void send(SessionNumber session, wire::Frame frame);
    [[nodiscard]] Stream* find(SessionNumber session, std::uint64_t number);

    Sender sender_;
    std::unordered_map<std::uint64_t, Stream*> streams_;
    std::uint64_t opened_ = 0;
};

} // namespace methos::master
