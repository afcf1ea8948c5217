// A thin, safe face of SQLite: the only folder that includes sqlite3.h. Blocking; used from the
// pool, one connection by one thread at a time. Failures are thrown with the extended result code
// as cause.
#pragma once

#include "core/base/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace methos::store {

class Statement {
  public:
    Statement(Statement&&) noexcept;
    Statement& operator=(Statement&&) noexcept;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    /// Parameters are numbered from 1. Blobs and texts are copied.
    Statement& bind(int index, std::int64_t value);
    Statement& bind_text(int index, std::string_view value);
    Statement& bind_blob(int index, std::string_view value);

    /// True while there is a row.
    [[nodiscard]] bool step();
    /// Runs a statement that gives no rows, and resets it for the next use.
    void run();
    void reset();

    [[nodiscard]] std::int64_t column_int(int index) const;
    [[nodiscard]] std::string column_bytes(int index) const;

  private:
    friend class Database;
    Statement(sqlite3* database, sqlite3_stmt* statement);
    sqlite3* database_;
    sqlite3_stmt* statement_;
};

class Database {
  public:
    /// Opens or creates. Journal mode WAL, synchronous FULL, exclusive locking when asked for.
    /// Throws Conflict when another process holds the exclusive lock, ResourceExhausted when the
    /// disk is full.
    explicit Database(const std::string& path, bool exclusive);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    void execute(const std::string& sql);

    /// Moves all into the one file and ends write-ahead logging, so that nothing is left beside it:
    /// the file may then be renamed. An exclusive lock stays. Throws as execute.
    void leave_wal();
    [[nodiscard]] Statement prepare(std::string_view sql);

    /// Begins an immediate transaction, runs `work`, commits; rolls back when it throws.
    template <class Work>
    void transaction(Work&& work) {
        execute("BEGIN IMMEDIATE");
        try {
            work();
            execute("COMMIT");
        } catch (...) {
            rollback();
            throw;
        }
    }

  private:
    void rollback() noexcept;
    sqlite3* database_ = nullptr;
};

} // namespace methos::store
