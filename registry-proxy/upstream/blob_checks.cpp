// Content that was in the cache before this process began: the disk may have lost or changed some
// of it. It is read through once as a fill whose upstream is the disk, so that its readers get
// nothing of the end before the digest is seen to be right; then it is served as anything else.
// What is wrong is removed, and the next to ask gets it from the upstream, or may push it again.
#include "core/observe/log.hpp"
#include "registry-proxy/upstream/blob_fills.hpp"

#include <algorithm>

namespace methos::proxy {

namespace {

constexpr std::uint64_t piece_bytes = 1024 * 1024;

/// Most layers are smaller: of them nobody is answered before they are known to be right, and then
/// the upstream's copy can take their place unseen. Larger ones would keep their clients waiting.
constexpr std::uint64_t unanswered_bytes_max = 16 * 1024 * 1024;

} // namespace

std::shared_ptr<BlobFill> BlobFills::join_or_check(const Digest& digest, OpenContent content) {
    if (auto running = find(digest)) {
        return running;
    }
    auto fill = make_fill(BlobName{Upstream(), std::string(), digest});
    fill->answerable_from = unanswered_bytes_max;
    fill->file = std::move(content.descriptor);
    (void)fill->state.begin(content.bytes);
    auto child = run_check(fill);
    group_.spawn("check " + digest.to_string(), std::move(child));
    return fill;
}

awaitable<> BlobFills::run_check(std::shared_ptr<BlobFill> fill) {
    try {
        co_await check(fill);
    } catch (const Failure& failure) {
        if (failure.code() != Code::Cancelled) { // what cannot be read is as good as wrong
            log::failure("cached content cannot be served", failure.error());
            store_.drop_damaged(fill->blob.digest);
        }
        fill->failure = std::current_exception();
    } catch (...) {
        fill->failure = std::current_exception();
    }
    ended(*fill);
}

awaitable<> BlobFills::check(std::shared_ptr<BlobFill> fill) {
    const auto hash = std::make_shared<Sha256>();
    const auto total = fill->state.total().value_or(0);
    while (fill->state.received() < total) {
        const auto offset = fill->state.received();
        const auto length = static_cast<std::size_t>(std::min(piece_bytes, total - offset));
        auto reading = store_.hash_piece(hash, fill->file.get(), offset, length);
        if (!co_await std::move(reading)) {
            throw Failure(Code::Internal,
                          "the file of " + fill->blob.digest.to_string() + " became shorter");
        }
        (void)fill->state.receive(length);
        fill->changed.notify();
    }
    if (hash->digest() != fill->blob.digest) {
        throw Failure(Code::Internal,
                      "the digest of " + fill->blob.digest.to_string() + " is " +
                          hash->digest().to_string() + " now");
    }
    store_.mark_checked(fill->blob.digest);
    fill->state.verified();
}

} // namespace methos::proxy
