#include "registry-proxy/upstream/client.hpp"

#include "core/base/backoff.hpp"
#include "core/base/units.hpp"

namespace methos::proxy {

namespace {

constexpr auto connect_limit = std::chrono::seconds(5);
/// Longest silence of an upstream inside an answer; there is no limit on the whole of a blob.
constexpr auto idle_limit = std::chrono::seconds(30);
constexpr auto token_limit = std::chrono::seconds(15);
constexpr std::size_t token_answer_bytes_max = 1024 * 1024;
constexpr std::size_t refusal_bytes_max = 64 * 1024;
constexpr auto basic_lifetime = std::chrono::hours(24);
constexpr int fetch_attempts_max = 3;

std::string key_of(const Upstream& upstream, const std::string& repository) {
    return upstream.host + "\n" + repository;
}

std::vector<Challenge> challenges_of(const http::Headers& headers) {
    std::vector<Challenge> all;
    for (const auto& header : headers.all("WWW-Authenticate")) {
        for (auto& challenge : parse_challenges(header)) {
            all.push_back(std::move(challenge));
        }
    }
    return all;
}

const Challenge* find_scheme(const std::vector<Challenge>& challenges, std::string_view scheme) {
    for (const auto& challenge : challenges) {
        if (challenge.scheme == scheme) {
            return &challenge;
        }
    }
    return nullptr;
}

std::string parameter(const Challenge& challenge, const char* name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
}

bool may_pass_soon(int status) {
    return status == 502 || status == 503 || status == 504;
}

bool may_pass_soon(const Failure& failure) {
    return failure.code() == Code::Unavailable || failure.code() == Code::Protocol;
}

/// Reads a refusal's text, so that the connection can serve again; a long one is left unread.
awaitable<> drain(std::shared_ptr<http::ClientStream> refusal) {
    std::size_t bytes = 0;
    while (const auto piece = co_await refusal->read()) {
        bytes += piece->size();
        if (bytes > refusal_bytes_max) {
            break;
        }
    }
}

bool is_inner(const Upstream& upstream) {
    const auto parts = parse_registry_url(upstream.url);
    return parts && is_private_host(parts->host);
}

} // namespace

UpstreamClient::UpstreamClient(http::Client& http,
                               TaskGroup& group,
                               const Clock& clock,
                               ProxyMetrics metrics)
    : http_(http), clock_(clock), metrics_(metrics), token_flights_(group) {}

void UpstreamClient::set_credentials(Credentials credentials) {
    credentials_ = std::move(credentials);
    authorizations_.clear();
}

const Credential* UpstreamClient::find_credential(const Upstream& upstream) const {
    const auto found = credentials_.find(upstream.host);
    return found == credentials_.end() ? nullptr : &found->second;
}

awaitable<std::shared_ptr<http::ClientStream>>
UpstreamClient::attempt(UpstreamCall call, std::optional<std::string> authorization) {
    http::ClientRequest request;
    request.method = call.method;
    request.url = call.upstream.url + "/v2/" + call.repository + call.path;
    request.headers = call.headers;
    if (authorization) {
        request.headers.set("Authorization", *authorization);
    }
    request.connect_limit = connect_limit;
    request.idle_limit = idle_limit;
    request.total_limit = call.total_limit;
    request.follow_redirects = true;
    if (!is_inner(call.upstream)) { // an outer registry does not lead inside
        request.may_follow_to = [](const std::string& host) { return !is_private_host(host); };
    }
    metrics_.upstream_requests.increment();
    try {
        auto opening = http_.open(std::move(request));
        co_return co_await std::move(opening);
    } catch (const Failure& failure) {
        metrics_.upstream_failures.increment();
        auto error = failure.error();
        throw Failure(std::move(error).with_context("asking " + call.upstream.host));
    }
}

awaitable<std::shared_ptr<http::ClientStream>> UpstreamClient::open(UpstreamCall call) {
    const auto key = key_of(call.upstream, call.repository);
    auto authorization = authorizations_.find(key, clock_.now().mono);
    auto stream = co_await attempt(call, authorization);
    // A token can run out on its way (401), and some registries say so with 403.
    const bool refused =
        stream->status() == 401 || (stream->status() == 403 && authorization.has_value());
    auto challenges = challenges_of(stream->headers());
    if (!refused || challenges.empty()) {
        co_return stream;
    }
    auto next = co_await meet_challenge(call, std::move(challenges), authorization.value_or(""));
    if (!next) {
        co_return stream;
    }
    co_await drain(std::move(stream));
    co_return co_await attempt(std::move(call), std::move(next));
}

awaitable<std::optional<std::string>> UpstreamClient::meet_challenge(
    UpstreamCall call, std::vector<Challenge> challenges, std::string refused) {
    const auto key = key_of(call.upstream, call.repository);
    const auto newer = authorizations_.find(key, clock_.now().mono);
    if (newer && *newer != refused) {
        co_return newer; // another call has got a new one meanwhile
    }
    authorizations_.drop(key);
    if (const auto* bearer = find_scheme(challenges, "bearer")) {
        SingleFlight<std::string>::Work work =
            [this, upstream = call.upstream, repository = call.repository, challenge = *bearer] {
                return fetch_token(upstream, repository, challenge);
            };
        co_return co_await token_flights_.run(key, std::move(work));
    }
    const auto* credential = find_credential(call.upstream);
    if (find_scheme(challenges, "basic") == nullptr || credential == nullptr ||
        credential->password.empty()) {
        co_return std::nullopt;
    }
    auto basic = basic_authorization(*credential);
    if (basic == refused) {
        co_return std::nullopt;
    }
    authorizations_.put(key, basic, basic_lifetime, clock_.now().mono);
    co_return basic;
}

awaitable<std::string>
UpstreamClient::fetch_token(Upstream upstream, std::string repository, Challenge challenge) {
    const auto realm = parameter(challenge, "realm");
    const auto realm_parts = parse_registry_url(realm);
    const auto upstream_parts = parse_registry_url(upstream.url);
    if (!realm_parts || !upstream_parts) {
        throw Failure(Code::Protocol,
                      upstream.host + " names the token server '" + realm.substr(0, 200) +
                          "', which is no usable URL");
    }
    const auto trust = judge_realm(*upstream_parts, *realm_parts);
    if (trust == RealmTrust::Refused) {
        throw Failure(Code::Protocol,
                      upstream.host + " names the token server " + realm_parts->host +
                          ", which the proxy does not ask on its behalf (an inner address, or http "
                          "for an https registry)");
    }
    const auto* credential = trust == RealmTrust::Own ? find_credential(upstream) : nullptr;
    const auto scope = choose_scope(challenge, repository);
    const auto service = parameter(challenge, "service");
    http::ClientRequest request;
    request.connect_limit = connect_limit;
    request.total_limit = token_limit;
    request.body_bytes_max = token_answer_bytes_max;
    if (credential != nullptr && !credential->identity_token.empty()) {
        request.method = "POST";
        request.url = realm;
        request.headers.set("Content-Type", "application/x-www-form-urlencoded");
        request.body =
            "grant_type=refresh_token&client_id=methos&service=" + http::percent_encode(service) +
            "&scope=" + http::percent_encode(scope) +
            "&refresh_token=" + http::percent_encode(credential->identity_token);
    } else {
        request.url = realm + (realm.find('?') == std::string::npos ? "?" : "&") +
                      "scope=" + http::percent_encode(scope);
        if (!service.empty()) {
            request.url += "&service=" + http::percent_encode(service);
        }
        if (credential != nullptr) {
            request.headers.set("Authorization", basic_authorization(*credential));
        }
    }
    metrics_.token_requests.increment();
    auto sending = http_.send(std::move(request));
    const auto answer = co_await std::move(sending);
    if (answer.status != 200) {
        throw Failure(Error(code_of_http_status(answer.status),
                            "the token server " + realm_parts->host + " of " + upstream.host +
                                " answered " + std::to_string(answer.status),
                            Cause{Cause::Kind::Http, answer.status}));
    }
    const auto token = parse_token_answer(answer.body).value();
    auto authorization = "Bearer " + token.value;
    authorizations_.put(
        key_of(upstream, repository), authorization, token.lifetime, clock_.now().mono);
    co_return authorization;
}

awaitable<std::optional<std::string>>
UpstreamClient::read(std::shared_ptr<http::ClientStream> stream) {
    auto piece = co_await stream->read();
    if (piece) {
        metrics_.upstream_bytes.increment(static_cast<double>(piece->size()));
    }
    co_return piece;
}

awaitable<UpstreamClient::Answer> UpstreamClient::fetch(UpstreamCall call,
                                                        std::size_t body_bytes_max) {
    Backoff backoff(BackoffPolicy(), system_uniform());
    for (int attempt = 1;; ++attempt) {
        const bool last = call.method != "GET" || attempt == fetch_attempts_max;
        try {
            auto answer = co_await fetch_once(call, body_bytes_max);
            if (last || !may_pass_soon(answer.status)) {
                co_return answer;
            }
        } catch (const Failure& failure) {
            if (last || !may_pass_soon(failure)) {
                throw;
            }
        }
        const auto pause = backoff.next();
        co_await sleep_for(pause);
    }
}

awaitable<UpstreamClient::Answer> UpstreamClient::fetch_once(UpstreamCall call,
                                                             std::size_t body_bytes_max) {
    const auto host = call.upstream.host;
    const auto stream = co_await open(std::move(call));
    Answer answer;
    answer.status = stream->status();
    answer.headers = stream->headers();
    while (auto piece = co_await read(stream)) {
        answer.body += *piece;
        if (answer.body.size() > body_bytes_max) {
            throw Failure(Code::Protocol,
                          host + " sent a document of more than " +
                              format_bytes(static_cast<std::int64_t>(body_bytes_max)));
        }
    }
    co_return answer;
}

} // namespace methos::proxy
