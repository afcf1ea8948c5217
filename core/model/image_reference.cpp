#include "core/model/image_reference.hpp"

#include <algorithm>
#include <cctype>

namespace methos {

namespace {

constexpr std::size_t reference_bytes_max = 512;
constexpr std::size_t tag_bytes_max = 128; // distribution/reference
constexpr const char* default_host = "docker.io";

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_word(char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_host(const std::string& component) {
    return component == "localhost" || component.find_first_of(".:") != std::string::npos;
}

bool legal_host(const std::string& host) {
    return !host.empty() && host.front() != '.' && host.front() != '-' &&
           std::all_of(host.begin(), host.end(), [](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' ||
                      c == ':' || c == '[' || c == ']';
           });
}

/// Components of [a-z0-9] with single separators inside, split by '/'.
bool legal_path(const std::string& path) {
    char before = '/';
    for (const char c : path) {
        const bool separator = c == '.' || c == '_' || c == '-' || c == '/';
        const bool in_run = (c == '_' || c == '-') && before == c; // "__" and "--" are legal
        if (!is_lower_or_digit(c) && (!separator || (!is_lower_or_digit(before) && !in_run))) {
            return false;
        }
        before = c;
    }
    return is_lower_or_digit(before);
}

bool legal_tag(const std::string& tag) {
    return !tag.empty() && tag.size() <= tag_bytes_max && is_word(tag.front()) &&
           std::all_of(
               tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool legal_digest(const std::string& digest) {
    constexpr std::size_t sha256_hex = 64;
    return digest.starts_with("sha256:") && digest.size() == 7 + sha256_hex &&
           digest.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

Error bad(const std::string& text, const std::string& why) {
    return Error(Code::InvalidInput, "image reference '" + text + "' " + why);
}

} // namespace

std::string ImageReference::path_through(const std::string& proxy) const {
    auto upstream = host;
    std::replace(upstream.begin(), upstream.end(), ':', '_');
    return proxy + "/" + upstream + "/" + path;
}

std::string ImageReference::local_repository() const {
    return path_through("methos.local");
}

std::string ImageReference::local_tag() const {
    constexpr std::size_t hex_digits = 32;
    const auto colon = digest.find(':');
    return digest.empty() ? tag
                          : digest.substr(0, colon) + "-" + digest.substr(colon + 1, hex_digits);
}

Result<ImageReference> parse_image_reference(const std::string& text) {
    if (text.empty()) {
        return Error(Code::InvalidInput, "the image reference is empty");
    }
    if (text.size() > reference_bytes_max) {
        return Error(Code::InvalidInput, "the image reference is longer than 512 bytes");
    }
    ImageReference reference;
    auto rest = text;
    if (const auto at = rest.find('@'); at != std::string::npos) {
        reference.digest = rest.substr(at + 1);
        rest.resize(at);
        if (!legal_digest(reference.digest)) {
            return bad(text, "has a digest that is not sha256:<64 hex digits>");
        }
    }
    const auto last_slash = rest.rfind('/');
    const auto colon = rest.rfind(':');
    if (colon != std::string::npos && (last_slash == std::string::npos || colon > last_slash)) {
        reference.tag = rest.substr(colon + 1);
        rest.resize(colon);
        if (!legal_tag(reference.tag)) {
            return bad(text, "has a tag that is not one");
        }
    }
    reference.repository = rest;
    reference.host = default_host;
    if (const auto slash = rest.find('/');
        slash != std::string::npos && is_host(rest.substr(0, slash))) {
        reference.host = rest.substr(0, slash);
        rest.erase(0, slash + 1);
    }
    if (reference.host == "index.docker.io" || reference.host == "registry-1.docker.io") {
        reference.host = default_host;
    }
    if (!legal_host(reference.host)) {
        return bad(text, "has a registry host that is not one");
    }
    if (rest.empty() || !legal_path(rest)) {
        return bad(text, "has a name that is not lower case letters, digits and . _ - /");
    }
    if (reference.host == default_host && rest.find('/') == std::string::npos) {
        rest.insert(0, "library/");
    }
    reference.path = std::move(rest);
    if (!reference.digest.empty()) {
        reference.tag.clear();
    } else if (reference.tag.empty()) {
        reference.tag = "latest";
    }
    return reference;
}

} // namespace methos
