#include "master/shell/log_streams.hpp"

#include "core/wire/mapping.hpp"

#include <vector>

namespace methos::master {

namespace {

constexpr std::size_t streams_max = 256;
constexpr std::uint32_t credit_bytes = 64 * 1024; ///< of one stream; the host bounds the sum

} // namespace

LogStreams::Stream::Stream(LogStreams& owner,
                           std::uint64_t number,
                           SessionNumber session,
                           std::shared_ptr<Signal> arrived)
    : owner_(owner), number_(number), session_(session), arrived_(std::move(arrived)) {}

LogStreams::Stream::~Stream() {
    owner_.streams_.erase(number_);
    if (!ended_) {
        wire::Frame frame;
        frame.mutable_stream_end()->set_stream(number_);
        owner_.send(session_, std::move(frame));
    }
}

std::optional<LogLine> LogStreams::Stream::take() {
    if (lines_.empty()) {
        return std::nullopt;
    }
    auto line = std::move(lines_.front());
    lines_.pop_front();
    credit_due_ += line.text.size() + wire::log_line_overhead_bytes;
    // Also when all is read: the host bounds the sum over its streams, and small debts of many stop
    // it.
    if (!ended_ && (credit_due_ >= credit_bytes / 2 || lines_.empty())) {
        wire::Frame frame;
        frame.mutable_stream_credit()->set_stream(number_);
        frame.mutable_stream_credit()->set_bytes(static_cast<std::uint32_t>(credit_due_));
        credit_due_ = 0;
        owner_.send(session_, std::move(frame));
    }
    return line;
}

std::optional<PullReport> LogStreams::Stream::take_report() {
    return std::exchange(report_, std::nullopt);
}

void LogStreams::on_send(Sender sender) {
    sender_ = std::move(sender);
}

void LogStreams::send(SessionNumber session, wire::Frame frame) {
    if (sender_ && !sender_(session, std::move(frame))) {
        on_host_gone(session);
    }
}

Result<std::shared_ptr<LogStreams::Stream>> LogStreams::open(SessionNumber session,
                                                             const LogRequest& request,
                                                             std::shared_ptr<Signal> arrived) {
    wire::StreamOpen open;
    open.set_task(request.task.value);
    open.set_follow(request.follow);
    open.set_tail(request.tail);
    open.set_since_ms(request.since_ms);
    open.set_timestamps(true);
    open.set_credit_bytes(credit_bytes);
    return start(session, std::move(open), std::move(arrived));
}

Result<std::shared_ptr<LogStreams::Stream>> LogStreams::open_pull(SessionNumber session,
                                                                  const std::string& image,
                                                                  bool force,
                                                                  std::shared_ptr<Signal> arrived) {
    const bool connected = hosts_.contains(session);
    if (connected && !hosts_.at(session)) {
        return Error(Code::Conflict,
                     "its methos-executor is of an older build, which cannot fetch images ahead of "
                     "their tasks; upgrade it");
    }
    wire::StreamOpen open;
    open.set_pull_image(image);
    open.set_force_pull(force);
    return start(session, std::move(open), std::move(arrived));
}

Result<std::shared_ptr<LogStreams::Stream>>
LogStreams::start(SessionNumber session, wire::StreamOpen open, std::shared_ptr<Signal> arrived) {
    if (streams_.size() >= streams_max) {
        return Error(Code::ResourceExhausted,
                     std::to_string(streams_max) +
                         " streams of logs and pulls are open already; close some and try again");
    }
    const auto number = ++opened_;
    open.set_stream(number);
    wire::Frame frame;
    *frame.mutable_stream_open() = std::move(open);
    auto stream = std::make_shared<Stream>(*this, number, session, std::move(arrived));
    streams_[number] = stream.get();
    if (!sender_ || !sender_(session, std::move(frame))) {
        stream->ended_ = true;
        return Error(Code::Unavailable,
                     "the host has no stream connection at the moment; try again");
    }
    return stream;
}

void LogStreams::on_host(SessionNumber session, bool pulls_images) {
    hosts_[session] = pulls_images;
}

LogStreams::Stream* LogStreams::find(SessionNumber session, std::uint64_t number) {
    const auto found = streams_.find(number);
    return found != streams_.end() && found->second->session_ == session ? found->second : nullptr;
}

void LogStreams::on_data(SessionNumber session, const wire::StreamData& data) {
    auto* stream = find(session, data.stream());
    if (stream == nullptr) {
        return;
    }
    for (const auto& line : data.lines()) {
        stream->lines_.push_back({line.time_ns(), line.channel() == 2, line.text()});
    }
    if (data.has_pull()) {
        PullReport report;
        report.message = data.pull().message();
        report.image_id = data.pull().image_id();
        if (data.pull().has_progress()) {
            if (const auto progress = wire::from_wire(data.pull().progress())) {
                report.progress = *progress;
            }
        }
        stream->report_ = std::move(report);
    }
    stream->answered_ = true;
    stream->arrived_->notify();
}

void LogStreams::on_end(SessionNumber session, const wire::StreamEnd& end) {
    auto* stream = find(session, end.stream());
    if (stream == nullptr) {
        return;
    }
    stream->answered_ = true;
    stream->ended_ = true;
    if (!end.error().empty()) {
        auto code = Code::Internal;
        for (const auto candidate : {Code::NotFound,
                                     Code::Unavailable,
                                     Code::Timeout,
                                     Code::Conflict,
                                     Code::Protocol,
                                     Code::InvalidInput,
                                     Code::ResourceExhausted}) {
            if (traits_of(candidate).name == end.code()) {
                code = candidate;
            }
        }
        stream->error_ = Error(code, end.error());
    }
    stream->arrived_->notify();
}

void LogStreams::on_host_gone(SessionNumber session) {
    hosts_.erase(session);
    for (const auto& [number, stream] : streams_) {
        if (stream->session_ == session && !stream->ended_) {
            stream->answered_ = true;
            stream->ended_ = true;
            stream->error_ = Error(Code::Unavailable, "the connection to the host was lost");
            stream->arrived_->notify();
        }
    }
}

} // namespace methos::master
