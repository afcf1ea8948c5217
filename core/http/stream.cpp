#include "core/http/stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

namespace methos::http {

namespace {

constexpr std::size_t sendfile_bytes_max = 512 * 1024; ///< one call; then others have their turn
constexpr std::size_t file_read_bytes = 64 * 1024;     ///< one piece where sendfile cannot be used

constexpr std::size_t refused_request_bytes_max = 16 * 1024;

constexpr std::string_view plain_http_answer = "HTTP/1.1 400 Bad Request\r\n"
                                               "Content-Type: text/plain\r\n"
                                               "Content-Length: 45\r\n"
                                               "Connection: close\r\n\r\n"
                                               "this port speaks TLS: ask by https, not http\n";

[[noreturn]] void throw_errno(const char* what) {
    throw boost::system::system_error(errno, boost::system::system_category(), what);
}

class PlainStream final : public Stream {
  public:
    explicit PlainStream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {
        socket_.non_blocking(true); // for sendfile
    }

    [[nodiscard]] bool is_tls() const noexcept override { return false; }

    awaitable<> handshake() override { co_return; }

    awaitable<std::size_t> read_some(asio::mutable_buffer buffer, ErrorCode& error) override {
        return socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    }

    void start_read(asio::mutable_buffer buffer, ReadHandler handler) override {
        socket_.async_read_some(buffer, std::move(handler));
    }

    awaitable<std::size_t> write(Pieces pieces) override {
        return asio::async_write(socket_, pieces, asio::use_awaitable);
    }

    awaitable<std::size_t>
    write_file(int descriptor, std::uint64_t offset, std::uint64_t length) override {
        const auto count = std::min<std::uint64_t>(length, sendfile_bytes_max);
        for (;;) {
            auto position = static_cast<off_t>(offset);
            const auto sent = ::sendfile(socket_.native_handle(), descriptor, &position, count);
            if (sent >= 0) {
                co_return static_cast<std::size_t>(sent);
            }
            if (errno != EAGAIN && errno != EINTR) {
                throw_errno("sendfile");
            }
            co_await socket_.async_wait(asio::socket_base::wait_write, asio::use_awaitable);
        }
    }

    awaitable<> shut_down() override {
        ErrorCode ignored; // the peer may be gone already
        socket_.shutdown(asio::socket_base::shutdown_send, ignored);
        co_return;
    }

  protected:
    asio::ip::tcp::socket& socket() noexcept override { return socket_; }

  private:
    asio::ip::tcp::socket socket_;
};

class TlsStream final : public Stream {
  public:
    TlsStream(asio::ip::tcp::socket socket, asio::ssl::context& context)
        : stream_(std::move(socket), context) {}

    [[nodiscard]] bool is_tls() const noexcept override { return true; }

    awaitable<> handshake() override {
        char first = 0;
        co_await stream_.next_layer().async_receive(
            asio::buffer(&first, 1), asio::socket_base::message_peek, asio::use_awaitable);
        if (first >= 'A' && first <= 'Z') { // "GET /"; a TLS record begins with its type, 22
            co_await refuse_plain_http();
        }
        co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    }

    awaitable<std::size_t> read_some(asio::mutable_buffer buffer, ErrorCode& error) override {
        return stream_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
    }

    void start_read(asio::mutable_buffer buffer, ReadHandler handler) override {
        stream_.async_read_some(buffer, std::move(handler));
    }

    awaitable<std::size_t> write(Pieces pieces) override {
        return asio::async_write(stream_, pieces, asio::use_awaitable);
    }

    awaitable<std::size_t>
    write_file(int descriptor, std::uint64_t offset, std::uint64_t length) override {
        std::vector<char> piece(std::min<std::uint64_t>(length, file_read_bytes));
        const auto got =
            ::pread(descriptor, piece.data(), piece.size(), static_cast<off_t>(offset));
        if (got < 0) {
            throw_errno("pread");
        }
        const auto bytes = asio::buffer(piece.data(), static_cast<std::size_t>(got));
        const auto written = co_await asio::async_write(stream_, bytes, asio::use_awaitable);
        co_return written;
    }

    awaitable<> shut_down() override {
        ErrorCode ignored; // many peers close without saying so
        co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
    }

  protected:
    asio::ip::tcp::socket& socket() noexcept override { return stream_.next_layer(); }

  private:
    /// Always throws. What has arrived is read first: closing over unread bytes resets the
    /// connection, and the answer would be lost.
    awaitable<> refuse_plain_http() {
        auto& plain = stream_.next_layer();
        std::vector<char> request(refused_request_bytes_max);
        co_await plain.async_read_some(asio::buffer(request), asio::use_awaitable);
        co_await asio::async_write(plain, asio::buffer(plain_http_answer), asio::use_awaitable);
        throw boost::system::system_error(asio::error::operation_not_supported,
                                          "plain HTTP on a port of TLS");
    }

    asio::ssl::stream<asio::ip::tcp::socket> stream_;
};

} // namespace

void Stream::cancel() noexcept {
    ErrorCode ignored; // a socket that is closed has nothing to cancel
    socket().cancel(ignored);
}

void Stream::close() noexcept {
    ErrorCode ignored;
    socket().close(ignored);
}

void Stream::reset() noexcept {
    ErrorCode ignored;
    socket().set_option(asio::socket_base::linger(true, 0), ignored);
    socket().close(ignored);
}

std::unique_ptr<Stream> make_stream(asio::ip::tcp::socket socket, asio::ssl::context* tls) {
    if (tls == nullptr) {
        return std::make_unique<PlainStream>(std::move(socket));
    }
    return std::make_unique<TlsStream>(std::move(socket), *tls);
}

} // namespace methos::http
