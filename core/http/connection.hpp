// One accepted connection: reads requests one after the other, routes and authenticates them, calls
// the handler, sends the answer, and decides whether the connection goes on. Owned by its own
// coroutine; the Server keeps a list to watch deadlines and to drain. Does not know Beast.
#pragma once

#include "core/http/beast_parser.hpp"
#include "core/http/server.hpp"
#include "core/http/stream.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <memory>
#include <optional>
#include <string>

namespace methos::http {

/// What all connections of one server share.
struct ServerContext {
    asio::any_io_executor executor;
    Router router;
    Authenticator authenticate;
    ErrorRenderer render_error;
    ServerOptions options;
    std::function<void(const AccessRecord&)> on_access;
    bool draining = false;
};

class RequestBody;

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(std::shared_ptr<ServerContext> context,
               std::unique_ptr<Stream> stream,
               std::string remote_address);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// Serves until either side closes, a deadline passes, or cancel() is emitted.
    [[nodiscard]] static awaitable<> run(std::shared_ptr<Connection> self);

    /// Terminal cancellation of run(), which the server binds to this.
    [[nodiscard]] asio::cancellation_signal& cancel() noexcept { return cancel_; }

    /// Ends what has overstayed: an idle connection, a slow head or body, a stuck write.
    void check_deadline(MonoTime now) noexcept;
    /// Closes at once when nothing but an endless stream, or nothing at all, is going on.
    void drain() noexcept;
    void abort() noexcept;
    void close() noexcept;

  private:
    friend class RequestBody;

    enum class Phase { Idle, Head, Body, Busy, Linger }; ///< of the reading half

    // Reading (connection_read.cpp)
    [[nodiscard]] awaitable<bool> read_head();
    [[nodiscard]] awaitable<bool> fill(std::size_t bytes);
    [[nodiscard]] awaitable<std::optional<std::string>> read_body();
    [[nodiscard]] awaitable<> receive_body();
    [[nodiscard]] Failure broken_body(int status, Code code, std::string why);
    [[nodiscard]] awaitable<> send_continue();
    [[nodiscard]] awaitable<std::string> read_whole_body();
    [[nodiscard]] bool rest_is_small() const;
    [[nodiscard]] awaitable<bool> discard_body();
    [[nodiscard]] awaitable<> linger();
    void make_room(std::size_t bytes);
    void read_ahead();

    // Serving (connection.cpp)
    [[nodiscard]] awaitable<bool> serve_one();
    [[nodiscard]] awaitable<Response> answer(Request request);
    [[nodiscard]] Request make_request();
    void forget_request();
    [[nodiscard]] Response refuse(int status, Error error);
    [[nodiscard]] Response render(const Error& error);
    [[nodiscard]] std::optional<Response> find_route(Request& request);
    [[nodiscard]] std::optional<Response> authenticate(Request& request);
    [[nodiscard]] awaitable<> release_request_body();
    void report(int status);

    // Writing (connection_write.cpp)
    [[nodiscard]] awaitable<> send(Response response);
    [[nodiscard]] awaitable<> send_head(std::string head);
    [[nodiscard]] awaitable<> send_stream(std::shared_ptr<BodyReader> body,
                                          std::optional<std::uint64_t> length,
                                          bool chunked);
    [[nodiscard]] awaitable<std::optional<std::string>> read_for_answer(
        std::shared_ptr<BodyReader> body, std::optional<std::uint64_t> length, bool chunked);
    /// `piece` must outlive the await.
    [[nodiscard]] awaitable<> send_piece(std::string_view piece, bool chunked);
    [[nodiscard]] awaitable<> send_file(FileBody file);
    [[nodiscard]] awaitable<> send_whole(std::string head, std::string body);
    [[nodiscard]] awaitable<> send_bytes(Stream::Pieces pieces);
    [[nodiscard]] std::string make_head(const Response& response, const std::string& framing) const;

    void enter(Phase phase, std::optional<Duration> limit) noexcept;

    std::shared_ptr<ServerContext> context_;
    std::unique_ptr<Stream> stream_;
    std::string remote_address_;
    bool remote_is_loopback_ = false;
    asio::cancellation_signal cancel_;

    Phase phase_ = Phase::Idle;
    MonoTime deadline_ = MonoTime::max();       ///< of the phase
    MonoTime write_deadline_ = MonoTime::max(); ///< of the bytes being written
    bool expired_ = false;

    std::string input_; ///< received; [input_begin_, input_end_) is not parsed yet
    std::size_t input_begin_ = 0;
    std::size_t input_end_ = 0;
    bool reading_ahead_ = false; ///< a read that began during the last answer is pending
    bool peer_gone_ = false;
    Signal ahead_done_;
    boost::system::error_code read_error_;

    std::optional<RequestParser> parser_;
    Request current_; ///< the request being served, without its body
    std::string principal_;
    MonoTime begun_;
    const Route* route_ = nullptr;
    std::uint64_t body_bytes_ = 0;
    bool continue_wanted_ = false;         ///< Expect: 100-continue, not answered yet
    std::optional<int> body_error_status_; ///< the request body broke: what to answer
    std::shared_ptr<RequestBody> request_body_;
    bool body_in_use_ = false; ///< somebody awaits read_body()
    Signal body_free_;

    bool keep_alive_ = true;
    bool endless_ = false;   ///< an answer without known length is being sent
    bool streaming_ = false; ///< a peer that goes away ends the answer
    std::uint64_t bytes_sent_ = 0;
    std::optional<Error> failure_; ///< of the handler or of the answer's source
};

/// The body of a request to a BodyMode::Streamed route. Usable until its answer has been sent.
class RequestBody final : public BodyReader {
  public:
    explicit RequestBody(std::shared_ptr<Connection> connection)
        : connection_(std::move(connection)) {}

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    void detach() noexcept { connection_.reset(); }

  private:
    static awaitable<std::optional<std::string>> read_from(std::shared_ptr<Connection> connection);
    std::shared_ptr<Connection> connection_;
};

} // namespace methos::http
