#include "executor/session/log_streams.hpp"

#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "core/wire/features.hpp"
#include "executor/race.hpp"
#include "executor/session/image_request.hpp"
#include "executor/streams/log_reader.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr std::size_t chunk_bytes_max = wire::stream_chunk_bytes_max / 2;  // the rest: times, tags
constexpr std::size_t chunk_bytes_min = 2 * wire::log_line_overhead_bytes; // a line with some text
constexpr std::size_t outstanding_bytes_max = wire::stream_credit_bytes_max;
constexpr int chunk_lines_max = 500; // also bounds what empty lines cost
constexpr std::size_t streams_max = 256;
constexpr BackoffPolicy hello_again{std::chrono::seconds(1), std::chrono::seconds(30), 2.0, 0.2};
constexpr Duration credit_limit = std::chrono::minutes(10); // nobody reads any more
constexpr Duration newest_line_limit = std::chrono::seconds(10);

docker::UnixNanos nanos_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// What a line takes of the credit, as the master gives it back.
std::size_t cost_of(const std::string& text) {
    return text.size() + wire::log_line_overhead_bytes;
}

} // namespace

struct LogStreams::Stream {
    Stream(const asio::any_io_executor& executor, const wire::StreamOpen& open)
        : id(open.stream()), task(open.task()), image(open.pull_image()),
          force_pull(open.force_pull()), credit(open.credit_bytes()), wake(executor),
          over(executor) {
        if (credit > 0) {
            chunk_bytes = std::clamp(credit, chunk_bytes_min, chunk_bytes);
        }
        query.follow = open.follow();
        query.timestamps = true;
        constexpr std::int64_t nanos_per_ms = 1'000'000;
        query.since = open.since_ms() * nanos_per_ms;
        if (open.tail() >= 0) {
            query.tail = open.tail();
        }
    }

    std::uint64_t id;
    std::string task;
    std::string image; ///< not empty: that is to be fetched, and no log is read
    bool force_pull = false;
    docker::LogQuery query;
    std::size_t credit;                        ///< bytes that may be sent, counted by cost_of()
    std::size_t chunk_bytes = chunk_bytes_max; ///< less when the credit at open was less
    std::size_t outstanding = 0;               ///< bytes sent and not given back
    docker::UnixNanos after = 0;               ///< lines up to then were told before
    docker::UnixNanos told_until = 0;          ///< the last line's time
    MonoTime quiet_since{};                    ///< while it waits for lines
    bool waits_for_lines = false;              ///< not for credit
    bool stalled = false;                      ///< the follow misses lines
    Signal wake;                               ///< credit came
    Gate over;                                 ///< the master wants no more
};

LogStreams::LogStreams(const asio::any_io_executor& executor,
                       docker::Engine& engine,
                       const TaskRunner& runner,
                       ImagePuller& images,
                       SessionOptions options,
                       Duration stall_limit)
    : executor_(executor), engine_(engine), runner_(runner), images_(images),
      options_(std::move(options)), stall_limit_(stall_limit),
      hello_backoff_(hello_again, system_uniform()),
      group_(executor, [](const std::string& child, const Error& error) {
          log::failure("a log stream ended unexpectedly", error, {{"stream", child}});
      }) {}

LogStreams::~LogStreams() = default;

void LogStreams::open(const wire::SessionMark& control, const std::string& address) {
    close();
    mark_ = control;
    address_ = address;
    connect();
}

void LogStreams::close() {
    end_all();
    client_.reset();
    ++connections_;
    mark_ = wire::SessionMark();
}

awaitable<> LogStreams::stop() {
    close();
    group_.stop();
    co_await group_.join();
}

void LogStreams::connect() {
    bus::ClientOptions options;
    options.address = address_;
    options.server_key = options_.token.server_key;
    options.keys = options_.identity.curve;
    bus::BusClient::Handlers handlers;
    handlers.on_frame = [this](const std::string& bytes) { take(bytes); };
    handlers.on_connected = [this] {
        ++connections_;
        say_hello();
    };
    handlers.on_disconnected = [this](const std::string&) {
        ++connections_;
        end_all(); // ZeroMQ connects again
    };
    client_ = std::make_unique<bus::BusClient>(executor_, std::move(options), std::move(handlers));
}

