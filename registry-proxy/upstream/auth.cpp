#include "registry-proxy/upstream/auth.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace methos::proxy {

namespace {

constexpr std::size_t challenges_max = 16;
constexpr std::size_t authorizations_max = 10'000;
constexpr auto token_lifetime_default = std::chrono::seconds(60);
constexpr auto token_lifetime_max = std::chrono::hours(12);

bool is_token_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~/").find(c) != std::string_view::npos;
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return lower;
}

/// A cursor over a header value.
class HeaderReader {
  public:
    explicit HeaderReader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }

    void skip(std::string_view characters) {
        while (!at_end() && characters.find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }

    std::string_view token() {
        const auto start = at_;
        while (!at_end() && is_token_character(text_[at_])) {
            ++at_;
        }
        return text_.substr(start, at_ - start);
    }

    bool take(char c) {
        if (at_end() || text_[at_] != c) {
            return false;
        }
        ++at_;
        return true;
    }

    /// A quoted string's content, or a bare token.
    std::string value() {
        if (!take('"')) {
            std::string bare;
            while (!at_end() && text_[at_] != ',' && text_[at_] != ' ' && text_[at_] != '\t') {
                bare += text_[at_++];
            }
            return bare;
        }
        std::string quoted;
        while (!at_end() && text_[at_] != '"') {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
            }
            quoted += text_[at_++];
        }
        take('"');
        return quoted;
    }

    void next() { ++at_; }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

/// "https://index.docker.io/v1/" and "ghcr.io" both name a host in config.json.
std::string host_of_config_key(const std::string& key) {
    std::string_view rest = key;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        rest.remove_prefix(scheme + 3);
    }
    const auto host = to_lower(rest.substr(0, rest.find('/')));
    return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

Result<Credential> read_config_entry(const std::string& host, const nlohmann::json& entry) {
    const auto wrong = [&host](const char* what) {
        return Error(Code::InvalidInput, "credentials: auths[\"" + host + "\"] " + what);
    };
    if (!entry.is_object()) {
        return wrong("is not an object");
    }
    const auto text = [&entry](const char* key) {
        const auto found = entry.find(key);
        return found != entry.end() && found->is_string() ? found->get<std::string>()
                                                          : std::string();
    };
    Credential credential{text("username"), text("password"), text("identitytoken")};
    if (const auto packed = text("auth"); !packed.empty()) {
        const auto pair = base64_decode(packed);
        const auto colon = pair ? pair->find(':') : std::string::npos;
        if (colon == std::string::npos) {
            return wrong("has an `auth` that is not base64 of user:password");
        }
        credential.user = pair->substr(0, colon);
        credential.password = pair->substr(colon + 1);
    }
    if (credential.password.empty() && credential.identity_token.empty()) {
        return wrong("holds no password (credential helpers are not run: write `auth`)");
    }
    return credential;
}

struct OwnRealm {
    std::string_view upstream;
    std::string_view realm;
};

/// Public registries whose token server is on another host.
constexpr std::array<OwnRealm, 5> own_realms{{
    {"registry-1.docker.io", "auth.docker.io"},
    {"index.docker.io", "auth.docker.io"},
    {"registry.gitlab.com", "gitlab.com"},
    {"docker.elastic.co", "docker-auth.elastic.co"},
    {"registry.digitalocean.com", "api.digitalocean.com"},
}};

/// Whether a named token server belongs to a named upstream.
bool belongs_to(const std::string& realm, const std::string& upstream) {
    const auto below = "." + upstream;
    const bool is_subdomain = realm.size() > below.size() &&
                              realm.compare(realm.size() - below.size(), below.size(), below) == 0;
    return realm == upstream || is_subdomain ||
           std::any_of(own_realms.begin(), own_realms.end(), [&](const OwnRealm& row) {
               return row.upstream == upstream && row.realm == realm;
           });
}

} // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
    std::vector<Challenge> challenges;
    HeaderReader reader(header);
    while (!reader.at_end() && challenges.size() <= challenges_max) {
        reader.skip(" \t,");
        const auto word = to_lower(reader.token());
        if (word.empty()) {
            if (!reader.at_end()) {
                reader.next();
            }
            continue;
        }
        reader.skip(" \t");
        if (reader.take('=')) { // a parameter of the challenge before
            reader.skip(" \t");
            auto value = reader.value();
            if (!challenges.empty()) {
                challenges.back().parameters.emplace(word, std::move(value));
            }
        } else {
            challenges.push_back(Challenge{word, {}});
        }
    }
    return challenges;
}

