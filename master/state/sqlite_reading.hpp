// Reading the SQLite home of the state: rows with the journal laid over them, in slices. What a
// boot loads, what a fold writes and what a snapshot holds come out of here. Used by SqliteStore,
// on its connection and in its turn.
#pragma once

#include "core/store/sqlite.hpp"
#include "master/state/store.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::state {

/// The latest word of a stretch of journal about each record it touches; empty: erased.
using Overlay = std::map<std::pair<Table, std::uint64_t>, std::optional<std::string>>;

/// The entries behind `after`, up to `through`.
struct JournalSpan {
    store::Database& database;
    const std::string& file; ///< for errors
    std::int64_t after;
    std::int64_t through;
};

/// Lays entries over `overlay` until they are `bytes_max` or the span ends, and counts them in
/// `bytes`. Returns the last one's sequence, `through` at the end. Throws when one is damaged.
[[nodiscard]] std::int64_t
read_journal(const JournalSpan& span, std::size_t bytes_max, Overlay& overlay, std::size_t& bytes);

/// Rows change by folding only, so while nothing is folded they are what they were when the reading
/// began; the journal up to that moment is laid over them.
class SqliteReading final : public StateReading {
  public:
    /// `hold` lives as long as the reading does: nobody may fold meanwhile.
    SqliteReading(const JournalSpan& journal,
                  std::size_t journal_slice_bytes,
                  std::shared_ptr<const bool> hold);

    [[nodiscard]] std::optional<std::vector<Record>> next() override;

  private:
    [[nodiscard]] bool full() const { return bytes_ >= slice_bytes_max; }

    void take(Table table, std::uint64_t key, std::string value);
    void take_newer();
    [[nodiscard]] bool take_newer_before(std::pair<Table, std::uint64_t> place);
    [[nodiscard]] bool take_rows(Table table);

    const std::shared_ptr<const bool> hold_;
    JournalSpan journal_; ///< what of it is still to be read
    const std::size_t journal_slice_bytes_;
    Overlay overlay_;
    std::optional<Overlay::const_iterator> newer_; ///< the next to be taken, once all is read
    std::size_t table_ = 0;
    std::int64_t key_ = -1; ///< of the table's row that was taken last
    std::vector<Record> slice_;
    std::size_t bytes_ = 0; ///< in the slice
};

} // namespace methos::state
