// What the cache holds and what it gives up first: the pure half of the content store. Knows sizes,
// order of use, pins (hosted content) and room reserved by fills; touches no file.
#pragma once

#include "registry-proxy/cache/digest.hpp"

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace methos::proxy {

class CacheIndex {
  public:
    explicit CacheIndex(std::uint64_t capacity_bytes) : capacity_(capacity_bytes) {}

    /// Adds content as the most recently used. Adding it again corrects its size.
    void add(const Digest& digest, std::uint64_t bytes);
    void touch(const Digest& digest);
    void remove(const Digest& digest);
    [[nodiscard]] std::optional<std::uint64_t> find_size(const Digest& digest) const;

    /// Pinned content is never a victim. Counted: each pin needs its unpin. Content may be pinned
    /// before it is there.
    void pin(const Digest& digest);
    void unpin(const Digest& digest);

    /// Bytes that a fill is going to add.
    void reserve(std::uint64_t bytes) { reserved_ += bytes; }

    void release(std::uint64_t bytes) { reserved_ -= bytes < reserved_ ? bytes : reserved_; }

    /// How many bytes must go before `incoming` more fit.
    [[nodiscard]] std::uint64_t excess(std::uint64_t incoming) const;

    /// Whether `incoming` more would fit if everything but the pinned and the reserved went.
    [[nodiscard]] bool can_fit(std::uint64_t incoming) const;

    /// What to remove, least recently used first, to free `bytes`; never what is pinned or in
    /// `busy`. May free less when there is no more.
    [[nodiscard]] std::vector<Digest> choose_victims(std::uint64_t bytes,
                                                     const std::unordered_set<Digest>& busy) const;

    [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_; }

    [[nodiscard]] std::uint64_t capacity_bytes() const noexcept { return capacity_; }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        std::uint64_t bytes = 0;
        std::list<Digest>::iterator place;
    };

    std::uint64_t capacity_;
    std::uint64_t used_ = 0;
    std::uint64_t reserved_ = 0;
    std::list<Digest> by_use_; ///< least recently used first
    std::unordered_map<Digest, Entry> entries_;
    std::unordered_map<Digest, std::uint32_t> pins_;
};

} // namespace methos::proxy
