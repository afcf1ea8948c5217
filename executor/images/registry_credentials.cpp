#include "executor/images/registry_credentials.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>

namespace methos::executor {

namespace {

using nlohmann::json;

constexpr std::size_t hosts_max = 1000;
constexpr std::size_t config_bytes_max = 1024 * 1024;

/// Standard base64, with or without padding. Nothing for anything else.
std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (!text.empty() && text.back() == '=') {
        text.remove_suffix(1);
    }
    std::string bytes;
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const auto value = alphabet.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        group = (group << 6U) | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>((group >> bits) & 0xffU);
        }
    }
    return bytes;
}

std::string text_in(const json& entry, const char* name) {
    const auto field = entry.find(name);
    return field != entry.end() && field->is_string() ? field->get<std::string>() : std::string();
}

/// Nothing when the entry holds no credentials (a helper has them). Errors: it is not readable.
Result<std::optional<docker::RegistryAuth>> auth_of(const std::string& key, const json& entry) {
    const auto wrong = [&key](const char* what) {
        return Error(Code::InvalidInput, "the entry '" + key + "' " + what);
    };
    if (!entry.is_object()) {
        return wrong("is no object");
    }
    docker::RegistryAuth auth;
    auth.server = key;
    auth.identity_token = text_in(entry, "identitytoken");
    auth.username = text_in(entry, "username");
    auth.password = text_in(entry, "password");
    if (const auto encoded = text_in(entry, "auth"); !encoded.empty()) {
        auto pair = from_base64(encoded).value_or("");
        const auto colon = pair.find(':');
        if (colon == std::string::npos) {
            return wrong("has an \"auth\" that is not base64 of USER:PASSWORD");
        }
        auth.username = pair.substr(0, colon);
        auth.password = pair.substr(colon + 1);
        while (auth.password.ends_with('\0')) { // Docker cuts them off too
            auth.password.pop_back();
        }
    }
    if (auth.username.empty() && auth.identity_token.empty()) {
        return std::optional<docker::RegistryAuth>();
    }
    return std::optional(auth);
}

} // namespace

std::string registry_host_of(std::string key) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (key.starts_with(scheme)) {
            key.erase(0, scheme.size());
        }
    }
    key = key.substr(0, key.find('/'));
    constexpr std::array<std::string_view, 3> hub{
        "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"};
    const bool is_hub = std::find(hub.begin(), hub.end(), key) != hub.end();
    return is_hub ? "docker.io" : key;
}

Result<RegistryCredentials> RegistryCredentials::parse(const std::string& text) {
    const auto document = try_parse_json(text);
    if (!document.is_object()) {
        return Error(Code::InvalidInput, "it is no JSON object");
    }
    RegistryCredentials credentials;
    const bool is_config = document.contains("auths") || document.contains("credsStore") ||
                           document.contains("credHelpers");
    const auto auths = is_config ? document.value("auths", json::object()) : document;
    if (!auths.is_object() || auths.size() > hosts_max) {
        return Error(Code::InvalidInput, "its \"auths\" is no object, or has over 1000 entries");
    }
    for (const auto& [key, entry] : auths.items()) {
        if (!is_config && !entry.is_object()) {
            continue; // a config.json without credentials: {"psFormat":"..."}
        }
        auto auth = auth_of(key, entry);
        if (!auth) {
            return auth.error();
        }
        if (*auth) {
            credentials.hosts_.insert_or_assign(registry_host_of(key), **auth);
        }
    }
    if (!text_in(document, "credsStore").empty()) {
        credentials.with_helper_.emplace_back("*");
    }
    const auto helpers = document.find("credHelpers");
    if (helpers != document.end() && helpers->is_object()) {
        for (const auto& [key, helper] : helpers->items()) {
            credentials.with_helper_.push_back(registry_host_of(key));
        }
    }
    return credentials;
}

Result<RegistryCredentials> read_docker_config(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(config_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.empty()) {
        return Error(Code::NotFound, path + " cannot be read or is empty");
    }
    if (text.size() > config_bytes_max) {
        return Error(Code::InvalidInput, path + " is larger than 1 MiB");
    }
    auto credentials = RegistryCredentials::parse(text);
    if (!credentials) {
        return Error(Code::InvalidInput, path + ": " + credentials.error().message);
    }
    return credentials;
}

std::optional<docker::RegistryAuth> RegistryCredentials::find(const std::string& host) const {
    const auto found = hosts_.find(host);
    if (found == hosts_.end()) {
        return std::nullopt;
    }
    return found->second;
}

} // namespace methos::executor
