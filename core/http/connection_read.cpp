// The reading half of a connection: heads, bodies, what comes early, and what is thrown away.
#include "core/http/connection.hpp"

#include "core/base/units.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstring>

namespace methos::http {

namespace {

constexpr std::size_t idle_input_bytes = 1024;         ///< kept by a connection without a request
constexpr std::size_t body_input_bytes = 64 * 1024;    ///< one read of a body
constexpr std::size_t discarded_bytes_max = 64 * 1024; ///< of a body nobody wanted
constexpr Duration discard_limit = std::chrono::seconds(2);
constexpr Duration linger_pause = std::chrono::seconds(5);  ///< between two reads of it
constexpr Duration linger_limit = std::chrono::seconds(30); ///< of all of it
constexpr std::size_t linger_bytes_max = 64 * 1024 * 1024;

} // namespace

/// Makes room for `bytes` behind what is not parsed yet.
void Connection::make_room(std::size_t bytes) {
    const auto unparsed = input_end_ - input_begin_;
    if (input_begin_ > 0) {
        std::memmove(input_.data(), input_.data() + input_begin_, unparsed);
        input_begin_ = 0;
        input_end_ = unparsed;
    }
    if (input_.size() < unparsed + bytes) {
        input_.resize(unparsed + bytes);
    }
}

/// Receives more input; false when there is none to come (end, error, or a deadline: expired_).
awaitable<bool> Connection::fill(std::size_t bytes) {
    if (reading_ahead_) {
        while (reading_ahead_) {
            co_await ahead_done_.wait();
        }
        co_return !peer_gone_ && input_end_ > input_begin_;
    }
    if (peer_gone_) {
        co_return false;
    }
    make_room(bytes);
    const auto room = asio::buffer(input_.data() + input_end_, input_.size() - input_end_);
    read_error_ = {};
    const auto got = co_await stream_->read_some(room, read_error_);
    input_end_ += got;
    co_return !read_error_ && got > 0;
}

/// Keeps one read going while an answer is streamed, to see the peer go away. What it brings is
/// the next request's.
void Connection::read_ahead() {
    if (reading_ahead_ || peer_gone_ || input_end_ > input_begin_) {
        return;
    }
    make_room(idle_input_bytes);
    reading_ahead_ = true;
    const auto room = asio::buffer(input_.data() + input_end_, input_.size() - input_end_);
    stream_->start_read(
        room,
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
            self->reading_ahead_ = false;
            self->input_end_ += bytes;
            self->peer_gone_ = self->peer_gone_ || error;
            self->ahead_done_.notify();
            // A peer that only half closes may still want an answer that will end.
            const bool gone = error && (self->endless_ || error != asio::error::eof);
            if (gone && self->streaming_) {
                self->cancel_.emit(asio::cancellation_type::terminal);
            }
        });
}

/// Reads one request's head into parser_; false when the connection has ended instead. Throws
/// Failure with a status as its cause when the head is refused.
awaitable<bool> Connection::read_head() {
    parser_.emplace(context_->options.header_bytes_max);
    enter(Phase::Idle, context_->options.idle_limit);
    if (input_begin_ == input_end_) {
        if (!reading_ahead_ && input_.capacity() > 2 * idle_input_bytes) {
            input_ = std::string();
            input_begin_ = input_end_ = 0;
        }
        const bool more = co_await fill(idle_input_bytes);
        if (!more) {
            co_return false;
        }
    }
    begun_ = std::chrono::steady_clock::now();
    enter(Phase::Head, context_->options.header_limit);
    for (;;) {
        const auto used =
            parser_->put(std::string_view(input_.data() + input_begin_, input_end_ - input_begin_));
        if (!used) {
            throw Failure(used.error());
        }
        input_begin_ += *used;
        if (parser_->head_complete()) {
            co_return true;
        }
        const bool more = co_await fill(std::max(idle_input_bytes, input_end_ - input_begin_));
        if (!more && expired_) {
            throw Failure(Error(Code::Timeout,
                                "the head of the request did not arrive within " +
                                    format_duration(context_->options.header_limit),
                                Cause{Cause::Kind::Http, 408}));
        }
        if (!more) {
            co_return false;
        }
    }
}

awaitable<> Connection::send_continue() {
    constexpr std::string_view head = "HTTP/1.1 100 Continue\r\n\r\n";
    continue_wanted_ = false;
    Stream::Pieces pieces{asio::buffer(head.data(), head.size())};
    co_await send_bytes(pieces);
}

