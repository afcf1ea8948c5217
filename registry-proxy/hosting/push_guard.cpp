#include "registry-proxy/hosting/push_guard.hpp"

#include "core/http/message.hpp"
#include "registry-proxy/upstream/auth.hpp"

#include <openssl/crypto.h>

namespace methos::proxy {

namespace {

/// Takes the same time whatever the guess shares with the secret.
bool equal_secrets(const std::string& a, const std::string& b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace

Result<PushGuard> PushGuard::parse(std::string_view file) {
    PushGuard guard;
    std::size_t number = 0;
    while (!file.empty()) {
        ++number;
        const auto end = file.find('\n');
        auto line = file.substr(0, end);
        file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0 || colon + 1 == line.size()) {
            return Error(Code::InvalidInput,
                         "line " + std::to_string(number) + " is not user:password");
        }
        guard.users_.insert_or_assign(std::string(line.substr(0, colon)),
                                      std::string(line.substr(colon + 1)));
    }
    if (guard.users_.empty()) {
        return Error(Code::InvalidInput, "holds no user:password line");
    }
    return guard;
}

Result<void> PushGuard::check(const std::string& remote_address,
                              const std::optional<std::string>& authorization) const {
    if (is_loopback_host(remote_address)) {
        return {};
    }
    if (users_.empty()) {
        return Error(Code::Forbidden,
                     "pushes are accepted from the proxy's own machine only; start it with "
                     "--push-auth FILE to allow others");
    }
    constexpr std::string_view scheme = "Basic ";
    if (authorization && http::iequals(authorization->substr(0, scheme.size()), scheme)) {
        const auto pair = base64_decode(std::string_view(*authorization).substr(scheme.size()));
        const auto colon = pair ? pair->find(':') : std::string::npos;
        if (colon != std::string::npos) {
            const auto user = users_.find(pair->substr(0, colon));
            if (user != users_.end() && equal_secrets(user->second, pair->substr(colon + 1))) {
                return {};
            }
        }
    }
    return Error(Code::Unauthorized,
                 "a user and password of the proxy's --push-auth file is needed");
}

} // namespace methos::proxy
