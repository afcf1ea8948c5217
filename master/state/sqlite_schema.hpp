// The tables of state.db and how an older file becomes a current one. Owned by SqliteStore.
#pragma once

#include "core/store/sqlite.hpp"
#include "master/state/store.hpp"

#include <string>

namespace methos::state {

/// "rows_task": where a table's folded records live.
[[nodiscard]] std::string rows_of(Table table);

/// Brings the file to schema_version, each step in a transaction of its own; makes the tables of a
/// new file. Throws Failure(Conflict) when a newer Methos wrote the file.
void upgrade_schema(store::Database& database, const std::string& file);

} // namespace methos::state
