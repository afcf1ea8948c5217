#include "master/cluster/offer_filters.hpp"

#include <algorithm>
#include <bit>
#include <bitset>

namespace methos::cluster {

namespace {

constexpr std::size_t word_bits = 64;
/// How many different amounts that were declined are told apart on a host; more share the last one.
constexpr std::size_t levels_max = 16;

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

/// The level for one more filter of what was declined.
std::uint8_t OfferFilters::level_of(std::size_t slot, const Resources& declined) {
    if (levels_.size() <= slot) {
        levels_.resize(slot + 1);
    }
    auto& levels = levels_[slot];
    auto level = std::find_if(levels.begin(), levels.end(), [&declined](const Level& known) {
        return known.filters > 0 && known.declined == declined;
    });
    if (level == levels.end()) {
        level = std::find_if(
            levels.begin(), levels.end(), [](const Level& known) { return known.filters == 0; });
    }
    if (level == levels.end() && levels.size() < levels_max) {
        level = levels.emplace(levels.end());
    }
    if (level == levels.end()) {
        --level;
        level->declined = least_of(level->declined, declined);
    } else {
        level->declined = declined;
    }
    ++level->filters;
    return static_cast<std::uint8_t>(level - levels.begin());
}

/// Returns whether there was a filter.
bool OfferFilters::drop(Row& row, std::size_t slot) {
    if (!row.hosts.contains(slot)) {
        return false;
    }
    row.hosts.erase(slot);
    --levels_[slot][row.levels[slot]].filters;
    return true;
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
        row.levels.resize(slot + 1);
    }
    drop(row, slot);
    row.hosts.insert(slot);
    row.until[slot] = until;
    row.levels[slot] = level_of(slot, declined);
    row.earliest = std::min(row.earliest, until);
}

bool OfferFilters::clear_client(std::uint32_t client) {
    if (client >= rows_.size() || rows_[client].until.empty()) {
        return false;
    }
    auto& row = rows_[client];
    for (std::size_t slot = 0; slot < row.until.size(); ++slot) {
        drop(row, slot);
    }
    row = Row();
    return true;
}

void OfferFilters::forget_host(std::size_t slot) {
    for (auto& row : rows_) {
        drop(row, slot);
    }
}

void OfferFilters::host_has(std::size_t slot, const Resources& free) {
    if (slot >= levels_.size()) {
        return;
    }
    std::bitset<levels_max> exceeded;
    for (std::size_t i = 0; i < levels_[slot].size(); ++i) {
        const auto& level = levels_[slot][i];
        exceeded[i] = level.filters > 0 && !level.declined.contains(free);
    }
    if (exceeded.none()) {
        return;
    }
    for (auto& row : rows_) {
        if (row.hosts.contains(slot) && exceeded[row.levels[slot]]) {
            drop(row, slot);
        }
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
                any = drop(row, slot) || any;
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
