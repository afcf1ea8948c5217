// The HTTP client of all programs: libcurl's multi interface on the loop. Talks to the Docker
// Engine over its Unix socket, to registries and to the master. Streams both ways with
// backpressure; every call has a deadline or an idle limit; cancelling the coroutine or destroying
// the answer removes the transfer at once.
#pragma once

#include "core/http/message.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace methos::http {

struct ClientRequest {
    std::string method = "GET";
    std::string url;         ///< "http://d/v1.41/info" with unix_socket, else a full URL
    std::string unix_socket; ///< path; at most 107 bytes
    Headers headers;
    std::string body;
    std::shared_ptr<BodyReader> upload; ///< streamed instead of `body`
    std::optional<std::uint64_t> upload_length;
    Duration connect_limit = std::chrono::seconds(2);
    std::optional<Duration> total_limit =
        std::chrono::seconds(10);                  ///< none: only idle_limit bounds it
    std::optional<Duration> idle_limit;            ///< longest pause without a received byte
    std::size_t body_bytes_max = 16 * 1024 * 1024; ///< of send(); open() is bounded by its reader
    bool follow_redirects =
        false; ///< at most 10, https never to http, Authorization dropped on another host
    bool fresh_connection = false;  ///< do not reuse one (after the other side restarted)
    bool verify_certificate = true; ///< false: whoever answers https is believed; for health checks
    std::string ca_file;            ///< additional trust for https; empty: the system's
    /// Whether a redirect to that host (an IPv6 address without brackets) may be followed; empty:
    /// to any.
    std::function<bool(const std::string& host)> may_follow_to;
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
    std::string effective_url; ///< after redirects
};

/// The URL without user info, query and fragment, as messages may show it.
[[nodiscard]] std::string printable_url(const std::string& url);

/// Whether a failed request failed because the other side's certificate is signed by nobody we
/// trust, is another host's or has run out.
[[nodiscard]] bool is_untrusted(const Error& error);

/// An answer whose head has arrived and whose body is pulled.
class ClientStream : public BodyReader {
  public:
    [[nodiscard]] virtual int status() const = 0;
    [[nodiscard]] virtual const Headers& headers() const = 0;
    [[nodiscard]] virtual const std::string& effective_url() const = 0;
};

struct ClientOptions {
    std::size_t connections_max = 32; ///< idle ones kept
    std::string user_agent = "methos";
};

class Client {
  public:
    explicit Client(asio::any_io_executor executor, ClientOptions options = ClientOptions());
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client(); ///< running transfers end with Cancelled

    /// Any HTTP status is an answer. Throws Failure: Unavailable (refused, DNS, reset), Timeout,
    /// Protocol (cut short, malformed), ResourceExhausted (body over the cap), Cancelled. Cause
    /// holds the CURLcode.
    [[nodiscard]] awaitable<ClientResponse> send(ClientRequest request);

    /// Returns when the head of the final answer has arrived. A body that ends early throws from
    /// read().
    [[nodiscard]] awaitable<std::shared_ptr<ClientStream>> open(ClientRequest request);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace methos::http
