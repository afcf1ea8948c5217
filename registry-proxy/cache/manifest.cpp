#include "registry-proxy/cache/manifest.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace methos::proxy {

namespace {

using nlohmann::json;

constexpr std::size_t references_max = 10'000;

Error invalid(const std::string& place, const std::string& what) {
    return Error(Code::InvalidInput, "manifest: " + place + " " + what);
}

std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Reference> read_descriptor(const json& value, const std::string& place) {
    if (!value.is_object()) {
        return invalid(place, "is not an object");
    }
    const auto digest = Digest::parse(text_at(value, "digest"));
    if (!digest) {
        return invalid(place + ".digest", "is wrong: " + digest.error().message);
    }
    const auto size = value.find("size");
    if (size == value.end() || !size->is_number_integer() || *size < 0) {
        return invalid(place + ".size", "is not a whole number of bytes");
    }
    const auto urls = value.find("urls");
    Reference reference;
    reference.digest = *digest;
    reference.bytes = size->get<std::uint64_t>();
    reference.elsewhere = urls != value.end() && urls->is_array() && !urls->empty();
    return reference;
}

Result<std::vector<Reference>> read_list(const json& document, const char* key) {
    std::vector<Reference> list;
    const auto found = document.find(key);
    if (found == document.end() || found->is_null()) {
        return list;
    }
    if (!found->is_array() || found->size() > references_max) {
        return invalid(key, "is not a list of at most 10000 descriptors");
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
        auto reference =
            read_descriptor((*found)[i], std::string(key) + "[" + std::to_string(i) + "]");
        if (!reference) {
            return reference.error();
        }
        list.push_back(std::move(*reference));
    }
    return list;
}

/// Schema 1 names its layers otherwise: fsLayers[].blobSum, sizes unknown.
Result<ManifestFacts> read_schema1(const json& document) {
    ManifestFacts facts;
    facts.media_type = "application/vnd.docker.distribution.manifest.v1+json";
    const auto layers = document.find("fsLayers");
    if (layers == document.end() || !layers->is_array() || layers->size() > references_max) {
        return invalid("fsLayers", "is not a list");
    }
    return facts;
}

} // namespace

Result<ManifestFacts> read_manifest(std::string_view document) {
    const auto root = try_parse_json(document);
    if (root.is_discarded() || !root.is_object()) {
        return Error(Code::InvalidInput, "manifest: not a JSON object");
    }
    const auto version = root.find("schemaVersion");
    if (version == root.end() || !version->is_number_integer()) {
        return invalid("schemaVersion", "is missing");
    }
    if (*version == 1) {
        return read_schema1(root);
    }
    ManifestFacts facts;
    facts.media_type = text_at(root, "mediaType");
    facts.artifact_type = text_at(root, "artifactType");
    facts.is_index = root.contains("manifests");
    auto manifests = read_list(root, "manifests");
    auto layers = read_list(root, "layers");
    if (!manifests || !layers) {
        return manifests ? layers.error() : manifests.error();
    }
    facts.manifests = std::move(*manifests);
    facts.blobs = std::move(*layers);
    if (const auto config = root.find("config"); config != root.end() && !config->is_null()) {
        auto reference = read_descriptor(*config, "config");
        if (!reference) {
            return reference.error();
        }
        facts.blobs.push_back(std::move(*reference));
        if (facts.artifact_type.empty()) {
            facts.artifact_type = text_at(*config, "mediaType");
        }
    }
    if (const auto subject = root.find("subject"); subject != root.end() && !subject->is_null()) {
        auto reference = read_descriptor(*subject, "subject");
        if (!reference) {
            return reference.error();
        }
        facts.subject = reference->digest;
    }
    return facts;
}

std::string bare_media_type(std::string_view content_type) {
    const auto end = content_type.find(';');
    auto bare = std::string(content_type.substr(0, end));
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    bare.erase(std::remove_if(bare.begin(), bare.end(), blank), bare.end());
    std::transform(bare.begin(), bare.end(), bare.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return bare;
}

const std::string& accepted_manifest_types() {
    static const std::string types =
        "application/vnd.oci.image.index.v1+json, "
        "application/vnd.docker.distribution.manifest.list.v2+json, "
        "application/vnd.oci.image.manifest.v1+json, "
        "application/vnd.docker.distribution.manifest.v2+json, "
        "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, "
        "application/vnd.docker.distribution.manifest.v1+json;q=0.4";
    return types;
}

std::string media_type_of(const ManifestFacts& facts) {
    if (!facts.media_type.empty()) {
        return facts.media_type;
    }
    return facts.is_index ? "application/vnd.oci.image.index.v1+json"
                          : "application/vnd.oci.image.manifest.v1+json";
}

} // namespace methos::proxy