/// Receives more of the body's bytes; throws Failure when they do not come.
awaitable<> Connection::receive_body() {
    if (input_end_ - input_begin_ > context_->options.header_bytes_max) {
        throw broken_body(400, Code::InvalidInput, "the head of a chunk is too long");
    }
    if (continue_wanted_) {
        co_await send_continue();
    }
    enter(Phase::Body, context_->options.body_limit);
    const bool more = co_await fill(body_input_bytes);
    const bool expired = expired_;
    enter(Phase::Busy, std::nullopt);
    if (!more && expired) {
        throw broken_body(408,
                          Code::Timeout,
                          "no byte of the body arrived for " +
                              format_duration(context_->options.body_limit));
    }
    if (!more) {
        throw broken_body(400, Code::Protocol, "the caller went away in the middle of the body");
    }
}

/// The failure of a body, whose status is remembered for the answer.
Failure Connection::broken_body(int status, Code code, std::string why) {
    body_error_status_ = status;
    return Failure(Error(code, std::move(why), Cause{Cause::Kind::Http, status}));
}

/// The next bytes of the request's body, nothing at its end.
awaitable<std::optional<std::string>> Connection::read_body() {
    for (;;) {
        auto piece = parser_->take_body();
        body_bytes_ += piece.size();
        if (body_bytes_ > route_->body_bytes_max) {
            throw broken_body(413,
                              Code::ResourceExhausted,
                              "the body is larger than " +
                                  format_bytes(static_cast<std::int64_t>(route_->body_bytes_max)));
        }
        if (!piece.empty()) {
            co_return piece;
        }
        if (parser_->complete()) {
            co_return std::nullopt;
        }
        const auto used =
            parser_->put(std::string_view(input_.data() + input_begin_, input_end_ - input_begin_));
        if (!used) {
            throw broken_body(400, used.error().code, used.error().message);
        }
        input_begin_ += *used;
        if (*used == 0) {
            co_await receive_body();
        }
    }
}

awaitable<std::string> Connection::read_whole_body() {
    std::string whole;
    for (;;) {
        auto piece = co_await read_body();
        if (!piece) {
            co_return whole;
        }
        if (whole.empty()) {
            whole = std::move(*piece);
        } else {
            whole += *piece;
        }
    }
}

/// Whether the unread rest of the body is worth reading for the sake of the connection.
bool Connection::rest_is_small() const {
    if (!parser_->head_complete() || parser_->complete()) {
        return parser_->head_complete();
    }
    const auto length = parser_->content_length();
    return length && !continue_wanted_ && !body_error_status_ &&
           *length <= body_bytes_ + discarded_bytes_max;
}

/// Reads away the rest of a small body, so that the connection can go on; false: it cannot.
awaitable<bool> Connection::discard_body() {
    enter(Phase::Linger, discard_limit);
    while (!parser_->complete()) {
        const auto used =
            parser_->put(std::string_view(input_.data() + input_begin_, input_end_ - input_begin_));
        if (!used) {
            co_return false;
        }
        input_begin_ += *used;
        parser_->take_body().clear();
        if (*used == 0) {
            const bool more = co_await fill(body_input_bytes);
            if (!more) {
                co_return false;
            }
        }
    }
    co_return true;
}

/// Closes so that the peer can still read the answer: a close with unread input is a reset, and
/// most clients send all of their body before they look for an answer.
awaitable<> Connection::linger() {
    const auto end = std::chrono::steady_clock::now() + linger_limit;
    enter(Phase::Linger, linger_pause);
    co_await stream_->shut_down();
    if (parser_->head_complete() && parser_->complete()) {
        co_return;
    }
    std::size_t discarded = 0;
    bool more = true;
    while (more && discarded < linger_bytes_max && std::chrono::steady_clock::now() < end) {
        enter(Phase::Linger, linger_pause);
        input_begin_ = input_end_ = 0;
        more = co_await fill(body_input_bytes);
        discarded += input_end_;
    }
}

awaitable<std::optional<std::string>> RequestBody::read() {
    if (!connection_) {
        throw Failure(Code::Cancelled, "the request has been answered already");
    }
    return read_from(connection_);
}

awaitable<std::optional<std::string>>
RequestBody::read_from(std::shared_ptr<Connection> connection) {
    struct InUse {
        Connection& connection;

        explicit InUse(Connection& c) : connection(c) { connection.body_in_use_ = true; }

        InUse(const InUse&) = delete;
        InUse& operator=(const InUse&) = delete;

        ~InUse() {
            connection.body_in_use_ = false;
            connection.body_free_.notify();
        }
    };

    const InUse in_use(*connection);
    auto piece = co_await connection->read_body();
    co_return piece;
}

} // namespace methos::http
