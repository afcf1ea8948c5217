// The writing half of a connection: heads, whole bodies, streams, files.
#include "core/http/connection.hpp"

#include <boost/asio/post.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace methos::http {

namespace {

constexpr std::size_t slice_bytes_max = 256 * 1024; ///< written under one deadline

/// Closes the descriptor of a FileBody, sent or not.
class OwnedDescriptor {
  public:
    explicit OwnedDescriptor(int number) : number_(number) {}

    OwnedDescriptor(const OwnedDescriptor&) = delete;
    OwnedDescriptor& operator=(const OwnedDescriptor&) = delete;

    ~OwnedDescriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }

  private:
    int number_;
};

/// Tells a reader that nobody will read on, however the sending ends.
class Abandoning {
  public:
    explicit Abandoning(std::shared_ptr<BodyReader> body) : body_(std::move(body)) {}

    Abandoning(const Abandoning&) = delete;
    Abandoning& operator=(const Abandoning&) = delete;

    ~Abandoning() {
        if (body_) {
            body_->abandon();
        }
    }

  private:
    std::shared_ptr<BodyReader> body_;
};

/// "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n", made once a second.
const std::string& date_line() {
    thread_local std::time_t made_at = 0;
    thread_local std::string line;
    const auto now = std::time(nullptr);
    if (now != made_at) {
        std::tm parts{};
        ::gmtime_r(&now, &parts);
        std::array<char, 64> text{};
        const auto length =
            std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        line.assign(text.data(), length);
        made_at = now;
    }
    return line;
}

bool is_framing(std::string_view name) {
    return iequals(name, "Content-Length") || iequals(name, "Transfer-Encoding") ||
           iequals(name, "Connection") || iequals(name, "X-Request-Id");
}

void append_field(std::string& head, const std::string& name, const std::string& value) {
    if (name.empty() || name.find_first_of(":\r\n ") != std::string::npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        throw Failure(Code::Internal, "the header \"" + name + "\" of an answer is malformed");
    }
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
}

bool has_no_body(int status) {
    return status < 200 || status == 204 || status == 304;
}

std::string content_length(std::uint64_t length) {
    return "Content-Length: " + std::to_string(length) + "\r\n";
}

} // namespace

std::string Connection::make_head(const Response& response, const std::string& framing) const {
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += reason_phrase(response.status);
    head += "\r\n";
    head += date_line();
    append_field(head, "Server", context_->options.server_name);
    append_field(head, "X-Request-Id", current_.request_id);
    for (const auto& [name, value] : context_->options.always.fields()) {
        append_field(head, name, value);
    }
    for (const auto& [name, value] : response.headers.fields()) {
        if (!is_framing(name)) {
            append_field(head, name, value);
        }
    }
    head += framing;
    if (!keep_alive_) {
        head += "Connection: close\r\n";
    } else if (parser_->is_http_1_0()) {
        head += "Connection: keep-alive\r\n";
    }
    head += "\r\n";
    return head;
}

awaitable<> Connection::send(Response response) {
    const OwnedDescriptor descriptor(response.file ? response.file->descriptor : -1);
    const Abandoning body(response.stream);
    const bool is_head = current_.method == "HEAD";
    const bool chunked = response.stream && !response.stream_length && !parser_->is_http_1_0();
    if (response.stream && !response.stream_length && !chunked) {
        keep_alive_ = false; // HTTP/1.0: the body ends with the connection
    }
    const auto asked = response.headers.get("Connection");
    if (asked && iequals(*asked, "close")) {
        keep_alive_ = false;
    }
    std::string framing;
    if (has_no_body(response.status)) {
        response.body.clear();
    } else if (response.stream && response.stream_length) {
        framing = content_length(*response.stream_length);
    } else if (chunked) {
        framing = "Transfer-Encoding: chunked\r\n";
    } else if (response.file) {
        framing = content_length(response.file->length);
    } else if (!response.stream) {
        const auto own = response.headers.get("Content-Length"); // of a body that HEAD leaves out
        framing = is_head && own && response.body.empty() ? "Content-Length: " + *own + "\r\n"
                                                          : content_length(response.body.size());
    }
    auto head = make_head(response, framing);
    if (is_head || has_no_body(response.status)) {
        co_await send_whole(std::move(head), std::string());
    } else if (response.stream) {
        co_await send_head(std::move(head));
        co_await send_stream(std::move(response.stream), response.stream_length, chunked);
    } else if (response.file) {
        co_await send_head(std::move(head));
        co_await send_file(*response.file);
    } else {
        co_await send_whole(std::move(head), std::move(response.body));
    }
}

