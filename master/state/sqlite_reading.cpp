#include "master/state/sqlite_reading.hpp"

#include "core/state/state_file.hpp"
#include "master/state/journal_entry.hpp"

namespace methos::state {

namespace {

[[noreturn]] void throw_damaged(const std::string& file, const std::string& what) {
    throw Failure(Code::Internal,
                  file + ": " + what +
                      ". Restore a snapshot: methos snapshot restore FILE --data-dir DIR --force");
}

} // namespace

std::int64_t
read_journal(const JournalSpan& span, std::size_t bytes_max, Overlay& overlay, std::size_t& bytes) {
    auto entries = span.database.prepare("SELECT sequence, entry FROM journal "
                                         "WHERE sequence > ? AND sequence <= ? ORDER BY sequence");
    entries.bind(1, span.after).bind(2, span.through);
    while (entries.step()) {
        const auto sequence = entries.column_int(0);
        const auto entry = entries.column_bytes(1);
        auto changes = decode_entry(static_cast<std::uint64_t>(sequence), entry);
        if (!changes) {
            throw_damaged(span.file, changes.error().message);
        }
        for (auto& change : *changes) {
            overlay[{change.table, change.key}] = std::move(change.value);
        }
        bytes += entry.size();
        if (bytes >= bytes_max) {
            return sequence;
        }
    }
    return span.through;
}

SqliteReading::SqliteReading(const JournalSpan& journal,
                             std::size_t journal_slice_bytes,
                             std::shared_ptr<const bool> hold)
    : hold_(std::move(hold)), journal_(journal), journal_slice_bytes_(journal_slice_bytes) {}

std::optional<std::vector<Record>> SqliteReading::next() {
    bytes_ = 0;
    if (journal_.after < journal_.through) {
        journal_.after = read_journal(journal_, journal_slice_bytes_, overlay_, bytes_);
        return std::vector<Record>();
    }
    if (!newer_) {
        newer_ = overlay_.cbegin();
    }
    for (; table_ < tables.size() && take_rows(tables.at(table_)); ++table_) {
        key_ = -1;
    }
    while (table_ == tables.size() && *newer_ != overlay_.cend() && !full()) {
        take_newer();
    }
    if (slice_.empty() && table_ == tables.size() && *newer_ == overlay_.cend()) {
        return std::nullopt;
    }
    return std::exchange(slice_, {});
}

/// False when the slice is full before the table ends.
bool SqliteReading::take_rows(Table table) {
    auto rows = journal_.database.prepare("SELECT key, checksum, value FROM " + rows_of(table) +
                                          " WHERE key > ? ORDER BY key");
    rows.bind(1, key_);
    while (!full() && rows.step()) {
        const std::pair place(table, static_cast<std::uint64_t>(rows.column_int(0)));
        auto value = rows.column_bytes(2);
        if (rows.column_int(1) != row_checksum(table, place.second, value)) {
            throw_damaged(journal_.file,
                          rows_of(table) + " row " + std::to_string(place.second) +
                              " does not match its checksum");
        }
        if (!take_newer_before(place)) {
            return false;
        }
        if (*newer_ != overlay_.cend() && (*newer_)->first == place) {
            take_newer();
        } else {
            take(table, place.second, std::move(value));
        }
        key_ = rows.column_int(0);
    }
    return !full();
}

/// False when the slice is full before `place`.
bool SqliteReading::take_newer_before(std::pair<Table, std::uint64_t> place) {
    while (*newer_ != overlay_.cend() && (*newer_)->first < place) {
        if (full()) {
            return false;
        }
        take_newer();
    }
    return true;
}

void SqliteReading::take_newer() {
    const auto& [place, value] = **newer_;
    if (value) {
        take(place.first, place.second, *value);
    }
    ++*newer_;
}

void SqliteReading::take(Table table, std::uint64_t key, std::string value) {
    bytes_ += change_overhead_bytes + value.size();
    slice_.push_back({table, key, std::move(value)});
}

} // namespace methos::state
