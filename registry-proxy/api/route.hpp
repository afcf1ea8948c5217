// Reads the registry API's paths: which endpoint, which repository, which tag, digest or upload.
// Pure grammar (OCI distribution spec, "Endpoints"); who serves the repository is upstream/names.
#pragma once

#include "core/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace methos::proxy {

enum class Endpoint {
    Ping,      ///< /v2
    Catalog,   ///< /v2/_catalog
    Manifest,  ///< /v2/<name>/manifests/<tag or digest>
    Blob,      ///< /v2/<name>/blobs/<digest>
    Uploads,   ///< /v2/<name>/blobs/uploads
    Upload,    ///< /v2/<name>/blobs/uploads/<id>
    Tags,      ///< /v2/<name>/tags/list
    Referrers, ///< /v2/<name>/referrers/<digest>
};

struct RegistryPath {
    Endpoint endpoint = Endpoint::Ping;
    std::string name;      ///< legal by is_legal_name; may still start with an upstream's host
    std::string reference; ///< tag, digest or upload id, not yet checked
};

/// Reads a path (percent-decoded, without query). A name may itself hold components called blobs,
/// manifests or tags, so the last such component decides.
/// Errors: NotFound when it is no registry path, InvalidInput when the name is illegal.
[[nodiscard]] Result<RegistryPath> parse_registry_path(std::string_view path);

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` joined by slashes, at most 255 characters.
[[nodiscard]] bool is_legal_name(std::string_view name);

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
[[nodiscard]] bool is_legal_tag(std::string_view tag);

} // namespace methos::proxy
