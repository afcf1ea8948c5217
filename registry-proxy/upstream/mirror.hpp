// Pull-through of manifests and listings: what is answered from the cache, when an upstream is
// asked, and what happens when it cannot answer. Manifests are kept byte for byte under their
// digest; a tag remembers its digest for the tag TTL and is then checked by HEAD.
#pragma once

#include "registry-proxy/cache/content_store.hpp"
#include "registry-proxy/cache/manifest.hpp"
#include "registry-proxy/cache/repositories.hpp"
#include "registry-proxy/upstream/blob_fills.hpp"

namespace methos::proxy {

struct ManifestAnswer {
    Digest digest;
    std::string media_type;
    std::string bytes;
    std::string warning; ///< not empty: stale, and why
};

struct ListingAnswer {
    std::string body;
    std::string content_type;
    std::string next_query;      ///< "n=10&last=x" of the upstream's Link, or empty
    std::string filters_applied; ///< OCI-Filters-Applied
    std::string warning;
};

struct MirrorLimits {
    Duration tag_ttl;        ///< how long a tag is believed without asking
    Duration manifest_limit; ///< longest wait for an upstream's document
};

class Mirror {
  public:
    Mirror(std::shared_ptr<UpstreamClient> client,
           ContentStore& store,
           Repositories& repositories,
           TaskGroup& group,
           const Clock& clock,
           MirrorLimits limits,
           ProxyMetrics metrics);

    /// `reference` is a legal tag or a digest. Throws RegistryFailure (MANIFEST_UNKNOWN 404, or the
    /// upstream's trouble as 401, 403, 429, 502, 504) when neither upstream nor cache has it.
    [[nodiscard]] awaitable<ManifestAnswer> manifest(Target target, std::string reference);

    /// The size of a blob as some manifest promised it; lives in memory only.
    [[nodiscard]] std::optional<std::uint64_t> find_promised_size(const Digest& digest) const;

    /// The size by a HEAD at the upstream; nothing when it gives none without a GET.
    [[nodiscard]] awaitable<std::optional<std::uint64_t>> ask_blob_size(BlobName blob);

    /// tags/list or referrers/<digest>, passed on. When the upstream is in trouble the tags that
    /// the cache knows are listed instead, with a warning.
    [[nodiscard]] awaitable<ListingAnswer> tags(Target target, std::string query);
    [[nodiscard]] awaitable<ListingAnswer>
    referrers(Target target, std::string digest, std::string query);

  private:
    [[nodiscard]] UpstreamCall
    make_call(const Target& target, std::string method, std::string path) const;
    [[nodiscard]] UpstreamCall make_manifest_call(const Target& target,
                                                  std::string method,
                                                  const std::string& reference) const;
    [[nodiscard]] awaitable<ManifestAnswer> manifest_by_digest(Target target, Digest digest);
    [[nodiscard]] awaitable<ManifestAnswer> manifest_by_tag(Target target, std::string tag);
    [[nodiscard]] awaitable<Digest> refresh_tag(Target target, std::string tag, bool known);
    [[nodiscard]] awaitable<std::optional<Digest>> ask_tag_digest(Target target, std::string tag);
    [[nodiscard]] awaitable<Digest>
    fetch_manifest(Target target, std::string reference, std::optional<Digest> wanted);
    [[nodiscard]] std::optional<ManifestAnswer> find_cached(const Target& target,
                                                            const Digest& digest);
    [[nodiscard]] awaitable<> keep(Digest digest, std::string bytes);
    void remember_sizes(const ManifestFacts& facts);

    std::shared_ptr<UpstreamClient> client_;
    ContentStore& store_;
    Repositories& repositories_;
    const Clock& clock_;
    MirrorLimits limits_;
    ProxyMetrics metrics_;
    SingleFlight<Digest> flights_;
    std::unordered_map<Digest, std::uint64_t> promised_sizes_;
    std::unordered_map<Digest, std::string> unsaved_; ///< manifests that the disk refused
};

} // namespace methos::proxy
