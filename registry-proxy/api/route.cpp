#include "registry-proxy/api/route.hpp"

#include <algorithm>
#include <array>

namespace methos::proxy {

namespace {

constexpr std::size_t name_characters_max = 255;
constexpr std::size_t tag_characters_max = 128;

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_tag_start(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/// What may stand between two alphanumeric runs of a name component.
bool is_separator(std::string_view text) {
    return text == "." || text == "_" || text == "__" ||
           (!text.empty() && text.find_first_not_of('-') == std::string_view::npos);
}

bool is_legal_component(std::string_view component) {
    if (component.empty() || !is_lower_alnum(component.front()) ||
        !is_lower_alnum(component.back())) {
        return false;
    }
    std::size_t at = 0;
    while (at < component.size()) {
        while (at < component.size() && is_lower_alnum(component[at])) {
            ++at;
        }
        const auto start = at;
        while (at < component.size() && !is_lower_alnum(component[at])) {
            ++at;
        }
        if (at != start && !is_separator(component.substr(start, at - start))) {
            return false;
        }
    }
    return true;
}

struct Marker {
    std::string_view text;
    Endpoint endpoint;
};

constexpr std::array<Marker, 3> markers{{
    {"/manifests/", Endpoint::Manifest},
    {"/blobs/", Endpoint::Blob},
    {"/referrers/", Endpoint::Referrers},
}};

/// Splits "<name>/blobs/<rest>" at the last marker.
std::optional<RegistryPath> split_at_marker(std::string_view path) {
    std::optional<RegistryPath> split;
    std::size_t last = 0;
    for (const auto& marker : markers) {
        const auto at = path.rfind(marker.text);
        if (at != std::string_view::npos && (!split || at > last)) {
            last = at;
            split = RegistryPath{marker.endpoint,
                                 std::string(path.substr(0, at)),
                                 std::string(path.substr(at + marker.text.size()))};
        }
    }
    return split;
}

/// "<name>/blobs/uploads" and "<name>/blobs/uploads/<id>" are no digests.
void tell_uploads_apart(RegistryPath& path) {
    constexpr std::string_view uploads = "uploads";
    if (path.endpoint != Endpoint::Blob || path.reference.substr(0, uploads.size()) != uploads) {
        return;
    }
    if (path.reference.size() == uploads.size()) {
        path.endpoint = Endpoint::Uploads;
        path.reference.clear();
    } else if (path.reference[uploads.size()] == '/') {
        path.endpoint = Endpoint::Upload;
        path.reference.erase(0, uploads.size() + 1);
    }
}

} // namespace

bool is_legal_name(std::string_view name) {
    if (name.empty() || name.size() > name_characters_max) {
        return false;
    }
    std::size_t start = 0;
    while (start <= name.size()) {
        const auto end = std::min(name.find('/', start), name.size());
        if (!is_legal_component(name.substr(start, end - start))) {
            return false;
        }
        start = end + 1;
    }
    return true;
}

bool is_legal_tag(std::string_view tag) {
    const auto legal = [](char c) { return is_tag_start(c) || c == '.' || c == '-'; };
    return !tag.empty() && tag.size() <= tag_characters_max && is_tag_start(tag.front()) &&
           std::all_of(tag.begin(), tag.end(), legal);
}

Result<RegistryPath> parse_registry_path(std::string_view path) {
    constexpr std::string_view base = "/v2";
    if (path.substr(0, base.size()) != base ||
        (path.size() > base.size() && path[base.size()] != '/')) {
        return Error(Code::NotFound, "no such path; the registry API is under /v2/");
    }
    auto rest = path.substr(base.size());
    while (!rest.empty() && rest.front() == '/') {
        rest.remove_prefix(1);
    }
    while (!rest.empty() && rest.back() == '/') {
        rest.remove_suffix(1);
    }
    if (rest.empty()) {
        return RegistryPath{Endpoint::Ping, {}, {}};
    }
    if (rest == "_catalog") {
        return RegistryPath{Endpoint::Catalog, {}, {}};
    }
    constexpr std::string_view tags = "/tags/list";
    std::optional<RegistryPath> parsed;
    if (rest.size() > tags.size() && rest.substr(rest.size() - tags.size()) == tags) {
        parsed = RegistryPath{
            Endpoint::Tags, std::string(rest.substr(0, rest.size() - tags.size())), {}};
    } else {
        parsed = split_at_marker(rest);
    }
    if (!parsed) {
        return Error(Code::NotFound,
                     "no such path in the registry API: expected /v2/<name>/ followed by "
                     "manifests/, blobs/, tags/list or referrers/");
    }
    // "a/blobs/uploads/<id>" has its marker before "uploads": an id holds no slash.
    tell_uploads_apart(*parsed);
    if (!is_legal_name(parsed->name)) {
        return Error(Code::InvalidInput,
                     "repository name '" + parsed->name.substr(0, name_characters_max) +
                         "' is illegal: lower-case letters, digits and single separators only");
    }
    return *parsed;
}

} // namespace methos::proxy
