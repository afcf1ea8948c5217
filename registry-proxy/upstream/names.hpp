// Which registry serves a name: the table of upstreams, and the rules by which a request's path and
// its `ns` parameter choose one (DESIGN.md section 8, "Images"). Pure.
#pragma once

#include "core/base/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos::proxy {

/// Images pushed to the proxy live under this pseudo-host.
inline constexpr std::string_view hosted_host = "registry.internal";

struct Upstream {
    std::string host; ///< as references write it: "docker.io", "127.0.0.1:5001"
    std::string url;  ///< "https://registry-1.docker.io", without trailing slash
    friend bool operator==(const Upstream&, const Upstream&) = default;
};

/// Where a request goes.
struct Target {
    std::optional<Upstream> upstream; ///< none: hosted here
    std::string host;                 ///< upstream's host, or hosted_host
    std::string name;                 ///< repository on that host

    [[nodiscard]] bool hosted() const noexcept { return !upstream.has_value(); }
};

/// A URL's parts as far as registries need them.
struct UrlParts {
    std::string scheme; ///< "http" or "https"
    std::string host;   ///< lower case, IPv6 without brackets
    int port = 0;       ///< the scheme's default when not written
    std::string path;   ///< with leading slash, or empty
};

/// Errors: InvalidInput for anything but http(s)://host[:port][/path] (no user, no fragment).
[[nodiscard]] Result<UrlParts> parse_registry_url(std::string_view url);

/// 127.0.0.0/8, ::1 or localhost.
[[nodiscard]] bool is_loopback_host(std::string_view host);
/// Whether a host is, or may turn out to be, inside: loopback, private, link-local, multicast or
/// unspecified addresses; numbers that only some resolvers take for an address (127.1, 0x7f000001);
/// localhost and names below .internal and .local. Other names are not resolved.
[[nodiscard]] bool is_private_host(std::string_view host);
[[nodiscard]] bool is_address_literal(std::string_view host);

class UpstreamTable {
  public:
    /// docker.io, ghcr.io, quay.io, gcr.io, registry.k8s.io, public.ecr.aws, mcr.microsoft.com.
    UpstreamTable();

    /// One --upstream NAME=URL. Errors: InvalidInput.
    [[nodiscard]] Result<void> add(std::string_view name_and_url);
    /// One --allow-upstream GLOB ("*.example.com"); those are asked over https, private hosts
    /// never. Errors: InvalidInput.
    [[nodiscard]] Result<void> allow(std::string_view glob);

    /// Chooses the target of a legal repository name. `ns` wins over the path.
    /// Errors: Forbidden for an upstream that is neither named nor allowed, InvalidInput for a
    /// malformed `ns` or a path that is only a host.
    [[nodiscard]] Result<Target> resolve(std::string_view name,
                                         const std::optional<std::string>& ns) const;

    [[nodiscard]] std::vector<Upstream> list() const;

  private:
    [[nodiscard]] Result<Target> on_host(const std::string& host, std::string_view name) const;
    [[nodiscard]] bool is_host_component(std::string_view component) const;

    std::map<std::string, Upstream> by_host_;
    std::vector<std::string> allowed_globs_;
};

/// "a_5000" -> "a:5000": how a path writes host:port. Anything else is returned unchanged.
[[nodiscard]] std::string host_of_component(std::string_view component);

/// "a:5000" -> "a_5000".
[[nodiscard]] std::string component_of_host(std::string_view host);

} // namespace methos::proxy