/// Writes under the write limit.
awaitable<> Connection::send_bytes(Stream::Pieces pieces) {
    write_deadline_ = std::chrono::steady_clock::now() + context_->options.write_limit;
    (void)co_await stream_->write(pieces);
    write_deadline_ = MonoTime::max();
}

awaitable<> Connection::send_head(std::string head) {
    Stream::Pieces pieces{asio::buffer(head)};
    co_await send_bytes(pieces);
}

/// Head and body, in slices, so that a slow peer only has to take one slice in time.
awaitable<> Connection::send_whole(std::string head, std::string body) {
    std::size_t sent = std::min(body.size(), slice_bytes_max);
    Stream::Pieces first{asio::buffer(head), asio::buffer(body.data(), sent)};
    co_await send_bytes(first);
    while (sent < body.size()) {
        const auto count = std::min(body.size() - sent, slice_bytes_max);
        Stream::Pieces slice{asio::buffer(body.data() + sent, count)};
        co_await send_bytes(slice);
        sent += count;
    }
    bytes_sent_ = body.size();
}

/// The next piece of an answer's source. When the source breaks, the failure is left for the log
/// and the peer is made to see a broken transfer.
awaitable<std::optional<std::string>> Connection::read_for_answer(
    std::shared_ptr<BodyReader> body, std::optional<std::uint64_t> length, bool chunked) {
    try {
        auto piece = co_await body->read();
        const auto total = bytes_sent_ + (piece ? piece->size() : 0);
        if (length && (total > *length || (!piece && total < *length))) {
            throw Failure(Code::Internal,
                          "an answer of " + std::to_string(*length) + " bytes got " +
                              std::to_string(total) + (piece ? " or more" : ""));
        }
        co_return piece;
    } catch (...) {
        if (!length && !chunked) {
            stream_->reset(); // a plain close would look like the body's end
        }
        throw;
    }
}

awaitable<> Connection::send_piece(std::string_view piece, bool chunked) {
    if (chunked) {
        std::array<char, 20> size{};
        const auto end = std::to_chars(size.data(), size.data() + 16, piece.size(), 16).ptr;
        std::copy_n("\r\n", 2, end);
        const auto size_bytes = static_cast<std::size_t>(end - size.data()) + 2;
        constexpr std::string_view line_end = "\r\n";
        Stream::Pieces pieces{asio::buffer(size.data(), size_bytes),
                              asio::buffer(piece.data(), piece.size()),
                              asio::buffer(line_end.data(), line_end.size())};
        co_await send_bytes(pieces);
    } else {
        Stream::Pieces pieces{asio::buffer(piece.data(), piece.size())};
        co_await send_bytes(pieces);
    }
    bytes_sent_ += piece.size();
}

awaitable<> Connection::send_stream(std::shared_ptr<BodyReader> body,
                                    std::optional<std::uint64_t> length,
                                    bool chunked) {
    struct Mark {
        bool& flag;

        Mark(bool& f, bool value) : flag(f) { flag = value; }

        Mark(const Mark&) = delete;
        Mark& operator=(const Mark&) = delete;

        ~Mark() { flag = false; }
    };

    const Mark streaming(streaming_, true);
    const Mark endless(endless_, !length);
    const bool watched = parser_->complete();
    for (;;) {
        if (watched) {
            read_ahead();
        }
        auto piece = co_await read_for_answer(body, length, chunked);
        if (!piece) {
            break;
        }
        for (std::size_t begin = 0; begin < piece->size(); begin += slice_bytes_max) {
            const auto count = std::min(piece->size() - begin, slice_bytes_max);
            co_await send_piece(std::string_view(*piece).substr(begin, count), chunked);
        }
    }
    if (chunked) {
        constexpr std::string_view last = "0\r\n\r\n";
        Stream::Pieces pieces{asio::buffer(last.data(), last.size())};
        co_await send_bytes(pieces);
    }
}

awaitable<> Connection::send_file(FileBody file) {
    std::uint64_t sent = 0;
    while (sent < file.length) {
        write_deadline_ = std::chrono::steady_clock::now() + context_->options.write_limit;
        const auto count =
            co_await stream_->write_file(file.descriptor, file.offset + sent, file.length - sent);
        write_deadline_ = MonoTime::max();
        if (count == 0) {
            throw Failure(Code::Internal,
                          "the file ended " + std::to_string(file.length - sent) +
                              " bytes too early");
        }
        sent += count;
        bytes_sent_ = sent;
        co_await asio::post(context_->executor, asio::use_awaitable); // others have their turn
    }
}

} // namespace methos::http
