#include "registry-proxy/cache/content_store.hpp"

#include "core/base/ids.hpp"
#include "core/observe/log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace methos::proxy {

namespace {

namespace fs = std::filesystem;

/// What is evicted at least when the disk itself is full, so that it is not full again at once.
constexpr std::uint64_t disk_relief_bytes = 64ULL * 1024 * 1024;

/// The order of use survives a restart through the files' times; once a minute is exact enough.
constexpr std::time_t use_recorded_every_seconds = 60;

void record_use(int descriptor, const struct stat& status) {
    if (std::time(nullptr) - status.st_mtime >= use_recorded_every_seconds) {
        ::futimens(descriptor, nullptr); // a cache on a read-only disk still serves
    }
}

[[noreturn]] void throw_errno(const char* what, const fs::path& file) {
    const int number = errno;
    throw Failure(Error(Code::Unavailable,
                        std::string(what) + " " + file.string() + ": " +
                            std::system_category().message(number),
                        Cause{Cause::Kind::Errno, number}));
}

} // namespace

ContentStore::ContentStore(fs::path folder, std::uint64_t capacity_bytes, asio::thread_pool& pool)
    : folder_(std::move(folder)), pool_(pool), index_(capacity_bytes) {
    try {
        fs::remove_all(folder_ / "tmp");
        fs::create_directories(folder_ / "tmp");
        fs::create_directories(folder_ / "blobs" / "sha256");
        scan();
    } catch (const fs::filesystem_error& error) {
        throw Failure(Code::Internal,
                      "cannot use the cache folder " + folder_.string() + ": " + error.what() +
                          "; give a writable one with --cache-dir");
    }
}

void ContentStore::scan() {
    struct Found {
        fs::file_time_type used;
        Digest digest;
        std::uint64_t bytes;
    };

    std::vector<Found> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "blobs" / "sha256")) {
        const auto digest = Digest::from_hex(entry.path().filename().string());
        if (entry.is_regular_file() && digest) {
            all.push_back(Found{entry.last_write_time(), *digest, entry.file_size()});
        }
    }
    std::sort(
        all.begin(), all.end(), [](const Found& a, const Found& b) { return a.used < b.used; });
    for (const auto& found : all) {
        index_.add(found.digest, found.bytes);
        unchecked_.insert(found.digest);
    }
}

fs::path ContentStore::place_of(const Digest& digest) const {
    return folder_ / "blobs" / "sha256" / digest.hex().substr(0, 2) / digest.hex();
}

std::optional<OpenContent> ContentStore::open(const Digest& digest) {
    const auto bytes = index_.find_size(digest);
    if (!bytes) {
        return std::nullopt;
    }
    OpenContent content{Descriptor(::open(place_of(digest).c_str(), O_RDONLY | O_CLOEXEC)), *bytes};
    if (!content.descriptor && errno != ENOENT) {
        throw_errno("cannot open", place_of(digest)); // EMFILE and its like pass
    }

    struct stat status {};

    if (content.descriptor && ::fstat(content.descriptor.get(), &status) != 0) {
        throw_errno("cannot stat", place_of(digest));
    }
    if (!content.descriptor || static_cast<std::uint64_t>(status.st_size) != *bytes) {
        log::warning("cached content is gone or damaged; fetching it again",
                     {{"digest", digest.to_string()}});
        index_.remove(digest);
        return std::nullopt;
    }
    if (::flock(content.descriptor.get(), LOCK_SH | LOCK_NB) != 0) {
        throw_errno("cannot lock", place_of(digest));
    }
    record_use(content.descriptor.get(), status);
    index_.touch(digest);
    return content;
}

std::optional<std::string> ContentStore::read(const Digest& digest, std::size_t max) {
    const auto content = open(digest);
    if (!content || content->bytes > max) {
        return std::nullopt;
    }
    auto bytes = read_at(content->descriptor.get(), 0, content->bytes);
    if (!is_checked(digest)) {
        if (Sha256::of(bytes) != digest) {
            drop_damaged(digest);
            return std::nullopt;
        }
        mark_checked(digest);
    }
    return bytes;
}

