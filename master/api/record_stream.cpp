#include "master/api/record_stream.hpp"

#include <cassert>
#include <utility>

namespace methos::master {

std::string frame_record(const std::string& json) {
    return std::to_string(json.size()) + "\n" + json;
}

RecordStream::RecordStream(const asio::any_io_executor& executor,
                           RecordLimits limits,
                           std::shared_ptr<RecordBudget> budget,
                           const std::string& heartbeat,
                           std::function<void()> on_end)
    : limits_(limits), budget_(std::move(budget)), heartbeat_(frame_record(heartbeat)),
      on_end_(std::move(on_end)), signal_(executor) {}

RecordStream::~RecordStream() {
    abandon();
}

bool RecordStream::push(const std::string& json) {
    if (ended()) {
        return false;
    }
    auto record = frame_record(json);
    // One record alone always passes: a single large offer must not end a subscription.
    const bool full = records_.size() >= limits_.records_max ||
                      bytes_ + record.size() > limits_.bytes_max ||
                      budget_->bytes + record.size() > budget_->bytes_max;
    if (full && !records_.empty()) {
        return false;
    }
    bytes_ += record.size();
    budget_->bytes += record.size();
    records_.push_back(std::move(record));
    signal_.notify();
    return true;
}

void RecordStream::push_first(const std::string& json) {
    first_ = frame_record(json);
    signal_.notify();
}

void RecordStream::finish() {
    finished_ = true;
    signal_.notify();
}

void RecordStream::finish_with(const std::string& json) {
    if (ended()) {
        return;
    }
    forget_waiting();
    const bool queued = push(json);
    assert(queued);
    finish();
}

void RecordStream::cut() {
    forget_waiting();
    finish();
}

void RecordStream::forget_waiting() noexcept {
    budget_->bytes -= bytes_;
    bytes_ = 0;
    records_.clear();
}

awaitable<std::optional<std::string>> RecordStream::read() {
    for (;;) {
        const auto now = std::chrono::steady_clock::now();
        if (begun_ && !finished_ && now >= heartbeat_due_) {
            // Due also while events come without a pause: clients count heartbeats.
            heartbeat_due_ = now + limits_.heartbeat_interval;
            co_return heartbeat_;
        }
        if (!begun_ && (first_ || !records_.empty())) {
            begun_ = true;
            heartbeat_due_ = now + limits_.heartbeat_interval;
        }
        if (first_) {
            auto record = std::move(*first_);
            first_.reset();
            co_return record;
        }
        if (!records_.empty()) {
            auto record = std::move(records_.front());
            records_.pop_front();
            bytes_ -= record.size();
            budget_->bytes -= record.size();
            co_return record;
        }
        if (ended()) {
            co_return std::nullopt;
        }
        if (begun_) {
            (void)co_await signal_.wait_for(heartbeat_due_ - now);
        } else {
            co_await signal_.wait();
        }
    }
}

void RecordStream::abandon() noexcept {
    if (abandoned_) {
        return;
    }
    abandoned_ = true;
    forget_waiting();
    const auto on_end = std::exchange(on_end_, nullptr);
    if (on_end) {
        on_end();
    }
}

} // namespace methos::master
