// Images that live in the proxy itself, under registry.internal: uploads, manifests whose parts are
// checked to be there, tags, deletion. Content is shared with the cache and pinned while a hosted
// manifest refers to it, so that it is never evicted. Knows nothing of HTTP's paths and headers.
#pragma once

#include "core/http/message.hpp"
#include "registry-proxy/cache/content_store.hpp"
#include "registry-proxy/cache/manifest.hpp"
#include "registry-proxy/cache/repositories.hpp"

#include <deque>
#include <set>
#include <unordered_map>

namespace methos::proxy {

class Hosting {
  public:
    /// Pins what the hosted manifests on disk refer to.
    Hosting(ContentStore& store,
            Repositories& repositories,
            const asio::any_io_executor& executor,
            asio::thread_pool& pool,
            const Clock& clock);

    /// Opens an upload session. Throws RegistryFailure(429) when too many are open.
    [[nodiscard]] std::string start_upload(const std::string& name);

    /// Bytes received so far. Throws RegistryFailure(BLOB_UPLOAD_UNKNOWN).
    [[nodiscard]] std::uint64_t upload_bytes(const std::string& name, const std::string& id);

    /// Appends a body. `first` is where the client believes to be; another place is a
    /// RegistryFailure(BLOB_UPLOAD_INVALID, 416) that tells the right one. What came before a cut
    /// is kept. Returns the bytes received so far.
    [[nodiscard]] awaitable<std::uint64_t> append(std::string name,
                                                  std::string id,
                                                  std::optional<std::uint64_t> first,
                                                  std::shared_ptr<http::BodyReader> body);

    /// Checks the digest and keeps the blob; the session is over either way.
    /// Throws RegistryFailure(DIGEST_INVALID).
    [[nodiscard]] awaitable<> finish_upload(std::string name, std::string id, Digest digest);

    void cancel_upload(const std::string& name, const std::string& id);

    /// Whether the blob is here, so that it need not be sent; it stays at least for an hour.
    [[nodiscard]] bool mount(const Digest& digest);

    struct Stored {
        Digest digest;
        std::optional<Digest> subject;
    };

    /// `reference` is a legal tag or a digest. Throws RegistryFailure: MANIFEST_INVALID,
    /// MANIFEST_BLOB_UNKNOWN with the missing digest, DIGEST_INVALID.
    [[nodiscard]] awaitable<Stored> put_manifest(std::string name,
                                                 std::string reference,
                                                 std::string media_type,
                                                 std::string bytes);

    struct Manifest {
        Digest digest;
        std::string media_type;
        std::string bytes;
    };

    /// Throws RegistryFailure(MANIFEST_UNKNOWN).
    [[nodiscard]] Manifest get_manifest(const std::string& name, const std::string& reference);
    [[nodiscard]] awaitable<> delete_manifest(std::string name, std::string reference);

    /// Throws RegistryFailure(NAME_UNKNOWN).
    [[nodiscard]] std::vector<std::string> tags(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> names() const;

    /// An OCI index of the manifests whose subject is `subject`.
    [[nodiscard]] std::string
    referrers(const std::string& name, const Digest& subject, const std::string& artifact_type);

    /// Ends abandoned uploads and the grace of blobs that no manifest came for. Called now and
    /// then.
    void tidy();

  private:
    struct Upload {
        std::string name;
        std::shared_ptr<TempFile> file;
        Sha256 hash;
        std::uint64_t bytes = 0;
        MonoTime last_use;
        bool busy = false;
    };

    [[nodiscard]] std::shared_ptr<Upload> find_upload(const std::string& name,
                                                      const std::string& id);
    [[nodiscard]] Digest resolve(const std::string& name, const std::string& reference) const;
    void require_parts(const std::string& name, const ManifestFacts& facts) const;
    void pin_parts(const Digest& digest, const ManifestFacts& facts);
    void unpin_parts(const Digest& digest, const ManifestFacts& facts);
    void keep_for_a_while(const Digest& digest);

    struct Grace {
        MonoTime until;
        Digest digest;
    };

    ContentStore& store_;
    Repositories& repositories_;
    asio::thread_pool& pool_;
    const Clock& clock_;
    Semaphore writing_; ///< manifests and tags change one after the other, on disk as in memory
    std::unordered_map<std::string, std::shared_ptr<Upload>> uploads_;
    std::deque<Grace> graces_; ///< in order of time
    /// Repository and manifest, of those whose parts are not pinned: lost or damaged at the start.
    std::set<std::pair<std::string, Digest>> unpinned_;
};

} // namespace methos::proxy
