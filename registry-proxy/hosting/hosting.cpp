#include "registry-proxy/hosting/hosting.hpp"

#include "core/base/ids.hpp"
#include "core/base/json.hpp"
#include "core/observe/log.hpp"
#include "registry-proxy/api/errors.hpp"
#include "registry-proxy/upstream/names.hpp"

#include <nlohmann/json.hpp>

namespace methos::proxy {

namespace {

constexpr std::size_t uploads_max = 1000;
constexpr auto upload_idle_limit = std::chrono::hours(1);
/// A pushed blob waits so long for its manifest.
constexpr auto blob_grace = std::chrono::hours(1);

RepositoryName hosted(const std::string& name) {
    return RepositoryName{std::string(hosted_host), name};
}

std::string image_of(const std::string& name, const std::string& reference) {
    const char* separator = reference.find(':') == std::string::npos ? ":" : "@";
    return std::string(hosted_host) + "/" + name + separator + reference;
}

/// Marks an upload as in use by one request.
class Busy {
  public:
    explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }

    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

    ~Busy() { flag_ = false; }

  private:
    bool& flag_;
};

} // namespace

Hosting::Hosting(ContentStore& store,
                 Repositories& repositories,
                 const asio::any_io_executor& executor,
                 asio::thread_pool& pool,
                 const Clock& clock)
    : store_(store), repositories_(repositories), pool_(pool), clock_(clock),
      writing_(executor, 1) {
    for (const auto& name : names()) {
        for (const auto& digest : repositories_.list_manifests(hosted(name))) {
            const auto bytes = store_.read(digest, manifest_bytes_max);
            const auto facts = bytes ? read_manifest(*bytes) : Result<ManifestFacts>(Error());
            if (facts) {
                pin_parts(digest, *facts);
            } else {
                log::error("a hosted manifest is lost or damaged; push the image again",
                           {{"image", image_of(name, digest.to_string())}});
                unpinned_.emplace(name, digest);
            }
        }
    }
}

std::string Hosting::start_upload(const std::string& name) {
    if (uploads_.size() >= uploads_max) {
        throw RegistryFailure(429, "TOOMANYREQUESTS", "too many uploads are open; try again later");
    }
    auto upload = std::make_shared<Upload>();
    upload->name = name;
    upload->file = std::make_shared<TempFile>(store_.new_file());
    upload->last_use = clock_.now().mono;
    auto id = random_uuid();
    uploads_.emplace(id, std::move(upload));
    return id;
}

std::shared_ptr<Hosting::Upload> Hosting::find_upload(const std::string& name,
                                                      const std::string& id) {
    const auto found = uploads_.find(id);
    if (found == uploads_.end() || found->second->name != name) {
        throw RegistryFailure(404,
                              "BLOB_UPLOAD_UNKNOWN",
                              "no such upload (the proxy restarted, or it waited too long): begin "
                              "again");
    }
    if (found->second->busy) {
        throw RegistryFailure(
            400, "BLOB_UPLOAD_INVALID", "another request is writing to this upload");
    }
    found->second->last_use = clock_.now().mono;
    return found->second;
}

std::uint64_t Hosting::upload_bytes(const std::string& name, const std::string& id) {
    return find_upload(name, id)->bytes;
}

awaitable<std::uint64_t> Hosting::append(std::string name,
                                         std::string id,
                                         std::optional<std::uint64_t> first,
                                         std::shared_ptr<http::BodyReader> body) {
    const auto upload = find_upload(name, id);
    if (first && *first != upload->bytes) {
        RegistryFailure failure(416,
                                "BLOB_UPLOAD_INVALID",
                                "the upload is at byte " + std::to_string(upload->bytes) +
                                    ", not at " + std::to_string(*first));
        const auto last = upload->bytes == 0 ? 0 : upload->bytes - 1;
        failure.headers.set("Range", "0-" + std::to_string(last));
        throw failure;
    }
    if (!body) {
        co_return upload->bytes;
    }
    const Busy busy(upload->busy);
    while (auto piece = co_await body->read()) {
        store_.write(*upload->file, upload->bytes, *piece);
        upload->hash.update(*piece);
        upload->bytes += piece->size();
        upload->last_use = clock_.now().mono;
    }
    co_return upload->bytes;
}

