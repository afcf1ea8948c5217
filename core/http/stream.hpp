// A connected byte stream of the HTTP server: TCP, or TLS over TCP, behind one face, so that
// everything above it is compiled once. Owned by one Connection; used on the loop only.
#pragma once

#include "core/runtime/async.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio::ssl {
class context;
}

namespace methos::http {

class Stream {
  public:
    using ErrorCode = boost::system::error_code;
    using Pieces = std::array<asio::const_buffer, 3>;
    using ReadHandler = std::function<void(const ErrorCode& error, std::size_t bytes)>;

    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    [[nodiscard]] virtual bool is_tls() const noexcept = 0;
    /// Throws system_error when the peer does not speak TLS; one that speaks plain HTTP instead is
    /// told so in an answer of its own kind. Nothing to do on plain TCP.
    [[nodiscard]] virtual awaitable<> handshake() = 0;
    /// At least one byte, or `error` (eof at the end of input). Buffer and error outlive the await.
    [[nodiscard]] virtual awaitable<std::size_t> read_some(asio::mutable_buffer buffer,
                                                           ErrorCode& error) = 0;
    /// The same without a coroutine: a read that goes on beside writes.
    virtual void start_read(asio::mutable_buffer buffer, ReadHandler handler) = 0;
    /// Writes all of it, or throws system_error.
    [[nodiscard]] virtual awaitable<std::size_t> write(Pieces pieces) = 0;
    /// Writes up to `length` bytes of an open file; returns how many, 0 at the file's end. Throws
    /// system_error.
    [[nodiscard]] virtual awaitable<std::size_t>
    write_file(int descriptor, std::uint64_t offset, std::uint64_t length) = 0;
    /// Says that nothing more will be written.
    [[nodiscard]] virtual awaitable<> shut_down() = 0;

    /// Ends pending operations with operation_aborted; the stream stays open.
    void cancel() noexcept;
    void close() noexcept;
    /// Closes so that the peer sees a reset: a body that ends at the connection's end was cut.
    void reset() noexcept;

  protected:
    [[nodiscard]] virtual asio::ip::tcp::socket& socket() noexcept = 0;
};

/// Takes over an accepted socket; with a context it will speak TLS.
[[nodiscard]] std::unique_ptr<Stream> make_stream(asio::ip::tcp::socket socket,
                                                  asio::ssl::context* tls);

} // namespace methos::http
