#include "executor/docker/registry_auth.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>

namespace methos::docker {

std::string base64_url(std::string_view bytes) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const bool there = i + j < bytes.size();
            group = (group << 8U) | (there ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        }
        const auto left = bytes.size() - i;
        text += alphabet[(group >> 18U) & 63U];
        text += alphabet[(group >> 12U) & 63U];
        text += left > 1 ? alphabet[(group >> 6U) & 63U] : '=';
        text += left > 2 ? alphabet[group & 63U] : '=';
    }
    return text;
}

std::string registry_auth_header(const RegistryAuth& auth) {
    nlohmann::json json;
    if (!auth.identity_token.empty()) {
        json["identitytoken"] = auth.identity_token;
    } else {
        json["username"] = auth.username;
        json["password"] = auth.password;
    }
    if (!auth.server.empty()) {
        json["serveraddress"] = auth.server;
    }
    return base64_url(dump_json(json));
}

} // namespace methos::docker