void LogStreams::say_hello() {
    auto frame = wire::make_frame(wire::SessionMark());
    auto& hello = *frame.mutable_hello();
    hello.set_protocol_min(wire::protocol_version);
    hello.set_protocol_max(wire::protocol_version);
    hello.set_build(options_.build);
    hello.set_connection(wire::Hello::STREAM);
    hello.add_features(std::string(wire::feature_pull_image));
    hello.set_join_secret(options_.token.secret);
    hello.set_host_key(options_.identity.key);
    hello.mutable_host()->set_id(options_.identity.id.value);
    hello.set_control_session(mark_.session);
    send(frame);
}

/// The refusal may pass (our session was not open yet, or is about to be replaced).
void LogStreams::say_hello_later() {
    group_.spawn("stream hello", run_hello_later(++connections_));
}

awaitable<> LogStreams::run_hello_later(std::uint64_t connection) {
    const auto pause = hello_backoff_.next();
    co_await sleep_for(pause);
    if (connections_ == connection) {
        say_hello();
    }
}

void LogStreams::take(const std::string& bytes) {
    const auto frame = wire::parse_frame(bytes);
    if (!frame) {
        log::limited("stream frame",
                     "the master sent a frame that is not one",
                     {{"why", frame.error().to_string()}});
        return;
    }
    if (frame->has_refused()) {
        log::limited("stream refused",
                     "the master refuses the stream connection",
                     {{"why", frame->refused().message()}});
        end_all();
        say_hello_later();
        return;
    }
    if (frame->has_welcome()) {
        hello_backoff_.reset();
    }
    if (frame->session() != mark_.session) {
        return; // of an old session
    }
    if (frame->has_stream_open()) {
        take_open(frame->stream_open());
    } else if (frame->has_stream_credit()) {
        const auto found = streams_.find(frame->stream_credit().stream());
        if (found != streams_.end()) {
            auto& stream = *found->second;
            const std::size_t given = frame->stream_credit().bytes();
            const auto settled = std::min(given, stream.outstanding);
            stream.outstanding -= settled;
            outstanding_bytes_ -= settled;
            stream.credit = std::min(stream.credit + given, outstanding_bytes_max);
            for (const auto& [id, waiting] : streams_) {
                waiting->wake.notify();
            }
        }
    } else if (frame->has_stream_end()) {
        const auto found = streams_.find(frame->stream_end().stream());
        if (found != streams_.end()) {
            found->second->over.open();
            found->second->wake.notify();
        }
    }
}

void LogStreams::take_open(const wire::StreamOpen& open) {
    if (streams_.contains(open.stream())) {
        return; // said twice
    }
    if (streams_.size() >= streams_max) {
        send_end(
            open.stream(), "resource_exhausted", "too many log streams and pulls of this host");
        return;
    }
    auto stream = std::make_shared<Stream>(executor_, open);
    stream->credit = std::min(stream->credit, outstanding_bytes_max);
    streams_.emplace(stream->id, stream);
    group_.spawn(stream->image.empty() ? stream->task : stream->image, serve(stream));
}

void LogStreams::end_all() {
    for (const auto& [id, stream] : std::exchange(streams_, {})) {
        stream->over.open();
        stream->wake.notify();
    }
    outstanding_bytes_ = 0;
}

awaitable<> LogStreams::serve(StreamPtr stream) {
    Error problem;
    bool failed = false;
    try {
        if (stream->image.empty()) {
            co_await copy_logs(stream);
        } else {
            co_await pull_image(stream);
        }
    } catch (const std::exception&) {
        problem = error_of_current_exception();
        failed = true;
        if (problem.code == Code::Cancelled) {
            throw;
        }
    }
    const auto mine = streams_.find(stream->id);
    if (mine == streams_.end() || mine->second != stream) {
        co_return; // the connection is another by now
    }
    streams_.erase(mine);
    outstanding_bytes_ -= stream->outstanding;
    for (const auto& [id, waiting] : streams_) {
        waiting->wake.notify();
    }
    if (failed) {
        send_end(stream->id, std::string(traits_of(problem.code).name), problem.to_string());
    } else {
        send_end(stream->id, "", "");
    }
}

