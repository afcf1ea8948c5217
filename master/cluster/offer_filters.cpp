#include "master/cluster/offer_filters.hpp"

#include <algorithm>
#include <bit>

namespace methos::cluster {

namespace {

constexpr std::size_t word_bits = 64;

Resources least_of(const Resources& a, const Resources& b) {
    return Resources{std::min(a.milli_cpus, b.milli_cpus),
                     std::min(a.mem_bytes, b.mem_bytes),
                     std::min(a.disk_bytes, b.disk_bytes),
                     std::min(a.gpus, b.gpus)};
}

} // namespace

void SlotSet::insert(std::size_t slot) {
    if (words_.size() <= slot / word_bits) {
        words_.resize(slot / word_bits + 1);
    }
    words_[slot / word_bits] |= std::uint64_t{1} << slot % word_bits;
}

void SlotSet::erase(std::size_t slot) {
    if (slot / word_bits < words_.size()) {
        words_[slot / word_bits] &= ~(std::uint64_t{1} << slot % word_bits);
    }
}

bool SlotSet::contains(std::size_t slot) const {
    return slot / word_bits < words_.size() &&
           (words_[slot / word_bits] >> slot % word_bits & 1U) != 0;
}

std::optional<std::size_t>
SlotSet::next_in(std::size_t from, std::size_t end, const SlotSet& without) const {
    for (auto word = from / word_bits; word < words_.size() && word * word_bits < end; ++word) {
        auto bits = words_[word];
        if (word < without.words_.size()) {
            bits &= ~without.words_[word];
        }
        if (word == from / word_bits) {
            bits &= ~std::uint64_t{0} << from % word_bits;
        }
        if (bits != 0) {
            const auto slot = word * word_bits + static_cast<std::size_t>(std::countr_zero(bits));
            return slot < end ? std::optional(slot) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> SlotSet::next(std::size_t from, const SlotSet& without) const {
    const auto all = words_.size() * word_bits;
    const auto ahead = next_in(from, all, without);
    return ahead ? ahead : next_in(0, std::min(from, all), without);
}

void OfferFilters::add(std::uint32_t client,
                       std::size_t slot,
                       MonoTime until,
                       const Resources& declined) {
    if (rows_.size() <= client) {
        rows_.resize(client + 1);
    }
    auto& row = rows_[client];
    if (row.until.size() <= slot) {
        row.until.resize(slot + 1, MonoTime::min());
    }
    row.hosts.insert(slot);
    row.until[slot] = until;
    row.earliest = std::min(row.earliest, until);
    if (levels_.size() <= slot) {
        levels_.resize(slot + 1);
    }
    auto& level = levels_[slot];
    level.least = level.in_use ? least_of(level.least, declined) : declined;
    level.in_use = true;
}

bool OfferFilters::clear_client(std::uint32_t client) {
    if (client >= rows_.size() || rows_[client].until.empty()) {
        return false;
    }
    rows_[client] = Row();
    return true;
}

void OfferFilters::forget_host(std::size_t slot) {
    for (auto& row : rows_) {
        row.hosts.erase(slot);
    }
    if (slot < levels_.size()) {
        levels_[slot] = Level();
    }
}

void OfferFilters::host_has(std::size_t slot, const Resources& free) {
    if (slot < levels_.size() && levels_[slot].in_use && !levels_[slot].least.contains(free)) {
        forget_host(slot);
    }
}

bool OfferFilters::expire(MonoTime now) {
    bool any = false;
    for (auto& row : rows_) {
        if (now < row.earliest) {
            continue;
        }
        row.earliest = MonoTime::max();
        for (std::size_t slot = 0; slot < row.until.size(); ++slot) {
            if (!row.hosts.contains(slot)) {
                continue;
            }
            if (row.until[slot] <= now) {
                row.hosts.erase(slot);
                any = true;
            } else {
                row.earliest = std::min(row.earliest, row.until[slot]);
            }
        }
    }
    return any;
}

const SlotSet& OfferFilters::of(std::uint32_t client) const {
    static const SlotSet none;
    return client < rows_.size() ? rows_[client].hosts : none;
}

} // namespace methos::cluster
