// Logs for the master, read from the Engine on demand: a second connection to the master (so that a
// big log never delays a beat), on which StreamOpen asks and StreamData answers, as far as credit
// goes. Nothing runs while nobody reads. Images that an operator wants here ahead of their tasks
// are asked for in the same way; their few words of progress need no credit. A followed log that
// the Engine has lost sight of (its file was rotated) is opened anew where it stalled. Loop thread
// only.
#pragma once

#include "core/runtime/async.hpp"
#include "core/wire/frames.hpp"
#include "executor/docker/engine.hpp"
#include "executor/images/puller.hpp"
#include "executor/session/session.hpp"
#include "executor/streams/log_reader.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace methos::executor {

class LogStreams {
  public:
    /// `engine`, `runner` and `images` must outlive it. A follow without a line for `stall_limit`
    /// is looked after.
    LogStreams(const asio::any_io_executor& executor,
               docker::Engine& engine,
               const TaskRunner& runner,
               ImagePuller& images,
               SessionOptions options,
               Duration stall_limit);
    LogStreams(const LogStreams&) = delete;
    LogStreams& operator=(const LogStreams&) = delete;
    ~LogStreams();

    /// A control session is open: connects to the same master for its streams.
    void open(const wire::SessionMark& control, const std::string& address);
    /// The control session has ended, and its streams with it.
    void close();
    [[nodiscard]] awaitable<> stop();

  private:
    struct Stream;
    using StreamPtr = std::shared_ptr<Stream>;

    void connect();
    void say_hello();
    void say_hello_later();
    [[nodiscard]] awaitable<> run_hello_later(std::uint64_t connection);
    void take(const std::string& bytes);
    void take_open(const wire::StreamOpen& open);
    void end_all();
    [[nodiscard]] awaitable<> serve(StreamPtr stream);
    [[nodiscard]] awaitable<> copy_logs(StreamPtr stream);
    [[nodiscard]] awaitable<> pull_image(StreamPtr stream);
    [[nodiscard]] awaitable<> follow_log(StreamPtr stream, std::string container, bool tty);
    [[nodiscard]] awaitable<> send_log(StreamPtr stream, std::string container, bool tty);
    [[nodiscard]] awaitable<> watch_for_stall(StreamPtr stream, std::string container, bool tty);
    [[nodiscard]] awaitable<docker::UnixNanos> newest_line(std::string container, bool tty);
    [[nodiscard]] awaitable<> send_all(StreamPtr stream, streams::LogReader& reader);
    [[nodiscard]] awaitable<> send_data(StreamPtr stream, wire::Frame frame, std::size_t bytes);
    [[nodiscard]] std::size_t room_of(const Stream& stream) const;
    [[nodiscard]] wire::Frame start_data(const Stream& stream) const;
    void send_end(std::uint64_t stream, const std::string& code, const std::string& message);
    void send(const wire::Frame& frame);

    asio::any_io_executor executor_;
    docker::Engine& engine_;
    const TaskRunner& runner_;
    ImagePuller& images_;
    SessionOptions options_;
    Duration stall_limit_;
    SystemClock clock_;
    wire::SessionMark mark_; ///< of the control session; {0, 0} while there is none
    std::string address_;
    std::unique_ptr<bus::BusClient> client_;
    std::uint64_t connections_ = 0; ///< so far: a late HELLO knows whether it is still wanted
    Backoff hello_backoff_;         ///< between refusals
    std::map<std::uint64_t, StreamPtr> streams_;
    std::uint64_t pulls_ = 0;           ///< so far: each waits under a name of its own
    std::size_t outstanding_bytes_ = 0; ///< of all streams: sent and not given back as credit
    TaskGroup group_;
};

} // namespace methos::executor
