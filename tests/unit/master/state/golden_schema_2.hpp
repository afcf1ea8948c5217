// A state.db of schema 2 as the program of that time wrote it: folded rows, one of them changed and
// one erased in the journal since. Never changed: every later Methos has to open it.
#pragma once

namespace methos::state::test {

inline constexpr const char* golden_schema_2 = R"(
    CREATE TABLE about(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO about VALUES('folded_through', 1), ('schema_version', 2);
    CREATE TABLE journal(sequence INTEGER PRIMARY KEY, entry BLOB NOT NULL);
    INSERT INTO journal VALUES(2, X'4A0136000000239C979DF6EF05560403071B6368616E6765642061667465722069742077617320666F6C6465648202060706616E20656E64080509616E20757064617465');
    CREATE TABLE rows_app(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO rows_app VALUES(7, 8611557907179001181, X'666F6C646564');
    CREATE TABLE rows_app_end(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE TABLE rows_framework(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO rows_framework VALUES(4, -7873005759529467677, X'61206672616D65776F726B');
    CREATE TABLE rows_host(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO rows_host VALUES(2, 9135959929809721189, X'657261736564206C61746572');
    CREATE TABLE rows_meta(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO rows_meta VALUES(1, 5178112717354266720, X'6120636C7573746572');
    CREATE TABLE rows_role(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    INSERT INTO rows_role VALUES(3, -4908131094963051168, X'6120726F6C65');
    CREATE TABLE rows_spec(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE TABLE rows_task(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE TABLE rows_update(key INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
)";

} // namespace methos::state::test
