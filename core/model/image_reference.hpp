// Image references as people write them, and how each is spelled on the way through the registry
// proxy. Pure.
#pragma once

#include "core/base/error.hpp"

#include <string>

namespace methos {

constexpr const char* internal_registry = "registry.internal"; ///< images the proxy itself hosts

struct ImageReference {
    std::string host;       ///< "docker.io", "localhost:5000", "registry.internal"
    std::string path;       ///< "library/nginx"
    std::string tag;        ///< "latest" where none was given; empty with a digest
    std::string digest;     ///< "sha256:..."; empty without
    std::string repository; ///< as written, without tag and digest: "nginx"

    /// What a pull names beside the repository: the digest, else the tag.
    [[nodiscard]] const std::string& version() const { return digest.empty() ? tag : digest; }

    [[nodiscard]] bool hosted_by_proxy() const { return host == internal_registry; }

    /// "127.0.0.1:5000/docker.io/library/nginx". An upstream `host:port` becomes `host_port`.
    [[nodiscard]] std::string path_through(const std::string& proxy) const;

    /// The repository that names an image of a digest on this host only, and the tag there:
    /// "methos.local/docker.io/library/nginx", "sha256-" and 32 hex digits. Docker knows a pulled
    /// digest only under the repository it came by, which may be the proxy's.
    [[nodiscard]] std::string local_repository() const;
    [[nodiscard]] std::string local_tag() const;

    friend bool operator==(const ImageReference&, const ImageReference&) = default;
};

/// Errors: InvalidInput that says what is wrong with it.
[[nodiscard]] Result<ImageReference> parse_image_reference(const std::string& text);

} // namespace methos
