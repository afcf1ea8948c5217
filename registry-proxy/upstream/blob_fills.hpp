// Brings blobs from upstreams into the cache: one transfer per digest however many clients wait,
// written to disk while they read from it, committed only when the hash is right. The transfer
// belongs to the proxy and not to the client that was first; a slow reader delays nobody. Cut
// transfers are resumed. When the disk is full each reader goes on with a transfer of its own.
// Content that an earlier process left in the cache comes the same way, with the disk as its
// upstream (blob_checks.cpp), until its digest was seen to be right.
#pragma once

#include "registry-proxy/cache/content_store.hpp"
#include "registry-proxy/cache/fill.hpp"
#include "registry-proxy/upstream/blob_source.hpp"

#include <unordered_map>

namespace methos::proxy {

/// A fill in progress, shared by the transfer and its readers; readers keep it alive.
struct BlobFill {
    BlobFill(BlobName blob_, const asio::any_io_executor& executor)
        : blob(std::move(blob_)), changed(executor) {}

    BlobName blob;
    FillState state;
    Sha256 hash;
    Descriptor file;                    ///< for reading; none when nothing could be written
    std::shared_ptr<BlobSource> source; ///< then: the opened transfer, for the first reader
    std::exception_ptr failure;
    Broadcast changed;
    std::uint64_t answerable_from = 0; ///< so many bytes are received before anybody is answered

    /// Returns when the length is known or the fill has ended; a small blob only once it has ended.
    /// Throws what made the fill fail.
    [[nodiscard]] awaitable<> wait_until_answerable();
    /// Throws what made the fill fail.
    [[nodiscard]] awaitable<> wait_until_ended();
};

class BlobFills {
  public:
    BlobFills(std::shared_ptr<UpstreamClient> client, ContentStore& store, TaskGroup& group);

    /// The running fill of this digest, whichever repository began it, or a new one.
    [[nodiscard]] std::shared_ptr<BlobFill> join_or_start(const BlobName& blob);

    /// The same of unchecked content of the cache: it is read through, checked, and removed when
    /// its digest is wrong, which fails the fill.
    [[nodiscard]] std::shared_ptr<BlobFill> join_or_check(const Digest& digest,
                                                          OpenContent content);

    [[nodiscard]] std::shared_ptr<BlobFill> find(const Digest& digest) const;

    /// Bytes [offset, end) of the blob as they become available; without `end`, all from offset.
    [[nodiscard]] std::shared_ptr<http::BodyReader> make_reader(std::shared_ptr<BlobFill> fill,
                                                                std::uint64_t offset,
                                                                std::optional<std::uint64_t> end);

  private:
    class Room;
    [[nodiscard]] std::shared_ptr<BlobFill> make_fill(BlobName blob);
    [[nodiscard]] awaitable<> run(std::shared_ptr<BlobFill> fill);
    [[nodiscard]] awaitable<> run_check(std::shared_ptr<BlobFill> fill);
    [[nodiscard]] awaitable<> check(std::shared_ptr<BlobFill> fill);
    void ended(BlobFill& fill);
    [[nodiscard]] awaitable<> transfer(std::shared_ptr<BlobFill> fill);
    [[nodiscard]] awaitable<bool> receive_once(std::shared_ptr<BlobFill> fill,
                                               std::shared_ptr<TempFile> file,
                                               std::shared_ptr<Room> room);
    [[nodiscard]] awaitable<> keep_verified(std::shared_ptr<BlobFill> fill,
                                            std::shared_ptr<TempFile> file,
                                            std::shared_ptr<Room> room);
    [[nodiscard]] std::shared_ptr<TempFile> create_file(BlobFill& fill);
    [[nodiscard]] bool write(TempFile& file, std::uint64_t offset, std::string_view bytes);

    std::shared_ptr<UpstreamClient> client_;
    ContentStore& store_;
    TaskGroup& group_;
    std::unordered_map<Digest, std::shared_ptr<BlobFill>> fills_;
};

} // namespace methos::proxy