awaitable<> LogStreams::copy_logs(StreamPtr stream) {
    const auto container = runner_.container_of(TaskName(stream->task));
    if (container.empty()) {
        throw Failure(Code::NotFound, "no container of task " + stream->task + " on this host");
    }
    const auto seen = co_await engine_.inspect_container(container);
    if (!seen) {
        throw Failure(seen.error().to_error());
    }
    const bool tty = seen->tty;
    auto unwanted = stream->over.wait(); // a follower may wait long for its next line
    if (stream->query.follow) {
        auto following = follow_log(stream, container, tty);
        co_await race(std::move(following), std::move(unwanted));
    } else {
        auto sending = send_log(stream, container, tty);
        co_await race(std::move(sending), std::move(unwanted));
    }
}

/// Until it is here, or nobody wants it any more.
awaitable<> LogStreams::pull_image(StreamPtr stream) {
    ImageRequest request;
    request.who = "an operator's request " + std::to_string(++pulls_);
    request.image = stream->image;
    request.force = stream->force_pull;
    ReportPull report = [this, stream](const wire::PullReport& told) {
        if (stream->over.is_open()) {
            return; // the connection may be another by now
        }
        auto frame = start_data(*stream);
        *frame.mutable_stream_data()->mutable_pull() = told;
        send(frame);
    };
    auto bringing = bring_image(images_, std::move(request), std::move(report));
    auto unwanted = stream->over.wait();
    co_await race(std::move(bringing), std::move(unwanted));
}

/// To the end of the log, opened again where it stalls.
awaitable<> LogStreams::follow_log(StreamPtr stream, std::string container, bool tty) {
    stream->told_until = nanos_of(clock_.now().wall); // of a log without lines
    for (;;) {
        stream->stalled = false;
        auto sending = send_log(stream, container, tty);
        auto watching = watch_for_stall(stream, container, tty);
        co_await race(std::move(sending), std::move(watching));
        if (!stream->stalled) {
            co_return;
        }
        log::info("a followed log has stalled; opening it again", {{"task", stream->task}});
        stream->after = stream->told_until;
        stream->query.since = stream->told_until;
        stream->query.tail.reset();
    }
}

awaitable<> LogStreams::send_log(StreamPtr stream, std::string container, bool tty) {
    const auto body = co_await engine_.logs(container, stream->query);
    if (!body) {
        throw Failure(body.error().to_error());
    }
    streams::LogFormat format;
    format.tty = tty;
    streams::LogReader reader(*body, format, stream->after);
    if (stream->query.follow) {
        reader.leave_out_repeated(clock_);
    }
    co_await send_all(stream, reader);
}

/// Returns when the log has a line that the follow should have told: json-file's rotation may leave
/// a follower behind for ever (docker-engine.md 3.25).
awaitable<> LogStreams::watch_for_stall(StreamPtr stream, std::string container, bool tty) {
    while (!stream->stalled) {
        co_await sleep_for(stall_limit_);
        const auto quiet = clock_.now().mono - stream->quiet_since;
        if (!stream->waits_for_lines || quiet < stall_limit_) {
            continue;
        }
        const auto newest = co_await newest_line(container, tty);
        stream->stalled = stream->waits_for_lines && newest > stream->told_until;
    }
}

