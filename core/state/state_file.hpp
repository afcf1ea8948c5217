// The tables of state.db, the state of a cluster on one machine, and how an older file becomes a
// current one. Known to the master's SQLite home, which lives in the file, and to a restore, which
// writes a new one.
#pragma once

#include "core/state/table.hpp"
#include "core/store/sqlite.hpp"

#include <cstdint>
#include <string>

namespace methos::state {

inline constexpr const char* state_file_name = "state.db"; ///< in the master's data directory

/// "rows_task": where a table's records live, those that no journal entry is newer than.
[[nodiscard]] std::string rows_of(Table table);

/// The checksum column of a row. Its place is part of it: a row read from another one's place is
/// damaged.
[[nodiscard]] std::int64_t row_checksum(Table table, std::uint64_t key, std::string_view value);

/// Brings the file to `version`, each step in a transaction of its own; makes the tables of a new
/// file. Throws Failure(Conflict) when a newer Methos wrote the file.
void upgrade_schema(store::Database& database,
                    const std::string& file,
                    std::uint32_t version = schema_version);

} // namespace methos::state
