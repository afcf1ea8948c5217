// What is durable, as the heart sees it: numbered records in a few tables, changed in batches that
// are atomic and capped. Homes of it: memory (tests, simulation), SQLite (one machine), etcd later
// (docs/adr). The heart never calls this: it returns batches, and the shell commits them before
// anything is seen.
#pragma once

#include "core/base/error.hpp"
#include "core/state/table.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::state {

constexpr std::size_t batch_changes_max = 128;     ///< etcd's operations per transaction
constexpr std::size_t batch_bytes_max = 1'500'000; ///< etcd's request size
constexpr std::size_t change_overhead_bytes = 16; ///< of table, key and lengths, counted per change

/// Errors: InvalidInput, naming which cap. Every home calls it first; a full disk is another error.
[[nodiscard]] Result<void> check_caps(const Batch& batch);

/// The state as it was at one commit, read in slices while later commits go on. Blocking; used as
/// its store is, and destroyed before it.
class StateReading {
  public:
    StateReading() = default;
    StateReading(const StateReading&) = delete;
    StateReading& operator=(const StateReading&) = delete;
    virtual ~StateReading() = default;

    /// The next records, about `slice_bytes_max` of them, in (table, key) order; an empty slice is
    /// not the end, nothing is. Throws as Store::load.
    [[nodiscard]] virtual std::optional<std::vector<Record>> next() = 0;

    static constexpr std::size_t slice_bytes_max = 256 * 1024; ///< 2 ms that a commit may wait
};

/// Blocking; called from one pool thread at a time.
class Store {
  public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    /// Calls `each` for every live record, in (table, key) order. Throws on a damaged file, naming
    /// it.
    virtual void
    load(const std::function<void(Table, std::uint64_t, const std::string&)>& each) = 0;

    /// Makes the batches durable together, in order. Throws Failure: InvalidInput (caps) and
    /// ResourceExhausted (disk full): nothing was changed, later commits may succeed; Internal (I/O
    /// error: the home is to be reopened).
    virtual void commit(const std::vector<Batch>& batches) = 0;

    /// Begins reading the state as it is now. A home may hold its housekeeping until the reading
    /// is destroyed, and may refuse a second one meanwhile with Conflict. Here: all at once.
    [[nodiscard]] virtual std::unique_ptr<StateReading> begin_reading();

    /// Housekeeping in slices (folding the journal into rows); true when there is more to do.
    [[nodiscard]] virtual bool tidy() = 0;
};

[[nodiscard]] std::unique_ptr<Store> make_memory_store();

/// `data_dir`/state.db: WAL, FULL, exclusively locked (the lock is the leader's lease). A journal
/// of one blob row per commit, folded into row tables in key order by tidy(). Throws Conflict when
/// another master has it.
[[nodiscard]] std::unique_ptr<Store> open_sqlite_store(const std::string& data_dir);

} // namespace methos::state
