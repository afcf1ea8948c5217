// What is durable, as the heart sees it: numbered records in a few tables, changed in batches that
// are atomic and capped. Homes of it: memory (tests, simulation), SQLite (one machine), etcd later
// (docs/adr). The heart never calls this: it returns batches, and the shell commits them before
// anything is seen.
#pragma once

#include "core/base/error.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::state {

/// Numbers are stored: append only.
enum class Table : std::uint8_t {
    Meta = 1,
    Host = 2,
    App = 3,
    Spec = 4,
    Task = 5,
    AppEnd = 6,
    Framework = 7, ///< foreign frameworks, by a number of their own
    Update = 8,    ///< status updates that a foreign framework has not acknowledged yet
    Role = 9,      ///< weights, quota and policy of roles
};

/// In the order in which they are loaded.
inline constexpr std::array tables{Table::Meta,
                                   Table::Host,
                                   Table::App,
                                   Table::Spec,
                                   Table::Task,
                                   Table::AppEnd,
                                   Table::Framework,
                                   Table::Update,
                                   Table::Role};

/// Of what records mean; kept in MetaRecord.schema, whatever the home is. Grows with each table and
/// whenever an older program would misread a record.
constexpr std::uint32_t schema_version = 2;

/// One changed record; without a value it is erased.
struct Change {
    Table table = Table::Meta;
    std::uint64_t key = 0;
    std::optional<std::string> value; ///< bytes; master/state/records.proto says of what
    friend bool operator==(const Change&, const Change&) = default;
};

/// The changes of one step of the heart: all or nothing.
using Batch = std::vector<Change>;

constexpr std::size_t batch_changes_max = 128;     ///< etcd's operations per transaction
constexpr std::size_t batch_bytes_max = 1'500'000; ///< etcd's request size
constexpr std::size_t change_overhead_bytes = 16; ///< of table, key and lengths, counted per change
constexpr std::uint64_t record_key_max = (1ULL << 63U) - 1; ///< SQLite's integer keys are signed

/// Errors: ResourceExhausted, naming which cap. Every home calls it first.
[[nodiscard]] Result<void> check_caps(const Batch& batch);

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

    /// Makes the batches durable together, in order. Throws Failure: ResourceExhausted (disk full;
    /// nothing was changed, later commits may succeed), Internal (I/O error: the home is to be
    /// reopened).
    virtual void commit(const std::vector<Batch>& batches) = 0;

    /// Housekeeping in slices (folding the journal into rows); true when there is more to do.
    [[nodiscard]] virtual bool tidy() = 0;
};

[[nodiscard]] std::unique_ptr<Store> make_memory_store();

/// `data_dir`/state.db: WAL, FULL, exclusively locked (the lock is the leader's lease). A journal
/// of one blob row per commit, folded into row tables in key order by tidy(). Throws Conflict when
/// another master has it.
[[nodiscard]] std::unique_ptr<Store> open_sqlite_store(const std::string& data_dir);

} // namespace methos::state
