// CURVE keys and join tokens: text only, no sockets.
#include "core/bus/socket.hpp"

#include "core/base/json.hpp"
#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace methos::bus {

namespace {

constexpr std::string_view token_prefix = "methos1-";
constexpr std::string_view address_scheme = "tcp://";
constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr std::size_t addresses_max = 32;
constexpr std::size_t secret_bytes_max = 1024;
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Key = std::array<char, 41>; // 40 characters and the NUL

Error bad_token(const std::string& problem) {
    return Error(Code::InvalidInput,
                 "this is not a join token: " + problem +
                     ". Copy the whole line of the master's join.token file");
}

std::string to_base64url(std::string_view bytes) {
    std::string text;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(c);
        count += 8;
        while (count >= 6) {
            count -= 6;
            text += alphabet[(bits >> count) & 63U];
        }
    }
    if (count > 0) {
        text += alphabet[(bits << (6U - count)) & 63U];
    }
    return text;
}

std::optional<std::string> of_base64url(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>((bits >> count) & 0xffU);
        }
    }
    // What is left over must be less than a digit, and zero.
    if (count >= 6 || (bits & ((1U << count) - 1U)) != 0) {
        return std::nullopt;
    }
    return bytes;
}

/// The string at `key`, of at most `bytes_max` bytes.
std::optional<std::string>
find_text(const nlohmann::json& object, const char* key, std::size_t bytes_max) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) {
        return std::nullopt;
    }
    auto text = found->get<std::string>();
    if (text.empty() || text.size() > bytes_max) {
        return std::nullopt;
    }
    return text;
}

Result<std::vector<std::string>> read_addresses(const nlohmann::json& object) {
    const auto found = object.find("addresses");
    if (found == object.end() || !found->is_array() || found->empty() ||
        found->size() > addresses_max) {
        return bad_token("it names no master addresses");
    }
    std::vector<std::string> addresses;
    for (const auto& item : *found) {
        if (!item.is_string()) {
            return bad_token("an address in it is not a text");
        }
        addresses.push_back(item.get<std::string>());
        if (const auto checked = check_bus_address(addresses.back()); !checked) {
            return bad_token(checked.error().message);
        }
    }
    return addresses;
}

} // namespace

CurveKeys make_curve_keys() {
    Key public_key{};
    Key secret_key{};
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
        throw Failure(Code::Internal, "this libzmq was built without CURVE");
    }
    return CurveKeys{public_key.data(), secret_key.data()};
}

Result<std::string> public_key_of(const std::string& secret_key) {
    if (auto checked = check_key(secret_key, "the secret key"); !checked) {
        return checked.error();
    }
    Key public_key{};
    if (zmq_curve_public(public_key.data(), secret_key.c_str()) != 0) {
        return Error(Code::InvalidInput, "the secret key is not a CURVE key");
    }
    return std::string(public_key.data());
}

Result<void> check_bus_address(const std::string& address) {
    constexpr std::size_t address_bytes_max = 512;
    const std::string wanted = "; write tcp://HOST:PORT, like tcp://10.0.0.1:5051";
    const bool printable = std::all_of(
        address.begin(), address.end(), [](char c) { return c > ' ' && c < '\x7f' && c != ';'; });
    if (!printable || address.size() > address_bytes_max) {
        return Error(Code::InvalidInput, "the bus address holds characters that are none" + wanted);
    }
    if (address.rfind(address_scheme, 0) != 0) {
        return Error(Code::InvalidInput, "the bus address '" + address + "' is not TCP" + wanted);
    }
    const auto parsed = parse_host_port(std::string_view(address).substr(address_scheme.size()));
    if (!parsed || parsed->port == 0 || parsed->host == "*") {
        return Error(Code::InvalidInput,
                     "the bus address '" + address + "' has no host or no port" + wanted);
    }
    return {};
}

std::string format_join_token(const JoinToken& token) {
    const nlohmann::json object = {
        {"addresses", token.addresses}, {"key", token.server_key}, {"secret", token.secret}};
    return std::string(token_prefix) + to_base64url(dump_json_exactly(object).value());
}

Result<JoinToken> parse_join_token(const std::string& text) {
    if (text.size() > token_bytes_max) {
        return bad_token("it is too long");
    }
    if (text.rfind(token_prefix, 0) != 0) {
        return bad_token("it does not begin with '" + std::string(token_prefix) + "'");
    }
    const auto bytes = of_base64url(std::string_view(text).substr(token_prefix.size()));
    if (!bytes) {
        return bad_token("it holds characters that no token has, or its end is missing");
    }
    const auto object = try_parse_json(*bytes);
    if (!object.is_object()) {
        return bad_token("its content is damaged, or its end is missing");
    }
    auto addresses = read_addresses(object);
    if (!addresses) {
        return addresses.error();
    }
    auto key = find_text(object, "key", token_bytes_max);
    if (!key || !check_key(*key, "key")) {
        return bad_token("the cluster's public key in it is missing or malformed");
    }
    auto secret = find_text(object, "secret", secret_bytes_max);
    if (!secret) {
        return bad_token("it has no secret");
    }
    return JoinToken{std::move(*addresses), std::move(*key), std::move(*secret)};
}

} // namespace methos::bus
