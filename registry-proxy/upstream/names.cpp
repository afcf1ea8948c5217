#include "registry-proxy/upstream/names.hpp"

#include "core/base/glob.hpp"
#include "core/base/units.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <cctype>

namespace methos::proxy {

namespace {

constexpr std::string_view docker_hub = "docker.io";

struct BuiltIn {
    std::string_view host;
    std::string_view url;
};

constexpr std::array<BuiltIn, 7> built_in{{
    {docker_hub, "https://registry-1.docker.io"},
    {"ghcr.io", "https://ghcr.io"},
    {"quay.io", "https://quay.io"},
    {"gcr.io", "https://gcr.io"},
    {"registry.k8s.io", "https://registry.k8s.io"},
    {"public.ecr.aws", "https://public.ecr.aws"},
    {"mcr.microsoft.com", "https://mcr.microsoft.com"},
}};

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return lower;
}

/// Docker Hub has three names.
std::string canonical_host(std::string_view host) {
    auto lower = to_lower(host);
    if (lower == "index.docker.io" || lower == "registry-1.docker.io") {
        return std::string(docker_hub);
    }
    return lower;
}

bool all_digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// No name of the public DNS ends in a number; what does, and is no plain address, some resolvers
/// read as one in octal, hexadecimal or with parts missing.
bool is_odd_number(std::string_view host) {
    const auto label = host.substr(host.rfind('.') + 1); // npos + 1 is 0
    return all_digits(label) || label.substr(0, 2) == "0x";
}

/// A host or host:port that is safe to print and to put into a URL.
bool is_legal_host(std::string_view host) {
    const auto legal = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == ':' || c == '[' || c == ']';
    };
    return !host.empty() && host.size() <= 255 && host.front() != '.' && host.front() != '-' &&
           host.front() != ':' && std::all_of(host.begin(), host.end(), legal);
}

} // namespace

Result<UrlParts> parse_registry_url(std::string_view url) {
    const auto refuse = [&url](const char* why) {
        return Error(Code::InvalidInput, "URL '" + std::string(url.substr(0, 200)) + "' " + why);
    };
    UrlParts parts;
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) {
        return refuse("has no scheme: write http:// or https://");
    }
    parts.scheme = to_lower(url.substr(0, scheme_end));
    if (parts.scheme != "http" && parts.scheme != "https") {
        return refuse("is neither http nor https");
    }
    if (url.find_first_of("#\\ \t\r\n") != std::string_view::npos) {
        return refuse("holds a fragment, a blank or a backslash");
    }
    const auto rest = url.substr(scheme_end + 3);
    const auto slash = rest.find_first_of("/?");
    const auto authority = rest.substr(0, slash);
    parts.path = slash == std::string_view::npos ? std::string() : std::string(rest.substr(slash));
    if (authority.find('@') != std::string_view::npos) {
        return refuse("holds a user; put it into the credentials file");
    }
    const int default_port = parts.scheme == "https" ? 443 : 80;
    auto host = authority;
    auto port_text = std::string_view();
    if (!authority.empty() && authority.front() == '[') {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) {
            return refuse("has an unfinished [address]");
        }
        host = authority.substr(1, close - 1);
        port_text = authority.substr(close + 1);
    } else if (const auto colon = authority.rfind(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port_text = authority.substr(colon);
    }
    parts.host = to_lower(host);
    parts.port = default_port;
    if (!port_text.empty()) {
        const auto port = parse_int(port_text.substr(1), 1, 65535);
        if (port_text.front() != ':' || !port) {
            return refuse("has no legal port");
        }
        parts.port = static_cast<int>(*port);
    }
    if (!is_legal_host(parts.host) && !is_address_literal(parts.host)) {
        return refuse("has no legal host");
    }
    return parts;
}

bool is_address_literal(std::string_view host) {
    boost::system::error_code error;
    boost::asio::ip::make_address(std::string(host), error);
    return !error;
}

bool is_loopback_host(std::string_view host) {
    if (host == "localhost" ||
        (host.size() > 10 && host.substr(host.size() - 10) == ".localhost")) {
        return true;
    }
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(host), error);
    if (error) {
        return false;
    }
    if (address.is_v6() && address.to_v6().is_v4_mapped()) { // as a socket on [::] sees IPv4
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
            .is_loopback();
    }
    return address.is_loopback();
}

bool is_private_host(std::string_view written) {
    auto host = to_lower(written);
    if (!host.empty() && host.back() == '.') {
        host.pop_back();
    }
    if (is_loopback_host(host) || ends_with(host, ".internal") || ends_with(host, ".local")) {
        return true;
    }
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(host, error);
    if (error) {
        return is_odd_number(host);
    }
    if (address.is_unspecified() || address.is_multicast()) {
        return true;
    }
    if (address.is_v6()) {
        const auto bytes = address.to_v6().to_bytes();
        const bool holds_v4 = std::all_of(
            bytes.begin(), bytes.begin() + 10, [](unsigned char byte) { return byte == 0; });
        return address.to_v6().is_link_local() || (bytes[0] & 0xFEU) == 0xFCU || holds_v4;
    }
    const auto bytes = address.to_v4().to_bytes();
    return bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xF0U) == 16) ||
           (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 169 && bytes[1] == 254) ||
           (bytes[0] == 100 && (bytes[1] & 0xC0U) == 64) || bytes[0] == 0;
}

