// Streams from hosts: logs, and how far an image is that a host was asked to fetch. Opened by an
// API call, filled over the hosts' stream connections, bounded: logs by credit, and of a pull only
// the newest word is kept. A stream belongs to its reader; dropping it tells the host to stop. Loop
// thread only.
#pragma once

#include "core/base/ids.hpp"
#include "core/model/image_progress.hpp"
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

/// What a host says of an image that it was asked to fetch.
struct PullReport {
    std::string message;
    std::optional<ImageProgress> progress;
    std::string image_id; ///< set: it is there
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

        /// The newest report of a pull, once.
        [[nodiscard]] std::optional<PullReport> take_report();

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
        std::optional<PullReport> report_;
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

    /// Asks the host of `session` to fetch an image; the stream ends when it is there, or with the
    /// reason why not. `force`: its registry is asked though it is there. Errors: as open(), and
    /// Conflict when the host's executor cannot do that.
    [[nodiscard]] Result<std::shared_ptr<Stream>> open_pull(SessionNumber session,
                                                            const std::string& image,
                                                            bool force,
                                                            std::shared_ptr<Signal> arrived);

    /// A host's stream connection is there; what else than logs it can serve.
    void on_host(SessionNumber session, bool pulls_images);
    void on_data(SessionNumber session, const wire::StreamData& data);
    void on_end(SessionNumber session, const wire::StreamEnd& end);
    void on_host_gone(SessionNumber session);

  private:
    [[nodiscard]] Result<std::shared_ptr<Stream>>
    start(SessionNumber session, wire::StreamOpen open, std::shared_ptr<Signal> arrived);
    void send(SessionNumber session, wire::Frame frame);
    [[nodiscard]] Stream* find(SessionNumber session, std::uint64_t number);

    Sender sender_;
    std::unordered_map<std::uint64_t, Stream*> streams_;
    /// Those with a stream connection, and whether they fetch images when asked.
    std::unordered_map<SessionNumber, bool> hosts_;
    std::uint64_t opened_ = 0;
};

} // namespace methos::master