void ContentStore::drop_damaged(const Digest& digest) {
    if (unchecked_.erase(digest) == 0) {
        return;
    }
    log::warning("cached content is damaged on the disk; removing it",
                 {{"digest", digest.to_string()}, {"file", place_of(digest).string()}});
    ::unlink(place_of(digest).c_str());
    index_.remove(digest);
}

awaitable<bool> ContentStore::hash_piece(std::shared_ptr<Sha256> hash,
                                         int descriptor,
                                         std::uint64_t offset,
                                         std::size_t length) {
    const auto whole = std::make_shared<bool>(false);
    std::function<void()> work = [hash, whole, descriptor, offset, length] {
        const auto bytes = read_at(descriptor, offset, length);
        hash->update(bytes);
        *whole = bytes.size() == length;
    };
    co_await run_blocking(pool_, std::move(work));
    co_return *whole;
}

std::optional<std::uint64_t> ContentStore::find_size(const Digest& digest) const {
    return index_.find_size(digest);
}

TempFile ContentStore::new_file() {
    return TempFile(folder_ / "tmp" / random_hex(16));
}

awaitable<> ContentStore::commit(TempFile file, Digest digest, std::uint64_t bytes) {
    const auto shared = std::make_shared<TempFile>(std::move(file));
    std::function<void()> work = [shared, place = place_of(digest)] { shared->commit(place); };
    // What is there is replaced: from now on no check of it may remove the file.
    const bool was_unchecked = unchecked_.erase(digest) > 0;
    try {
        co_await run_blocking(pool_, std::move(work));
    } catch (...) {
        if (was_unchecked) {
            unchecked_.insert(digest);
        }
        throw;
    }
    index_.add(digest, bytes);
    make_room(0);
}

awaitable<> ContentStore::put(std::string bytes, Digest digest) {
    if (is_checked(digest) && open(digest)) { // not by the index alone: the file may have gone
        co_return;
    }
    make_room(bytes.size());
    auto file = new_file();
    write(file, 0, bytes);
    co_await commit(std::move(file), std::move(digest), bytes.size());
}

void ContentStore::write(TempFile& file, std::uint64_t offset, std::string_view bytes) {
    for (;;) {
        try {
            file.write_at(offset, bytes);
            return;
        } catch (const Failure& failure) {
            const bool full = failure.code() == Code::ResourceExhausted;
            if (!full || evict_bytes(disk_relief_bytes) == 0) {
                throw;
            }
        }
    }
}

bool ContentStore::evict(const Digest& digest) {
    const auto place = place_of(digest);
    const Descriptor descriptor(::open(place.c_str(), O_RDONLY | O_CLOEXEC));
    if (descriptor && ::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
        return false; // somebody is reading it
    }
    ::unlink(place.c_str());
    index_.remove(digest);
    if (on_evicted_) {
        on_evicted_(digest);
    }
    return true;
}

std::uint64_t ContentStore::evict_bytes(std::uint64_t bytes) {
    std::uint64_t freed = 0;
    std::unordered_set<Digest> busy;
    while (freed < bytes) {
        const auto victims = index_.choose_victims(bytes - freed, busy);
        if (victims.empty()) {
            break;
        }
        for (const auto& victim : victims) {
            const auto size = index_.find_size(victim).value_or(0);
            if (evict(victim)) {
                freed += size;
            } else {
                busy.insert(victim);
            }
        }
    }
    return freed;
}

bool ContentStore::make_room(std::uint64_t bytes) {
    if (bytes > 0 && !index_.can_fit(bytes)) {
        return false;
    }
    const auto excess = index_.excess(bytes);
    return excess == 0 || evict_bytes(excess) >= excess;
}

} // namespace methos::proxy
