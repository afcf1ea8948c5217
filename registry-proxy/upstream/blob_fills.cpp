#include "registry-proxy/upstream/blob_fills.hpp"

#include "core/base/backoff.hpp"
#include "core/observe/log.hpp"
#include "registry-proxy/api/errors.hpp"

#include <sys/file.h>
#include <unistd.h>

namespace methos::proxy {

namespace {

/// How long a transfer is tried again without a single new byte before it is given up: when
/// clients are in the middle of the body, and when none has got an answer yet.
constexpr auto patience_underway = std::chrono::seconds(30);
constexpr auto patience_at_start = std::chrono::seconds(2);

bool is_worth_resuming(const Failure& failure, bool underway) {
    switch (failure.code()) {
    case Code::Unavailable:
    case Code::Protocol:
        return true;
    case Code::Timeout:
    case Code::ResourceExhausted: // 429
        return underway;
    default:
        return false;
    }
}

void warn_too_large(const Digest& digest, std::uint64_t bytes) {
    log::warning("a blob does not fit into the cache and is not kept",
                 {{"digest", digest.to_string()}, {"bytes", bytes}});
}

} // namespace

awaitable<> BlobFill::wait_until_answerable() {
    const auto answerable = [this] {
        return state.ended() || (state.phase() == FillState::Phase::Receiving &&
                                 !state.is_small() && state.received() >= answerable_from);
    };
    while (!answerable()) {
        co_await changed.wait_beyond(changed.version());
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

awaitable<> BlobFill::wait_until_ended() {
    while (!state.ended()) {
        co_await changed.wait_beyond(changed.version());
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

/// The room that a fill holds in the cache while it runs.
class BlobFills::Room {
  public:
    explicit Room(ContentStore& store) : store_(store) {}

    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    ~Room() { store_.index().release(held_); }

    /// Makes room for a blob of that size, once. False when there can be none: such a blob is
    /// streamed, not kept.
    [[nodiscard]] bool hold(std::uint64_t bytes) {
        if (held_ == 0 && bytes > 0) {
            if (!store_.make_room(bytes)) {
                return false;
            }
            held_ = bytes;
            store_.index().reserve(held_);
        }
        return true;
    }

    void release() {
        store_.index().release(held_);
        held_ = 0;
    }

  private:
    ContentStore& store_;
    std::uint64_t held_ = 0;
};

BlobFills::BlobFills(std::shared_ptr<UpstreamClient> client, ContentStore& store, TaskGroup& group)
    : client_(std::move(client)), store_(store), group_(group) {}

std::shared_ptr<BlobFill> BlobFills::find(const Digest& digest) const {
    const auto found = fills_.find(digest);
    return found == fills_.end() ? nullptr : found->second;
}

std::shared_ptr<BlobFill> BlobFills::join_or_start(const BlobName& blob) {
    if (auto running = find(blob.digest)) {
        return running;
    }
    auto fill = make_fill(blob);
    auto child = run(fill);
    group_.spawn("fill " + blob.digest.to_string(), std::move(child));
    return fill;
}

std::shared_ptr<BlobFill> BlobFills::make_fill(BlobName blob) {
    auto fill = std::make_shared<BlobFill>(std::move(blob), group_.executor());
    fills_.emplace(fill->blob.digest, fill);
    return fill;
}

awaitable<> BlobFills::run(std::shared_ptr<BlobFill> fill) {
    try {
        co_await transfer(fill);
    } catch (const Failure& failure) {
        log::failure("fetching a blob failed",
                     failure.error(),
                     {{"digest", fill->blob.digest.to_string()},
                      {"upstream", fill->blob.upstream.host},
                      {"repository", fill->blob.repository}});
        fill->failure = std::current_exception();
    } catch (...) {
        fill->failure = std::current_exception();
    }
    ended(*fill);
}

void BlobFills::ended(BlobFill& fill) {
    if (fill.failure && !fill.state.ended()) {
        fill.state.fail();
    }
    fills_.erase(fill.blob.digest);
    fill.changed.notify();
}

std::shared_ptr<TempFile> BlobFills::create_file(BlobFill& fill) {
    try {
        auto file = std::make_shared<TempFile>(store_.new_file());
        fill.file = Descriptor(::dup(file->descriptor()));
        // Shared by all duplicates of the descriptor: while anybody reads, nobody evicts.
        ::flock(file->descriptor(), LOCK_SH | LOCK_NB);
        return file;
    } catch (const Failure& failure) {
        log::failure("cannot write to the cache; passing blobs through", failure.error());
        return nullptr;
    }
}

bool BlobFills::write(TempFile& file, std::uint64_t offset, std::string_view bytes) {
    try {
        store_.write(file, offset, bytes);
        return true;
    } catch (const Failure& failure) {
        log::failure("cannot write to the cache; passing blobs through", failure.error());
        return false;
    }
}

awaitable<> BlobFills::transfer(std::shared_ptr<BlobFill> fill) {
    auto file = create_file(*fill);
    if (!file) {
        fill->source = co_await BlobSource::open(client_, fill->blob, 0);
        (void)fill->state.begin(fill->source->total());
        fill->state.detach();
        co_return;
    }
    const auto room = std::make_shared<Room>(store_);
    Backoff backoff(BackoffPolicy(), system_uniform());
    auto last_progress = std::chrono::steady_clock::now();
    for (bool whole = false; !whole;) {
        const auto before = fill->state.received();
        std::exception_ptr cut;
        try {
            whole = co_await receive_once(fill, file, room);
        } catch (const Failure& failure) {
            if (!is_worth_resuming(failure, fill->state.received() > 0)) {
                throw;
            }
            cut = std::current_exception();
        }
        if (whole || fill->state.ended()) { // received or detached
            break;
        }
        const auto now = std::chrono::steady_clock::now();
        if (fill->state.received() > before) {
            last_progress = now;
            backoff.reset();
        }
        const auto patience = fill->state.received() > 0 ? patience_underway : patience_at_start;
        if (now - last_progress > patience) {
            if (cut) {
                std::rethrow_exception(cut);
            }
            throw Failure(Code::Protocol, "the upstream ended the body early, again and again");
        }
        const auto pause = backoff.next();
        co_await sleep_for(pause);
    }
    if (fill->state.ended()) {
        co_return; // the readers go on by themselves
    }
    co_await keep_verified(std::move(fill), std::move(file), std::move(room));
}

/// The body is whole: checks it, lets the readers have the rest, and keeps it.
awaitable<> BlobFills::keep_verified(std::shared_ptr<BlobFill> fill,
                                     std::shared_ptr<TempFile> file,
                                     std::shared_ptr<Room> room) {
    const auto bytes = fill->state.received();
    if (fill->hash.digest() != fill->blob.digest) {
        throw Failure(Code::Protocol,
                      fill->blob.upstream.host + " sent " + std::to_string(bytes) +
                          " bytes whose digest is " + fill->hash.digest().to_string() +
                          "; thrown away");
    }
    fill->state.verified();
    fill->changed.notify();
    if (!room->hold(bytes)) {
        warn_too_large(fill->blob.digest, bytes);
        co_return;
    }
    room->release();
    try {
        auto committing = store_.commit(std::move(*file), fill->blob.digest, bytes);
        co_await std::move(committing);
    } catch (const Failure& failure) {
        log::failure("a fetched blob could not be kept", failure.error());
    }
}

/// One connection's worth. True when the body is whole.
awaitable<bool> BlobFills::receive_once(std::shared_ptr<BlobFill> fill,
                                        std::shared_ptr<TempFile> file,
                                        std::shared_ptr<Room> room) {
    const auto source = co_await BlobSource::open(client_, fill->blob, fill->state.received());
    if (!fill->state.begin(source->total())) {
        throw Failure(Code::Internal,
                      fill->blob.upstream.host + " changed the length of an immutable blob");
    }
    if (!room->hold(fill->state.total().value_or(0))) {
        warn_too_large(fill->blob.digest, fill->state.total().value_or(0));
        fill->source = source; // for the first of the readers
        fill->state.detach();
        co_return false;
    }
    fill->changed.notify();
    while (auto piece = co_await source->read()) {
        const auto offset = fill->state.received();
        const bool too_large = offset + piece->size() > store_.index().capacity_bytes();
        if (too_large || !write(*file, offset, *piece)) {
            fill->state.detach();
            co_return false;
        }
        fill->hash.update(*piece);
        if (!fill->state.receive(piece->size())) {
            throw Failure(Code::Internal,
                          fill->blob.upstream.host + " sent more than it had announced");
        }
        fill->changed.notify();
    }
    co_return fill->state.is_whole();
}

namespace {

/// Goes on where a fill had to leave off, for one reader. Checks the hash as the fill would have.
class DetachedTransfer {
  public:
    DetachedTransfer(std::shared_ptr<UpstreamClient> client, BlobFill& fill)
        : client_(std::move(client)), blob_(fill.blob), hash_(fill.hash),
          position_(fill.state.received()), held_from_(position_),
          source_(std::exchange(fill.source, nullptr)) {}

    /// Bytes from the fill's last one on, the tail only once the hash is right. Nothing at the end.
    awaitable<std::optional<std::string>> read() {
        if (!source_) {
            source_ = co_await BlobSource::open(client_, blob_, position_);
        }
        while (!ended_ && held_.size() <= held_back_bytes) {
            auto piece = co_await source_->read();
            if (!piece) {
                check();
                ended_ = true;
                break;
            }
            hash_.update(*piece);
            held_ += *piece;
        }
        const auto keep = ended_ ? 0 : held_back_bytes;
        if (held_.empty()) {
            co_return std::nullopt;
        }
        auto ready = held_.substr(0, held_.size() - keep);
        held_.erase(0, ready.size());
        held_from_ += ready.size();
        co_return ready;
    }

    [[nodiscard]] std::uint64_t position() const noexcept { return held_from_; }

  private:
    void check() const {
        if (hash_.digest() != blob_.digest) {
            throw Failure(Code::Protocol, blob_.upstream.host + " sent a blob with a wrong digest");
        }
    }

    std::shared_ptr<UpstreamClient> client_;
    BlobName blob_;
    Sha256 hash_;
    std::uint64_t position_;
    std::uint64_t held_from_; ///< offset of the first held byte
    std::string held_;
    bool ended_ = false;
    std::shared_ptr<BlobSource> source_;
};

/// Reads a fill's file up to what is there, waits for more, and ends as the fill ends.
class FillReader final : public http::BodyReader {
  public:
    FillReader(std::shared_ptr<UpstreamClient> client,
               std::shared_ptr<BlobFill> fill,
               std::uint64_t offset,
               std::optional<std::uint64_t> end)
        : client_(std::move(client)), fill_(std::move(fill)), offset_(offset), end_(end) {}

    awaitable<std::optional<std::string>> read() override {
        for (;;) {
            if (end_ && offset_ >= *end_) {
                co_return std::nullopt;
            }
            const auto phase = fill_->state.phase();
            if (phase == FillState::Phase::Failed) {
                std::rethrow_exception(fill_->failure);
            }
            const auto readable = std::min(readable_bytes(), end_.value_or(UINT64_MAX));
            if (offset_ < readable) {
                co_return read_file_piece(readable);
            }
            if (phase == FillState::Phase::Verified) {
                co_return std::nullopt;
            }
            if (phase == FillState::Phase::Detached) {
                co_return co_await read_on();
            }
            co_await fill_->changed.wait_beyond(fill_->changed.version());
        }
    }

  private:
    /// A detached fill's file ends before the blob does, so all of it may be read.
    [[nodiscard]] std::uint64_t readable_bytes() const {
        const bool detached = fill_->state.phase() == FillState::Phase::Detached;
        return detached && fill_->file ? fill_->state.received() : fill_->state.readable();
    }

    std::string read_file_piece(std::uint64_t readable) {
        constexpr std::uint64_t piece_bytes_max = 256 * 1024;
        const auto length = std::min(piece_bytes_max, readable - offset_);
        auto piece = read_at(fill_->file.get(), offset_, static_cast<std::size_t>(length));
        if (piece.size() != length) {
            throw Failure(Code::Internal, "a file under construction became shorter");
        }
        offset_ += length;
        return piece;
    }

    awaitable<std::optional<std::string>> read_on() {
        if (!own_) {
            own_ = std::make_unique<DetachedTransfer>(client_, *fill_);
        }
        for (;;) {
            const auto start = own_->position();
            auto piece = co_await own_->read();
            if (!piece) {
                co_return std::nullopt;
            }
            const auto skip = offset_ > start ? offset_ - start : 0;
            if (skip >= piece->size()) {
                continue; // before the range that was asked for
            }
            piece->erase(0, static_cast<std::size_t>(skip));
            if (end_ && piece->size() > *end_ - offset_) {
                piece->resize(static_cast<std::size_t>(*end_ - offset_));
            }
            offset_ += piece->size();
            co_return piece;
        }
    }

    std::shared_ptr<UpstreamClient> client_;
    std::shared_ptr<BlobFill> fill_;
    std::uint64_t offset_;
    std::optional<std::uint64_t> end_;
    std::unique_ptr<DetachedTransfer> own_;
};

} // namespace

std::shared_ptr<http::BodyReader> BlobFills::make_reader(std::shared_ptr<BlobFill> fill,
                                                         std::uint64_t offset,
                                                         std::optional<std::uint64_t> end) {
    return std::make_shared<FillReader>(client_, std::move(fill), offset, end);
}

} // namespace methos::proxy
