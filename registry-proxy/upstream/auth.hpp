// How an upstream wants to be spoken to: challenges, credentials and tokens (distribution's token
// specification; RFC 9110 section 11). Pure parsers and a cache; the calls are made by
// upstream/client.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "registry-proxy/upstream/names.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace methos::proxy {

/// One challenge of a WWW-Authenticate header.
struct Challenge {
    std::string scheme;                            ///< lower case: "bearer", "basic"
    std::map<std::string, std::string> parameters; ///< names in lower case
    friend bool operator==(const Challenge&, const Challenge&) = default;
};

/// All challenges of one header value, in order. What is malformed is left out.
[[nodiscard]] std::vector<Challenge> parse_challenges(std::string_view header);

struct Credential {
    std::string user;
    std::string password;
    std::string identity_token; ///< an OAuth2 refresh token instead of a password
    friend bool operator==(const Credential&, const Credential&) = default;
};

/// Credentials by upstream host.
using Credentials = std::map<std::string, Credential>;

/// Reads Docker's config.json: {"auths": {"https://index.docker.io/v1/": {"auth": base64}}}.
/// Errors: InvalidInput with the entry that is wrong. Credential helpers are refused by name.
[[nodiscard]] Result<Credentials> parse_credentials(std::string_view document);

[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

/// "Basic dXNlcjpwYXNz"
[[nodiscard]] std::string basic_authorization(const Credential& credential);

enum class RealmTrust {
    Own,       ///< the upstream's own: credentials may go there
    Anonymous, ///< may be asked for an anonymous token, nothing secret goes there
    Refused,   ///< not at all (an inner address named by an outer upstream, a bad URL)
};

/// Whether a token server may be asked. Credentials go to the very host:port of the upstream, and
/// over https to its host, to subdomains of it and to where a few public registries have theirs. A
/// shared parent domain is not enough: neighbours in azurecr.io or github.io are strangers.
[[nodiscard]] RealmTrust judge_realm(const UrlParts& upstream, const UrlParts& realm);

/// "repository:library/x:pull": the challenge's scope when it names the repository, else our own.
[[nodiscard]] std::string choose_scope(const Challenge& challenge, const std::string& repository);

struct Token {
    std::string value;
    Duration lifetime{};
};

/// Reads {"token"|"access_token", "expires_in"}. Errors: Protocol.
[[nodiscard]] Result<Token> parse_token_answer(std::string_view document);

/// Authorization headers per upstream and repository, until shortly before they run out.
class AuthorizationCache {
  public:
    [[nodiscard]] std::optional<std::string> find(const std::string& key, MonoTime now) const;
    /// A token counts as used up at 85 % of its life, since its way here took time.
    void put(const std::string& key, std::string authorization, Duration lifetime, MonoTime now);
    void drop(const std::string& key);
    void clear();

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        std::string authorization;
        MonoTime until;
    };

    std::unordered_map<std::string, Entry> entries_;
};

} // namespace methos::proxy