awaitable<> Hosting::finish_upload(std::string name, std::string id, Digest digest) {
    const auto upload = find_upload(name, id);
    uploads_.erase(id);
    const auto actual = upload->hash.digest();
    if (actual != digest) {
        throw RegistryFailure(400,
                              "DIGEST_INVALID",
                              "the upload's " + std::to_string(upload->bytes) +
                                  " bytes have the digest " + actual.to_string() + ", not " +
                                  digest.to_string());
    }
    keep_for_a_while(digest);
    if (!store_.is_checked(digest) || !store_.open(digest)) {
        co_await store_.commit(std::move(*upload->file), digest, upload->bytes);
    }
}

void Hosting::cancel_upload(const std::string& name, const std::string& id) {
    (void)find_upload(name, id);
    uploads_.erase(id);
}

bool Hosting::mount(const Digest& digest) {
    if (!store_.open(digest)) {
        return false;
    }
    keep_for_a_while(digest);
    return true;
}

void Hosting::keep_for_a_while(const Digest& digest) {
    store_.index().pin(digest);
    graces_.push_back(Grace{clock_.now().mono + blob_grace, digest});
}

void Hosting::require_parts(const std::string& name, const ManifestFacts& facts) const {
    for (const auto& blob : facts.blobs) {
        const auto content = store_.open(blob.digest);
        if (!content && !blob.elsewhere) {
            throw RegistryFailure(400,
                                  "MANIFEST_BLOB_UNKNOWN",
                                  "blob " + blob.digest.to_string() + " was not pushed to " +
                                      std::string(hosted_host) + "/" + name);
        }
        if (content && content->bytes != blob.bytes) {
            throw RegistryFailure(400,
                                  "MANIFEST_INVALID",
                                  "blob " + blob.digest.to_string() + " has " +
                                      std::to_string(content->bytes) + " bytes, not " +
                                      std::to_string(blob.bytes));
        }
    }
    for (const auto& part : facts.manifests) {
        if (!repositories_.find_media_type(hosted(name), part.digest)) {
            throw RegistryFailure(400,
                                  "MANIFEST_BLOB_UNKNOWN",
                                  "manifest " + part.digest.to_string() +
                                      " of the index was not pushed to " +
                                      std::string(hosted_host) + "/" + name);
        }
    }
}

void Hosting::pin_parts(const Digest& digest, const ManifestFacts& facts) {
    store_.index().pin(digest);
    for (const auto& blob : facts.blobs) {
        store_.index().pin(blob.digest);
    }
}

void Hosting::unpin_parts(const Digest& digest, const ManifestFacts& facts) {
    store_.index().unpin(digest);
    for (const auto& blob : facts.blobs) {
        store_.index().unpin(blob.digest);
    }
}

awaitable<Hosting::Stored> Hosting::put_manifest(std::string name,
                                                 std::string reference,
                                                 std::string media_type,
                                                 std::string bytes) {
    const auto facts = read_manifest(bytes);
    if (!facts) {
        throw RegistryFailure(400, "MANIFEST_INVALID", facts.error().message);
    }
    if (media_type.empty()) {
        media_type = media_type_of(*facts);
    }
    if (!facts->media_type.empty() && facts->media_type != media_type) {
        throw RegistryFailure(400,
                              "MANIFEST_INVALID",
                              "the document says mediaType " + facts->media_type +
                                  " and the Content-Type " + media_type);
    }
    const auto digest = Sha256::of(bytes);
    const auto named = Digest::parse(reference);
    if (named && *named != digest) {
        throw RegistryFailure(
            400, "DIGEST_INVALID", "the manifest's digest is " + digest.to_string());
    }
    const auto permit = co_await writing_.acquire();
    require_parts(name, *facts);
    const auto repository = hosted(name);
    const bool is_new =
        !repositories_.find_media_type(repository, digest) || unpinned_.contains({name, digest});
    pin_parts(digest, *facts); // before the await: nothing of it may be evicted meanwhile
    try {
        co_await store_.put(bytes, digest);
        std::optional<std::string> tag;
        if (!named) {
            tag = reference;
        }
        auto keeping =
            repositories_.put_hosted(pool_, repository, digest, media_type, std::move(tag));
        co_await std::move(keeping);
    } catch (...) {
        unpin_parts(digest, *facts);
        throw;
    }
    if (!is_new) {
        unpin_parts(digest, *facts); // it was pinned already
    }
    unpinned_.erase({name, digest});
    co_return Stored{digest, facts->subject};
}

