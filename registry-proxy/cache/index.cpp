#include "registry-proxy/cache/index.hpp"

namespace methos::proxy {

void CacheIndex::add(const Digest& digest, std::uint64_t bytes) {
    remove(digest);
    const auto place = by_use_.insert(by_use_.end(), digest);
    entries_.emplace(digest, Entry{bytes, place});
    used_ += bytes;
}

void CacheIndex::touch(const Digest& digest) {
    const auto found = entries_.find(digest);
    if (found != entries_.end()) {
        by_use_.splice(by_use_.end(), by_use_, found->second.place);
    }
}

void CacheIndex::remove(const Digest& digest) {
    const auto found = entries_.find(digest);
    if (found == entries_.end()) {
        return;
    }
    used_ -= found->second.bytes;
    by_use_.erase(found->second.place);
    entries_.erase(found);
}

std::optional<std::uint64_t> CacheIndex::find_size(const Digest& digest) const {
    const auto found = entries_.find(digest);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    return found->second.bytes;
}

void CacheIndex::pin(const Digest& digest) {
    ++pins_[digest];
}

void CacheIndex::unpin(const Digest& digest) {
    const auto found = pins_.find(digest);
    if (found != pins_.end() && --found->second == 0) {
        pins_.erase(found);
    }
}

std::uint64_t CacheIndex::excess(std::uint64_t incoming) const {
    const auto wanted = used_ + reserved_ + incoming;
    return wanted > capacity_ ? wanted - capacity_ : 0;
}

bool CacheIndex::can_fit(std::uint64_t incoming) const {
    std::uint64_t staying = reserved_;
    for (const auto& [digest, count] : pins_) {
        staying += find_size(digest).value_or(0);
    }
    return staying <= capacity_ && incoming <= capacity_ - staying;
}

std::vector<Digest> CacheIndex::choose_victims(std::uint64_t bytes,
                                               const std::unordered_set<Digest>& busy) const {
    std::vector<Digest> victims;
    std::uint64_t freed = 0;
    for (const auto& digest : by_use_) {
        if (freed >= bytes) {
            break;
        }
        if (!pins_.contains(digest) && !busy.contains(digest)) {
            victims.push_back(digest);
            freed += entries_.at(digest).bytes;
        }
    }
    return victims;
}

} // namespace methos::proxy
