#include "core/state/state_file.hpp"

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
    R"(CREATE TABLE rows_app_version(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);)",
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
    return "rows_" + std::string(to_string(table));
}

std::int64_t row_checksum(Table table, std::uint64_t key, std::string_view value) {
    const auto seed = key ^ (static_cast<std::uint64_t>(table) << 56U);
    return static_cast<std::int64_t>(checksum_of(seed, value));
}

void upgrade_schema(store::Database& database, const std::string& file, std::uint32_t wanted) {
    auto version = version_of(database);
    if (version > schema_version) {
        throw Failure(Code::Conflict,
                      file + " was written by a newer Methos (schema " + std::to_string(version) +
                          ", this program knows up to " + std::to_string(schema_version) +
                          "): start that version, or use another --data-dir");
    }
    for (; version < wanted; ++version) {
        database.transaction([&] {
            database.execute(steps.at(static_cast<std::size_t>(version)));
            database.execute("UPDATE about SET value = " + std::to_string(version + 1) +
                             " WHERE name = 'schema_version'");
        });
    }
}

} // namespace methos::state
