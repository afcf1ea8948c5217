// Which hosts a client does not want to be offered for now: what DECLINE's refuse_seconds leaves
// behind. A bit, an expiry and a level per client and host: finding the next host for a client is
// a walk over words. Hosts are named by their slot (0, 1, ...), clients by their index in Shares.
#pragma once

#include "core/base/clock.hpp"
#include "core/model/resources.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace methos::cluster {

/// A set of host slots.
class SlotSet {
  public:
    void insert(std::size_t slot);
    void erase(std::size_t slot);
    [[nodiscard]] bool contains(std::size_t slot) const;
    /// The first slot at or after `from`, going round, that is in this set and not in `without`.
    [[nodiscard]] std::optional<std::size_t> next(std::size_t from, const SlotSet& without) const;

  private:
    [[nodiscard]] std::optional<std::size_t>
    next_in(std::size_t from, std::size_t end, const SlotSet& without) const;

    std::vector<std::uint64_t> words_;
};

class OfferFilters {
  public:
    /// `client` does not want the host in `slot` until then, unless it has more than `declined`.
    void add(std::uint32_t client, std::size_t slot, MonoTime until, const Resources& declined);
    /// REVIVE: the client wants everything again. Returns whether there was anything to forget.
    bool clear_client(std::uint32_t client);
    /// The host has `free` resources now: when that is more than was declined, whoever declined it
    /// is asked again.
    void host_has(std::size_t slot, const Resources& free);
    /// The slot is another host's from now on.
    void forget_host(std::size_t slot);
    /// Returns whether a filter has run out.
    bool expire(MonoTime now);
    [[nodiscard]] const SlotSet& of(std::uint32_t client) const;

  private:
    struct Row {
        SlotSet hosts;
        std::vector<MonoTime> until;      ///< per slot; of use where `hosts` has it
        std::vector<std::uint8_t> levels; ///< per slot: what was declined, in levels_ there
        MonoTime earliest = MonoTime::max();
    };

    /// What was declined of a host: most often the same by everybody, so it is kept once.
    struct Level {
        Resources declined;
        std::uint32_t filters = 0; ///< how many are of this level; without any it is free
    };

    std::uint8_t level_of(std::size_t slot, const Resources& declined);
    bool drop(Row& row, std::size_t slot);

    std::vector<Row> rows_;                  ///< per client
    std::vector<std::vector<Level>> levels_; ///< per slot
};

} // namespace methos::cluster
