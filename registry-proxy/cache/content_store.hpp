// The files of the cache: content by digest under DIR/blobs/sha256/ab/<hex>, shared by all names,
// and files under construction under DIR/tmp. Owns the index, which it rebuilds from the files at
// start; what it found then may have rotted and counts as unchecked until its digest was seen to be
// right. Loop thread only; what syncs to disk runs on the pool. Who refers to content is
// repositories.hpp's matter.
#pragma once

#include "core/runtime/async.hpp"
#include "registry-proxy/cache/files.hpp"
#include "registry-proxy/cache/index.hpp"

#include <functional>

namespace methos::proxy {

/// Content opened for reading. While the descriptor is open, wherever it goes, its shared lock
/// keeps the eviction away.
struct OpenContent {
    Descriptor descriptor;
    std::uint64_t bytes = 0;
};

class ContentStore {
  public:
    /// Creates the folders, removes what a crash left under construction, and indexes the rest by
    /// last use. Throws Failure with a sentence for the operator.
    ContentStore(std::filesystem::path folder,
                 std::uint64_t capacity_bytes,
                 asio::thread_pool& pool);

    /// Opens content and counts as a use. Nothing when it is not there; a file that vanished or
    /// changed its size under us is forgotten, and then it is not there. Throws
    /// Failure(Unavailable) when it is there and cannot be opened now, as without free descriptors.
    [[nodiscard]] std::optional<OpenContent> open(const Digest& digest);

    /// Whether this process has seen the content's digest to be right. What is not there is not
    /// unchecked.
    [[nodiscard]] bool is_checked(const Digest& digest) const {
        return !unchecked_.contains(digest);
    }

    /// The digest is right.
    void mark_checked(const Digest& digest) { unchecked_.erase(digest); }

    /// The digest is wrong: the content is removed. Does nothing when it was replaced meanwhile.
    void drop_damaged(const Digest& digest);

    /// Reads up to `length` bytes at `offset` into a hash, on the pool. False when there are less.
    /// `hash` and the file are left alone by others meanwhile. Throws Failure.
    [[nodiscard]] awaitable<bool> hash_piece(std::shared_ptr<Sha256> hash,
                                             int descriptor,
                                             std::uint64_t offset,
                                             std::size_t length);

    /// The content itself, when it is there, right and at most `max` bytes.
    [[nodiscard]] std::optional<std::string> read(const Digest& digest, std::size_t max);

    [[nodiscard]] std::optional<std::uint64_t> find_size(const Digest& digest) const;

    /// A new file under construction. Throws Failure (ResourceExhausted when the disk is full).
    [[nodiscard]] TempFile new_file();

    /// Makes a finished, verified file durable under its digest.
    [[nodiscard]] awaitable<> commit(TempFile file, Digest digest, std::uint64_t bytes);

    /// Stores a small document under its digest, durably.
    [[nodiscard]] awaitable<> put(std::string bytes, Digest digest);

    /// Evicts until `bytes` more fit into the capacity; false when they cannot, and then what was
    /// clear beforehand has cost no content.
    bool make_room(std::uint64_t bytes);

    /// Writes to a file under construction; a full disk is relieved by evicting. Throws Failure,
    /// ResourceExhausted when nothing more can go.
    void write(TempFile& file, std::uint64_t offset, std::string_view bytes);

    [[nodiscard]] CacheIndex& index() noexcept { return index_; }

    /// Called for each eviction.
    void on_evicted(std::function<void(const Digest&)> hook) { on_evicted_ = std::move(hook); }

  private:
    [[nodiscard]] std::filesystem::path place_of(const Digest& digest) const;
    void scan();
    [[nodiscard]] bool evict(const Digest& digest);
    std::uint64_t evict_bytes(std::uint64_t bytes);

    std::filesystem::path folder_;
    asio::thread_pool& pool_;
    CacheIndex index_;
    std::unordered_set<Digest> unchecked_;
    std::function<void(const Digest&)> on_evicted_;
};

} // namespace methos::proxy