/// The time of the log's last line; 0 when there is none, or no answer.
awaitable<docker::UnixNanos> LogStreams::newest_line(std::string container, bool tty) {
    docker::LogQuery query;
    query.tail = 1;
    streams::LogFormat format;
    format.tty = tty;
    docker::UnixNanos newest = 0;
    try {
        const auto body = co_await engine_.logs(container, query);
        if (!body) {
            co_return 0;
        }
        streams::LogReader reader(*body, format);
        for (;;) {
            auto reading = reader.read();
            const auto lines =
                co_await with_timeout(std::move(reading), newest_line_limit, "the log's last line");
            if (lines.empty()) {
                co_return newest;
            }
            newest = std::max(newest, lines.back().time);
        }
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        log::limited("log-stall",
                     "whether a followed log has stalled is not known; asking again",
                     {{"container", container}, {"why", failure.error().to_string()}});
    }
    co_return newest;
}

awaitable<> LogStreams::send_all(StreamPtr stream, streams::LogReader& reader) {
    for (;;) {
        stream->quiet_since = clock_.now().mono;
        stream->waits_for_lines = true;
        const auto lines = co_await reader.read();
        stream->waits_for_lines = false;
        if (lines.empty()) {
            co_return;
        }
        auto frame = start_data(*stream);
        std::size_t bytes = 0;
        for (const auto& line : lines) {
            // What is longer than a chunk goes as several lines of the same time.
            const auto text_bytes_max = stream->chunk_bytes - wire::log_line_overhead_bytes;
            std::size_t from = 0;
            do {
                const auto text = line.text.substr(from, text_bytes_max);
                const int lines_so_far = frame.stream_data().lines_size();
                // What fits is sent before what has to wait for credit.
                const auto room = std::min(stream->chunk_bytes, room_of(*stream));
                if (lines_so_far > 0 &&
                    (bytes + cost_of(text) > room || lines_so_far >= chunk_lines_max)) {
                    co_await send_data(stream, std::move(frame), bytes);
                    frame = start_data(*stream);
                    bytes = 0;
                }
                auto& out = *frame.mutable_stream_data()->add_lines();
                out.set_time_ns(line.time);
                out.set_channel(line.channel == docker::Channel::Err ? 2 : 1);
                out.set_text(text);
                bytes += cost_of(text);
                from += text.size();
            } while (from < line.text.size());
        }
        co_await send_data(stream, std::move(frame), bytes);
        stream->told_until = lines.back().time;
    }
}

wire::Frame LogStreams::start_data(const Stream& stream) const {
    auto frame = wire::make_frame(mark_);
    frame.mutable_stream_data()->set_stream(stream.id);
    return frame;
}

/// Bytes that may be sent now: its own credit, within what all streams of this host may have under
/// way. A stream that has nothing under way may always send one chunk: a reader that merges streams
/// by time waits for each of them, and would wait for ever for one that the others starve.
std::size_t LogStreams::room_of(const Stream& stream) const {
    const auto left = outstanding_bytes_max - std::min(outstanding_bytes_, outstanding_bytes_max);
    const auto own = stream.outstanding == 0 ? stream.chunk_bytes : 0;
    return std::min(stream.credit, std::max(left, own));
}

/// Waits until there is credit for all of it.
awaitable<> LogStreams::send_data(StreamPtr stream, wire::Frame frame, std::size_t bytes) {
    while (bytes > room_of(*stream)) {
        const bool woken = co_await stream->wake.wait_for(credit_limit);
        if (!woken) {
            throw Failure(Code::Timeout, "nobody has read this log for 10 minutes");
        }
    }
    stream->credit -= std::min(stream->credit, bytes);
    stream->outstanding += bytes;
    outstanding_bytes_ += bytes;
    send(frame);
}

void LogStreams::send_end(std::uint64_t stream,
                          const std::string& code,
                          const std::string& message) {
    auto frame = wire::make_frame(mark_);
    auto& end = *frame.mutable_stream_end();
    end.set_stream(stream);
    end.set_code(code);
    end.set_error(wire::clean_text(message));
    send(frame);
}

void LogStreams::send(const wire::Frame& frame) {
    if (client_ && !client_->send(wire::serialize(frame))) {
        log::limited("stream queue", "the queue of the stream connection is full", {});
        end_all();
    }
}

} // namespace methos::executor
