// Asks upstream registries: builds the request, answers their challenges (Basic, Bearer, anonymous)
// with one token per repository however many ask, and counts every byte that arrives. Follows
// redirects to blob stores without taking the Authorization along. Decides nothing about caching.
#pragma once

#include "core/http/client.hpp"
#include "registry-proxy/metrics.hpp"
#include "registry-proxy/upstream/auth.hpp"
#include "registry-proxy/upstream/flight.hpp"

namespace methos::proxy {

struct UpstreamCall {
    Upstream upstream;
    std::string repository;
    std::string method = "GET";
    std::string path; ///< after /v2/<repository>: "/manifests/1", "/tags/list?n=10"
    http::Headers headers;
    std::optional<Duration> total_limit; ///< none: bounded by the pause between bytes only
};

class UpstreamClient {
  public:
    UpstreamClient(http::Client& http, TaskGroup& group, const Clock& clock, ProxyMetrics metrics);

    /// Replaces all credentials, as at SIGHUP; tokens got with the old ones are forgotten.
    void set_credentials(Credentials credentials);

    /// Any status is an answer; a 401 means that the challenge could not be met. Throws Failure
    /// (Unavailable, Timeout, Protocol) naming the upstream.
    [[nodiscard]] awaitable<std::shared_ptr<http::ClientStream>> open(UpstreamCall call);

    struct Answer {
        int status = 0;
        http::Headers headers;
        std::string body;
    };

    /// The same with the body read, at most `body_bytes_max`. A GET is tried again when the
    /// upstream stumbles (no connection, a cut body, 502, 503, 504).
    [[nodiscard]] awaitable<Answer> fetch(UpstreamCall call, std::size_t body_bytes_max);

    /// Reads one piece and counts it. For streams of open().
    [[nodiscard]] awaitable<std::optional<std::string>>
    read(std::shared_ptr<http::ClientStream> stream);

  private:
    [[nodiscard]] awaitable<Answer> fetch_once(UpstreamCall call, std::size_t body_bytes_max);
    [[nodiscard]] awaitable<std::shared_ptr<http::ClientStream>>
    attempt(UpstreamCall call, std::optional<std::string> authorization);
    [[nodiscard]] awaitable<std::optional<std::string>>
    meet_challenge(UpstreamCall call, std::vector<Challenge> challenges, std::string refused);
    [[nodiscard]] awaitable<std::string>
    fetch_token(Upstream upstream, std::string repository, Challenge challenge);
    [[nodiscard]] const Credential* find_credential(const Upstream& upstream) const;

    http::Client& http_;
    const Clock& clock_;
    ProxyMetrics metrics_;
    Credentials credentials_;
    AuthorizationCache authorizations_;
    SingleFlight<std::string> token_flights_;
};

} // namespace methos::proxy
