// What a manifest says about other content: its type, what it refers to, and the sizes it promises.
// Pure. Manifests are kept and served byte for byte; nothing here changes them.
#pragma once

#include "registry-proxy/cache/digest.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos::proxy {

/// The largest manifest that is fetched or accepted, as registries and containerd limit it.
constexpr std::size_t manifest_bytes_max = 4 * 1024 * 1024;

struct Reference {
    Digest digest;
    std::uint64_t bytes = 0;
    bool elsewhere = false; ///< has `urls`: may legally be absent (foreign layers)
};

struct ManifestFacts {
    std::string media_type;           ///< as the document says; may be empty (OCI allows it)
    std::vector<Reference> blobs;     ///< config and layers
    std::vector<Reference> manifests; ///< of an index
    std::optional<Digest> subject;
    std::string artifact_type; ///< artifactType, else the config's media type
    bool is_index = false;
};

/// Errors: InvalidInput, with the place in the document.
[[nodiscard]] Result<ManifestFacts> read_manifest(std::string_view document);

/// "type/subtype" without parameters, in lower case.
[[nodiscard]] std::string bare_media_type(std::string_view content_type);

/// Every manifest type the proxy asks an upstream for, comma-joined.
[[nodiscard]] const std::string& accepted_manifest_types();

/// The type of a document whose upstream named none: what it says itself, else OCI's by its shape.
[[nodiscard]] std::string media_type_of(const ManifestFacts& facts);

} // namespace methos::proxy