std::string host_of_component(std::string_view component) {
    const auto line = component.rfind('_');
    if (line != std::string_view::npos && line > 0 && all_digits(component.substr(line + 1))) {
        return std::string(component.substr(0, line)) + ":" +
               std::string(component.substr(line + 1));
    }
    return std::string(component);
}

std::string component_of_host(std::string_view host) {
    std::string component(host);
    const auto colon = component.rfind(':');
    if (colon != std::string::npos) {
        component[colon] = '_';
    }
    return component;
}

UpstreamTable::UpstreamTable() {
    for (const auto& row : built_in) {
        by_host_.emplace(row.host, Upstream{std::string(row.host), std::string(row.url)});
    }
}

Result<void> UpstreamTable::add(std::string_view name_and_url) {
    const auto equals = name_and_url.find('=');
    if (equals == std::string_view::npos) {
        return Error(Code::InvalidInput,
                     "--upstream " + std::string(name_and_url) +
                         ": write NAME=URL, as in ghcr.io=https://ghcr.io");
    }
    const auto host = canonical_host(name_and_url.substr(0, equals));
    if (!is_legal_host(host) || host == hosted_host) {
        return Error(Code::InvalidInput,
                     "--upstream " + std::string(name_and_url) + ": '" + host +
                         "' cannot name an upstream registry");
    }
    auto url = std::string(name_and_url.substr(equals + 1));
    while (!url.empty() && url.back() == '/') {
        url.pop_back();
    }
    const auto parts = parse_registry_url(url);
    if (!parts) {
        auto error = parts.error();
        return std::move(error).with_context("in --upstream " + host);
    }
    if (parts->path.find('?') != std::string::npos) {
        return Error(Code::InvalidInput, "--upstream " + host + ": the URL must have no query");
    }
    by_host_.insert_or_assign(host, Upstream{host, url});
    return {};
}

Result<void> UpstreamTable::allow(std::string_view glob) {
    if (glob.empty() || glob.find_first_of("/ \t=") != std::string_view::npos) {
        return Error(Code::InvalidInput,
                     "--allow-upstream " + std::string(glob) +
                         ": write a host pattern, as in *.example.com");
    }
    allowed_globs_.push_back(to_lower(glob));
    return {};
}

bool UpstreamTable::is_host_component(std::string_view component) const {
    const auto host = host_of_component(component);
    return component == "localhost" || component.find('.') != std::string_view::npos ||
           host != component || by_host_.contains(host);
}

Result<Target> UpstreamTable::on_host(const std::string& host, std::string_view name) const {
    Target target;
    target.host = host;
    target.name = std::string(name);
    if (host == hosted_host) {
        return target;
    }
    if (const auto found = by_host_.find(host); found != by_host_.end()) {
        target.upstream = found->second;
    } else if (std::any_of(allowed_globs_.begin(), allowed_globs_.end(), [&host](const auto& glob) {
                   return matches_glob(glob, host);
               })) {
        target.upstream = Upstream{host, "https://" + host};
        const auto parts = parse_registry_url(target.upstream->url);
        if (!parts || is_private_host(parts->host)) {
            return Error(Code::Forbidden,
                         "registry '" + host +
                             "' is or may be an inner address, which no pattern allows: start the "
                             "proxy with --upstream " +
                             host + "=https://" + host);
        }
    } else {
        return Error(Code::Forbidden,
                     "registry '" + host +
                         "' is not an upstream of this proxy: start it with --upstream " + host +
                         "=https://" + host + " or --allow-upstream " + host);
    }
    if (host == docker_hub && target.name.find('/') == std::string::npos) {
        target.name = "library/" + target.name;
    }
    return target;
}

Result<Target> UpstreamTable::resolve(std::string_view name,
                                      const std::optional<std::string>& ns) const {
    if (ns && !ns->empty()) {
        const auto host = canonical_host(*ns);
        if (!is_legal_host(host)) {
            return Error(Code::InvalidInput,
                         "ns='" + ns->substr(0, 255) + "' is not a registry host");
        }
        return on_host(host, name);
    }
    const auto slash = name.find('/');
    const auto first = name.substr(0, slash);
    if (slash == std::string_view::npos && !by_host_.contains(canonical_host(first))) {
        return on_host(std::string(docker_hub), name); // "ubuntu": a host alone is no repository
    }
    if (!is_host_component(first)) {
        return on_host(std::string(docker_hub), name);
    }
    if (slash == std::string_view::npos) {
        return Error(Code::InvalidInput,
                     "'" + std::string(name) + "' names a registry but no repository in it");
    }
    return on_host(canonical_host(host_of_component(first)), name.substr(slash + 1));
}

std::vector<Upstream> UpstreamTable::list() const {
    std::vector<Upstream> all;
    for (const auto& [host, upstream] : by_host_) {
        all.push_back(upstream);
    }
    return all;
}

} // namespace methos::proxy
