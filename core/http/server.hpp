// The HTTP server of all programs: Beast inside, plain values outside. A Router holds routes that
// each declare who may call them; the Server accepts connections, authenticates, calls handlers,
// streams answers, and drains gracefully. Runs on the loop; only beast_parser.cpp and
// beast_impl.cpp include Beast.
#pragma once

#include "core/http/message.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace methos::http {

/// Who is calling, as the Authenticator found out.
struct Principal {
    std::string name; ///< "admin", "anonymous"
    bool admin = false;
};

struct Request {
    std::string method; ///< upper case
    std::string target; ///< as received, path and query
    std::string
        path; ///< the raw path; doubled slashes folded, trailing slash kept off (but for "/")
    std::vector<std::pair<std::string, std::string>> query;
    Headers headers;
    std::string body;                        ///< of BodyMode::Buffered routes
    std::shared_ptr<BodyReader> body_stream; ///< of BodyMode::Streamed routes
    std::optional<std::uint64_t> content_length;
    std::map<std::string, std::string> params; ///< path parameters, percent-decoded
    std::string remote_address;                ///< "127.0.0.1"
    std::string request_id; ///< the caller's X-Request-Id when legal, else a new one
    bool tls = false;
    Principal principal;

    /// The first query value of that name.
    [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> query_values(std::string_view name) const;
    /// A boolean as clients write them: true/false in any case; absent or anything else:
    /// `otherwise`.
    [[nodiscard]] bool query_flag(std::string_view name, bool otherwise) const;
};

struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    /// When set, streamed instead of `body`: chunked, or with Content-Length when `stream_length`
    /// is set.
    std::shared_ptr<BodyReader> stream;
    std::optional<std::uint64_t> stream_length;
    /// When set, sent instead of `body`.
    std::optional<FileBody> file;

    Response() = default;

    explicit Response(int status_) : status(status_) {}

    Response(int status_, std::string content_type, std::string body_);
};

using Handler = std::function<awaitable<Response>(Request)>;

/// Who may call a route. Every route says so; Undeclared is refused when the route is added.
enum class Auth {
    Undeclared,
    Public,   ///< anybody: /ping, static files
    Token,    ///< a valid token (or any caller, when the server runs with --auth none)
    Loopback, ///< callers on this machine, without token
};

enum class BodyMode { Buffered, Streamed };

struct Route {
    std::string method;  ///< "GET" also answers HEAD unless HEAD is routed; "*" is any
    std::string pattern; ///< "/v2/apps/{id*}/tasks": {x} one segment, {x*} one or more (or none at
                         ///< the very end)
    Auth auth = Auth::Undeclared;
    std::size_t body_bytes_max = 1024 * 1024;
    BodyMode body_mode = BodyMode::Buffered;
    Handler handler;
};

/// A route's pattern taken apart once, when it is added.
struct RoutePattern {
    enum class Kind { Literal, One, Many };

    struct Part {
        Kind kind = Kind::Literal;
        std::string text; ///< the literal segment, or the parameter's name
    };

    std::vector<Part> parts;
};

/// Routes in the order they were added; the first whose method and pattern match is called.
class Router {
  public:
    /// Throws Failure(Internal) when auth is Undeclared, the handler is empty or the pattern is
    /// malformed.
    void add(Route route);

    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

    struct Match {
        const Route* route = nullptr; ///< null: no pattern matches
        std::map<std::string, std::string> params;
        bool path_known = false;                  ///< the path matches, the method does not: 405
        std::vector<std::string> allowed_methods; ///< then
    };

    [[nodiscard]] Match match(const std::string& method, const std::string& path) const;

  private:
    std::vector<Route> routes_;
    std::vector<RoutePattern> patterns_; ///< of the route with the same index
};

/// Decides who a caller is. Returns the principal, or an Error (Unauthorized) that the error
/// renderer prints.
using Authenticator = std::function<Result<Principal>(const Request&)>;

/// Prints an error in the dialect of the API the path belongs to (Marathon's, the registry's, our
/// own).
using ErrorRenderer = std::function<Response(const Request&, const Error&)>;

struct ServerOptions {
    std::size_t header_bytes_max = 64 * 1024;
    Duration header_limit =
        std::chrono::seconds(30); ///< from the first byte of a request to the end of its head
    Duration idle_limit = std::chrono::seconds(120); ///< keep-alive connections without a request
    Duration body_limit = std::chrono::seconds(60);  ///< longest pause inside a request body
    Duration write_limit =
        std::chrono::seconds(60);        ///< longest time one piece of an answer may take
    std::size_t connections_max = 16384; ///< beyond: accept waits
    std::string tls_certificate_file;    ///< both set: TLS
    std::string tls_key_file;
    std::string server_name = "methos";
    /// Headers put on every answer, also errors (the registry needs
    /// Docker-Distribution-Api-Version).
    Headers always;
};

/// Throws Failure(InvalidInput) naming the file when certificate and key of the options cannot be
/// used, which is better known before anything else has been done. Does nothing without them.
void check_tls(const ServerOptions& options);

/// One line of the access log and of metrics, after each answer.
struct AccessRecord {
    std::string method, target, route, remote_address, request_id, principal;
    int status = 0;
    std::uint64_t bytes_sent = 0; ///< of the body
    Duration took{};
    std::optional<Error> failure; ///< what the handler threw, or why the answer was cut short
};

class Server {
  public:
    Server(asio::any_io_executor executor,
           Router router,
           Authenticator authenticator,
           ErrorRenderer render_error,
           ServerOptions options = ServerOptions());
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// Must not throw.
    void on_access(std::function<void(const AccessRecord&)> hook);

    /// Binds and listens; returns the address with the real port ("127.0.0.1:41234").
    /// Throws Failure(Conflict) "port 8080 of 127.0.0.1 is taken ..." when it is, InvalidInput when
    /// HOST is none.
    std::string listen(const std::string& host_port);

    /// Reads certificate and key again, for connections from now on; nothing to do without them.
    /// Throws Failure(InvalidInput) as check_tls, and then keeps the old ones.
    void reload_tls();

    /// Stops accepting, lets running answers end until `limit`, then cuts; streams (SSE) are cut at
    /// once.
    [[nodiscard]] awaitable<> stop(Duration limit);

    [[nodiscard]] std::size_t connections() const noexcept;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// A body made of Server-Sent Events (or any pieces) that others push. Bounded: push returns false,
/// and the stream ends with a failure, when more than `bytes_max` wait to be read.
class PushBody final : public BodyReader {
  public:
    PushBody(const asio::any_io_executor& executor, std::size_t bytes_max);
    bool push(std::string piece);
    void finish();
    void fail(Error error);
    [[nodiscard]] bool closed() const noexcept; ///< the reader has gone or the stream has ended

    [[nodiscard]] std::size_t queued_bytes() const noexcept { return queued_bytes_; }

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;
    void abandon() noexcept override;

  private:
    Signal signal_;
    std::size_t bytes_max_;
    std::size_t queued_bytes_ = 0;
    std::list<std::string> pieces_;
    bool finished_ = false;
    std::optional<Error> error_;
};

} // namespace methos::http
