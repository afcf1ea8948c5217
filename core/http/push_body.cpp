// Bodies whose pieces others push: Server-Sent Events and followed logs.
#include "core/base/units.hpp"
#include "core/http/server.hpp"

namespace methos::http {

PushBody::PushBody(const asio::any_io_executor& executor, std::size_t bytes_max)
    : signal_(executor), bytes_max_(bytes_max) {}

bool PushBody::push(std::string piece) {
    if (finished_ || piece.empty()) {
        return !finished_;
    }
    if (queued_bytes_ + piece.size() > bytes_max_) {
        fail(Error(Code::ResourceExhausted,
                   "the reader is too slow: more than " +
                       format_bytes(static_cast<std::int64_t>(bytes_max_)) + " wait for it"));
        return false;
    }
    queued_bytes_ += piece.size();
    pieces_.push_back(std::move(piece));
    signal_.notify();
    return true;
}

void PushBody::finish() {
    finished_ = true;
    signal_.notify();
}

void PushBody::fail(Error error) {
    if (!finished_) {
        finished_ = true;
        error_ = std::move(error);
        signal_.notify();
    }
}

void PushBody::abandon() noexcept {
    finished_ = true;
    pieces_.clear();
    queued_bytes_ = 0;
}

bool PushBody::closed() const noexcept {
    return finished_;
}

awaitable<std::optional<std::string>> PushBody::read() {
    while (pieces_.empty() && !finished_) {
        co_await signal_.wait();
    }
    if (!pieces_.empty()) {
        auto piece = std::move(pieces_.front());
        pieces_.pop_front();
        queued_bytes_ -= piece.size();
        co_return piece;
    }
    if (error_) {
        throw Failure(*error_);
    }
    co_return std::nullopt;
}

} // namespace methos::http