Result<Credentials> parse_credentials(std::string_view document) {
    const auto root = try_parse_json(document);
    if (root.is_discarded() || !root.is_object()) {
        return Error(Code::InvalidInput, "credentials: the file is not a JSON object");
    }
    Credentials credentials;
    const auto auths = root.find("auths");
    if (auths == root.end()) {
        return Error(Code::InvalidInput,
                     "credentials: no \"auths\" in it; expected Docker's config.json");
    }
    if (!auths->is_object()) {
        return Error(Code::InvalidInput, "credentials: \"auths\" is not an object");
    }
    for (const auto& [key, entry] : auths->items()) {
        const auto host = host_of_config_key(key);
        auto credential = read_config_entry(host, entry);
        if (!credential) {
            return credential.error();
        }
        credentials.insert_or_assign(host, std::move(*credential));
    }
    return credentials;
}

std::string base64_encode(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const std::string copy(bytes);
    const auto length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                        reinterpret_cast<const unsigned char*>(copy.data()),
                                        static_cast<int>(copy.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    constexpr std::size_t text_max = 64 * 1024;
    if (text.empty() || text.size() % 4 != 0 || text.size() > text_max) {
        return std::nullopt;
    }
    const std::string copy(text);
    std::string bytes(copy.size() / 4 * 3, '\0');
    const auto length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                        reinterpret_cast<const unsigned char*>(copy.data()),
                                        static_cast<int>(copy.size()));
    if (length < 0) {
        return std::nullopt;
    }
    const auto padding = std::count(copy.end() - 2, copy.end(), '=');
    bytes.resize(static_cast<std::size_t>(length) - static_cast<std::size_t>(padding));
    return bytes;
}

std::string basic_authorization(const Credential& credential) {
    return "Basic " + base64_encode(credential.user + ":" + credential.password);
}

RealmTrust judge_realm(const UrlParts& upstream, const UrlParts& realm) {
    const bool same_place = realm.host == upstream.host && realm.port == upstream.port &&
                            realm.scheme == upstream.scheme;
    if (same_place) {
        return RealmTrust::Own;
    }
    if (is_private_host(realm.host) && !is_private_host(upstream.host)) {
        return RealmTrust::Refused;
    }
    const bool downgrade = realm.scheme != "https" && upstream.scheme == "https";
    if (downgrade) {
        return RealmTrust::Refused;
    }
    const bool names = !is_address_literal(realm.host) && !is_address_literal(upstream.host) &&
                       !is_loopback_host(realm.host);
    if (realm.scheme == "https" && names && belongs_to(realm.host, upstream.host)) {
        return RealmTrust::Own;
    }
    return RealmTrust::Anonymous;
}

std::string choose_scope(const Challenge& challenge, const std::string& repository) {
    const auto found = challenge.parameters.find("scope");
    if (found != challenge.parameters.end() &&
        found->second.find(":" + repository + ":") != std::string::npos) {
        return found->second;
    }
    return "repository:" + repository + ":pull";
}

Result<Token> parse_token_answer(std::string_view document) {
    const auto root = try_parse_json(document);
    if (root.is_discarded() || !root.is_object()) {
        return Error(Code::Protocol, "the token server's answer is not a JSON object");
    }
    Token token;
    for (const auto* key : {"token", "access_token"}) {
        const auto found = root.find(key);
        if (token.value.empty() && found != root.end() && found->is_string()) {
            token.value = found->get<std::string>();
        }
    }
    const bool printable = std::all_of(
        token.value.begin(), token.value.end(), [](char c) { return c > ' ' && c < 127; });
    if (token.value.empty() || !printable) {
        return Error(Code::Protocol, "the token server's answer holds no usable token");
    }
    token.lifetime = token_lifetime_default;
    const auto expires = root.find("expires_in");
    if (expires != root.end() && expires->is_number()) {
        const auto seconds =
            std::clamp(expires->get<double>(),
                       0.0,
                       static_cast<double>(std::chrono::seconds(token_lifetime_max).count()));
        token.lifetime = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    }
    return token;
}

std::optional<std::string> AuthorizationCache::find(const std::string& key, MonoTime now) const {
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.until <= now) {
        return std::nullopt;
    }
    return found->second.authorization;
}

void AuthorizationCache::put(const std::string& key,
                             std::string authorization,
                             Duration lifetime,
                             MonoTime now) {
    if (entries_.size() >= authorizations_max) {
        entries_.clear(); // rare, and only costs new tokens
    }
    const auto kept = Duration(lifetime.count() / 100 * 85);
    entries_.insert_or_assign(key, Entry{std::move(authorization), now + kept});
}

void AuthorizationCache::drop(const std::string& key) {
    entries_.erase(key);
}

void AuthorizationCache::clear() {
    entries_.clear();
}

} // namespace methos::proxy
