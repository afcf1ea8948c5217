#include "master/state/sqlite_schema.hpp"

#include <array>

namespace methos::state {

namespace {

/// `steps[n]` makes version n + 1 of version n; version 0 is an empty file. Append only.
constexpr std::array<const char*, schema_version> steps{
    R"(CREATE TABLE about(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
       INSERT INTO about VALUES('schema_version', 0), ('folded_through', 0);
       CREATE TABLE journal(sequence INTEGER PRIMARY KEY, entry BLOB NOT NULL);
       CREATE TABLE rows_meta(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_host(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_app(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_spec(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_task(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_app_end(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);)",
    R"(CREATE TABLE rows_framework(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_update(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
       CREATE TABLE rows_role(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);)",
};

std::int64_t version_of(store::Database& database) {
    auto known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'about'");
    if (!known.step()) {
        return 0;
    }
    auto version = database.prepare("SELECT value FROM about WHERE name = 'schema_version'");
    return version.step() ? version.column_int(0) : 0;
}

} // namespace

std::string rows_of(Table table) {
    switch (table) {
    case Table::Meta:
        return "rows_meta";
    case Table::Host:
        return "rows_host";
    case Table::App:
        return "rows_app";
    case Table::Spec:
        return "rows_spec";
    case Table::Task:
        return "rows_task";
    case Table::AppEnd:
        return "rows_app_end";
    case Table::Framework:
        return "rows_framework";
    case Table::Update:
        return "rows_update";
    case Table::Role:
        return "rows_role";
    }
    throw Failure(Code::Internal, "a change names a table that does not exist");
}

void upgrade_schema(store::Database& database, const std::string& file) {
    auto version = version_of(database);
    if (version > schema_version) {
        throw Failure(Code::Conflict,
                      file + " was written by a newer Methos (schema " + std::to_string(version) +
                          ", this program knows up to " + std::to_string(schema_version) +
                          "): start that version, or use another --data-dir");
    }
    for (; version < schema_version; ++version) {
        database.transaction([&] {
            database.execute(steps.at(static_cast<std::size_t>(version)));
            database.execute("UPDATE about SET value = " + std::to_string(version + 1) +
                             " WHERE name = 'schema_version'");
        });
    }
}

} // namespace methos::state
