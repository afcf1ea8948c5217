#include "core/store/sqlite.hpp"

#include <sqlite3.h>

#include <cerrno>

#include <fcntl.h>
#include <limits>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace methos::store {

namespace {

constexpr long wal_bytes_kept = 64L * 1024 * 1024; ///< a larger WAL file is cut after a checkpoint

bool out_of_space(int number) {
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

Code code_of(int result, int number) {
    switch (result & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return Code::Conflict;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return Code::ResourceExhausted;
    case SQLITE_CANTOPEN:
        if (number == ENOENT || number == ENOTDIR) {
            return Code::NotFound;
        }
        return out_of_space(number) ? Code::ResourceExhausted : Code::Forbidden;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return Code::Forbidden;
    case SQLITE_IOERR:
        // A failed fsync leaves open what reached the disk, whatever the reason was.
        if (result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC) {
            return Code::Internal;
        }
        return out_of_space(number) ? Code::ResourceExhausted : Code::Internal;
    default:
        return Code::Internal;
    }
}

/// The errno behind an I/O error. SQLite reports the current errno, which its own clean-up may have
/// overwritten; the files remember theirs.
int errno_of(sqlite3* database) {
    int number = sqlite3_system_errno(database);
    if (number == 0) {
        sqlite3_file_control(database, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
    }
    sqlite3_file* log = nullptr;
    if (number == 0 &&
        sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
        log != nullptr && log->pMethods != nullptr) {
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
    }
    return number;
}

std::string file_of(sqlite3* database) {
    const char* file = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
    return file == nullptr || *file == '\0' ? std::string("database") : std::string(file);
}

[[noreturn]] void fail(sqlite3* database, int result, const std::string& file) {
    const int extended = database == nullptr ? result : sqlite3_extended_errcode(database);
    const bool outside = (result & 0xFF) == SQLITE_IOERR || (result & 0xFF) == SQLITE_CANTOPEN;
    const int number = database != nullptr && outside ? errno_of(database) : 0;
    std::string message = file + ": ";
    const int primary = result & 0xFF;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
        message += "the file is damaged: ";
    }
    message += database == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database);
    if (number != 0) {
        message += ": " + std::generic_category().message(number);
    }
    throw Failure(Error(code_of(extended, number), message, Cause{Cause::Kind::Sqlite, extended}));
}

void check(sqlite3* database, int result) {
    if (result != SQLITE_OK) {
        fail(database, result, file_of(database));
    }
}

int size_of(std::string_view bytes) {
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw Failure(Code::ResourceExhausted, "a value of over 2 GiB cannot be stored");
    }
    return static_cast<int>(bytes.size());
}

/// SQLite would create the file readable by all. Only creates: opening and closing an existing file
/// here would drop the locks that this process may hold on it (POSIX locks are per process).
void create_private(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    // Anything but success is told better by SQLite's own open, which follows.
}

} // namespace

Statement::Statement(sqlite3* database, sqlite3_stmt* statement)
    : database_(database), statement_(statement) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(statement_, other.statement_);
    return *this;
}

Statement::~Statement() {
    sqlite3_finalize(statement_);
}

Statement& Statement::bind(int index, std::int64_t value) {
    check(database_, sqlite3_bind_int64(statement_, index, value));
    return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
    const char* data = value.empty() ? "" : value.data();
    check(database_, sqlite3_bind_text(statement_, index, data, size_of(value), SQLITE_TRANSIENT));
    return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
    const char* data = value.empty() ? "" : value.data(); // a null pointer would bind NULL
    check(database_, sqlite3_bind_blob(statement_, index, data, size_of(value), SQLITE_TRANSIENT));
    return *this;
}

bool Statement::step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) {
        return true;
    }
    if (result != SQLITE_DONE) {
        fail(database_, result, file_of(database_));
    }
    return false;
}

void Statement::run() {
    try {
        (void)step();
    } catch (...) {
        reset();
        throw;
    }
    reset();
}

void Statement::reset() {
    // The result repeats the error of the last step, which has been thrown already.
    (void)sqlite3_reset(statement_);
}

std::int64_t Statement::column_int(int index) const {
    return sqlite3_column_int64(statement_, index);
}

std::string Statement::column_bytes(int index) const {
    const void* data = sqlite3_column_blob(statement_, index);
    const int size = sqlite3_column_bytes(statement_, index);
    if (data == nullptr || size <= 0) {
        return {};
    }
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Database::Database(const std::string& path, bool exclusive) {
    create_private(path);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int result = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr);
    try {
        if (result != SQLITE_OK) {
            fail(database_, result, path);
        }
        check(database_, sqlite3_extended_result_codes(database_, 1));
        if (exclusive) {
            execute("PRAGMA locking_mode=EXCLUSIVE");
        }
        execute("PRAGMA journal_mode=WAL");
        execute("PRAGMA synchronous=FULL");
        execute("PRAGMA journal_size_limit=" + std::to_string(wal_bytes_kept));
        if (exclusive) {
            // The lock is taken by the first access, and kept.
            execute("BEGIN IMMEDIATE");
            execute("COMMIT");
        }
    } catch (...) {
        sqlite3_close_v2(database_);
        throw;
    }
}

Database::~Database() {
    // v2: statements that still live keep the connection until they end.
    sqlite3_close_v2(database_);
}

void Database::execute(const std::string& sql) {
    check(database_, sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
}

void Database::leave_wal() {
    auto change = prepare("PRAGMA journal_mode=DELETE");
    if (!change.step() || change.column_bytes(0) != "delete") {
        throw Failure(Code::Conflict, file_of(database_) + " is in use");
    }
}

Statement Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    check(database_,
          sqlite3_prepare_v3(
              database_, sql.data(), size_of(sql), SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return Statement(database_, statement);
}

void Database::rollback() noexcept {
    // SQLite has rolled back by itself after some errors; then there is nothing left to do.
    if (sqlite3_get_autocommit(database_) == 0) {
        sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

} // namespace methos::store