Digest Hosting::resolve(const std::string& name, const std::string& reference) const {
    if (const auto digest = Digest::parse(reference)) {
        return *digest;
    }
    const auto tag = repositories_.find_tag(hosted(name), reference);
    if (!tag) {
        throw RegistryFailure(404,
                              "MANIFEST_UNKNOWN",
                              image_of(name, reference) +
                                  " is unknown: push it to this proxy first");
    }
    return tag->digest;
}

Hosting::Manifest Hosting::get_manifest(const std::string& name, const std::string& reference) {
    const auto digest = resolve(name, reference);
    const auto media_type = repositories_.find_media_type(hosted(name), digest);
    if (!media_type) {
        throw RegistryFailure(404, "MANIFEST_UNKNOWN", image_of(name, reference) + " is unknown");
    }
    auto bytes = store_.read(digest, manifest_bytes_max);
    if (!bytes) {
        throw RegistryFailure(500,
                              "UNKNOWN",
                              image_of(name, reference) +
                                  " is lost from the proxy's disk: push it again");
    }
    return Manifest{digest, *media_type, std::move(*bytes)};
}

awaitable<> Hosting::delete_manifest(std::string name, std::string reference) {
    const auto permit = co_await writing_.acquire();
    const auto repository = hosted(name);
    if (!Digest::parse(reference)) {
        if (!repositories_.remove_tag(repository, reference)) {
            throw RegistryFailure(
                404, "MANIFEST_UNKNOWN", image_of(name, reference) + " is unknown");
        }
        co_return;
    }
    const auto digest = resolve(name, reference);
    const auto bytes = store_.read(digest, manifest_bytes_max);
    if (!repositories_.remove_manifest(repository, digest)) {
        throw RegistryFailure(404, "MANIFEST_UNKNOWN", image_of(name, reference) + " is unknown");
    }
    const auto facts = bytes ? read_manifest(*bytes) : Result<ManifestFacts>(Error());
    const bool was_pinned = unpinned_.erase({name, digest}) == 0;
    if (facts && was_pinned) {
        unpin_parts(digest, *facts);
    }
}

std::vector<std::string> Hosting::tags(const std::string& name) const {
    if (!repositories_.contains(hosted(name))) {
        throw RegistryFailure(
            404, "NAME_UNKNOWN", "no image was pushed to " + std::string(hosted_host) + "/" + name);
    }
    return repositories_.list_tags(hosted(name));
}

std::vector<std::string> Hosting::names() const {
    return repositories_.list_names(std::string(hosted_host));
}

std::string Hosting::referrers(const std::string& name,
                               const Digest& subject,
                               const std::string& artifact_type) {
    auto index = nlohmann::json::object();
    index["schemaVersion"] = 2;
    index["mediaType"] = "application/vnd.oci.image.index.v1+json";
    index["manifests"] = nlohmann::json::array();
    for (const auto& digest : repositories_.list_manifests(hosted(name))) {
        const auto bytes = store_.read(digest, manifest_bytes_max);
        const auto facts = bytes ? read_manifest(*bytes) : Result<ManifestFacts>(Error());
        if (!facts || facts->subject != subject ||
            (!artifact_type.empty() && facts->artifact_type != artifact_type)) {
            continue;
        }
        auto entry = nlohmann::json::object();
        entry["mediaType"] = repositories_.find_media_type(hosted(name), digest).value_or("");
        entry["digest"] = digest.to_string();
        entry["size"] = bytes->size();
        entry["artifactType"] = facts->artifact_type;
        index["manifests"].push_back(std::move(entry));
    }
    return dump_json(index);
}

void Hosting::tidy() {
    const auto now = clock_.now().mono;
    for (auto it = uploads_.begin(); it != uploads_.end();) {
        const bool abandoned = !it->second->busy && it->second->last_use + upload_idle_limit < now;
        it = abandoned ? uploads_.erase(it) : std::next(it);
    }
    while (!graces_.empty() && graces_.front().until <= now) {
        store_.index().unpin(graces_.front().digest);
        graces_.pop_front();
    }
}

} // namespace methos::proxy
