// What is known of each repository: its manifests (digest and media type) and its tags. One small
// file per fact under DIR/names/<host>/<name>/_manifests/<hex> and .../_tags/<tag>, so that a
// listing needs no database; all of it is read at start. The same form for cached and for hosted
// repositories. Loop thread only.
#pragma once

#include "core/runtime/async.hpp"
#include "registry-proxy/cache/digest.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace methos::proxy {

/// A repository on a host: ("docker.io", "library/busybox").
struct RepositoryName {
    std::string host;
    std::string name;
    friend auto operator<=>(const RepositoryName&, const RepositoryName&) = default;
    friend bool operator==(const RepositoryName&, const RepositoryName&) = default;
};

struct Tag {
    Digest digest;
    MonoTime fresh_until = MonoTime::min(); ///< a tag read from disk is to be asked for again
    std::string stale_reason;               ///< why the last question failed, or empty
};

class Repositories {
  public:
    /// Throws Failure when the folder cannot be read.
    explicit Repositories(std::filesystem::path folder);

    [[nodiscard]] std::optional<std::string> find_media_type(const RepositoryName& repository,
                                                             const Digest& digest) const;
    [[nodiscard]] std::optional<Tag> find_tag(const RepositoryName& repository,
                                              const std::string& tag) const;
    /// In order of name.
    [[nodiscard]] std::vector<std::string> list_tags(const RepositoryName& repository) const;
    [[nodiscard]] std::vector<Digest> list_manifests(const RepositoryName& repository) const;
    [[nodiscard]] bool contains(const RepositoryName& repository) const;
    /// Repositories of a host that hold a manifest, in order.
    [[nodiscard]] std::vector<std::string> list_names(const std::string& host) const;

    /// What is learned of upstreams. When the disk refuses, it lasts until the end of the process.
    void put_manifest(const RepositoryName& repository,
                      const Digest& digest,
                      const std::string& media_type);
    void put_tag(const RepositoryName& repository, const std::string& tag, const Tag& value);

    /// A pushed manifest, and its tag if there is one: on disk before it counts, synced by the
    /// pool. Calls for the same repository must not overlap. Throws Failure when the disk refuses.
    [[nodiscard]] awaitable<> put_hosted(asio::thread_pool& pool,
                                         RepositoryName repository,
                                         Digest digest,
                                         std::string media_type,
                                         std::optional<std::string> tag);

    /// Both throw when the disk refuses.
    bool remove_tag(const RepositoryName& repository, const std::string& tag);
    /// Removes the manifest and every tag that names it.
    bool remove_manifest(const RepositoryName& repository, const Digest& digest);

    /// The content has been evicted: no repository can serve it any more.
    void forget_manifest(const Digest& digest);

  private:
    struct Repository {
        std::map<Digest, std::string> manifests;
        std::map<std::string, Tag> tags;
    };

    [[nodiscard]] std::filesystem::path folder_of(const RepositoryName& repository) const;
    [[nodiscard]] const Repository* find(const RepositoryName& repository) const;
    void load();
    void load_fact(const std::filesystem::path& file);

    std::filesystem::path folder_;
    std::map<RepositoryName, Repository> repositories_;
};

} // namespace methos::proxy
