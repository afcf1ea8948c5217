#include "core/state/restore.hpp"

#include "core/state/meta.pb.h"
#include "core/state/state_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace methos::state {

namespace {

namespace fs = std::filesystem;
using store::Database;
using store::Statement;

constexpr std::size_t transaction_bytes = 4 * 1024 * 1024;

struct Paths {
    explicit Paths(const fs::path& folder_)
        : folder(folder_), state(folder / state_file_name), fresh(state.string() + ".restoring"),
          kept(state.string() + ".before-restore") {}

    fs::path folder;
    fs::path state;
    fs::path fresh;
    fs::path kept;
};

fs::path log_of(const fs::path& file) {
    return file.string() + "-wal";
}

[[noreturn]] void fail_on(const std::string& what, const fs::path& path) {
    const int number = errno;
    const bool full = number == ENOSPC || number == EDQUOT;
    const bool forbidden = number == EACCES || number == EPERM || number == EROFS;
    auto code = full ? Code::ResourceExhausted : Code::Internal;
    code = forbidden ? Code::Forbidden : code;
    throw Failure(Error(code,
                        "cannot " + what + " " + path.string() + ": " +
                            std::generic_category().message(number),
                        Cause{Cause::Kind::Errno, number}));
}

/// Makes what was written or renamed at `path` durable.
void sync(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        fail_on("open", path);
    }
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    if (!synced) {
        fail_on("sync", path);
    }
}

void make_folder(const fs::path& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        fail_on("create the data directory", folder);
    }
    if (!fs::is_directory(folder)) {
        errno = ENOTDIR;
        fail_on("use the data directory", folder);
    }
}

/// The state that a data directory has. While this lives, no master can start on it.
class OldState {
  public:
    OldState(const Paths& paths, bool force) : paths_(paths) {
        const bool has_file = fs::exists(paths.state);
        // A log alone would be laid over the restored file.
        there_ = has_file || fs::exists(log_of(paths.state));
        if (!there_) {
            return;
        }
        if (has_file) {
            lock();
        }
        if (!force) {
            throw Failure(Code::Conflict,
                          paths.folder.string() + " has a state already (" +
                              (has_file ? paths.state : log_of(paths.state)).filename().string() +
                              "): with --force it is replaced, and kept as " +
                              paths.kept.filename().string());
        }
        if (fs::exists(paths.kept) || fs::exists(log_of(paths.kept))) {
            throw Failure(Code::Conflict,
                          paths.kept.string() +
                              " is there from an earlier restore: move it away first");
        }
    }

    [[nodiscard]] bool there() const { return there_; }

    /// Gives the file a second name, and whatever log is left by a damaged or lost file its own.
    /// The first name is free to be taken over then.
    void keep() {
        if (database_) {
            database_->leave_wal();
        }
        const auto log = log_of(paths_.state);
        if (fs::exists(log) && ::rename(log.c_str(), log_of(paths_.kept).c_str()) != 0) {
            fail_on("rename", log);
        }
        if (fs::exists(paths_.state) && ::link(paths_.state.c_str(), paths_.kept.c_str()) != 0) {
            fail_on("keep the old state as", paths_.kept);
        }
    }

  private:
    void lock() {
        try {
            database_.emplace(paths_.state.string(), true);
        } catch (const Failure& failure) {
            if (failure.code() == Code::Conflict) {
                throw Failure(Code::Conflict,
                              "a methos-master is using " + paths_.folder.string() +
                                  " (it holds the lock on " + paths_.state.string() +
                                  "): stop it first");
            }
            if (failure.code() != Code::Internal) {
                throw;
            }
            // Damaged: that is what a restore is for. No master can have it open.
        }
    }

    const Paths& paths_;
    bool there_ = false;
    std::optional<Database> database_; ///< none when the file is damaged
};

/// Moves epoch and numbers beyond what was given out since; see the header.
std::string moved_on(const std::string& bytes, WallTime now, std::uint64_t& epoch) {
    MetaRecord meta;
    if (!meta.ParseFromString(bytes)) {
        throw Failure(Code::InvalidInput, "the snapshot's record of the cluster cannot be read");
    }
    constexpr std::uint64_t epoch_max = 0xFFFF'FFFFU; // sessions carry it in 32 bits
    if (meta.epoch() > epoch_max - 2 * epochs_skipped ||
        meta.numbers_reserved() > record_key_max - 2 * numbers_skipped) {
        throw Failure(Code::InvalidInput,
                      "the snapshot's epoch and numbers leave no room for new ones");
    }
    epoch = meta.epoch() + epochs_skipped;
    meta.set_epoch(epoch);
    meta.set_numbers_reserved(meta.numbers_reserved() + numbers_skipped);
    meta.set_restored_from_number(meta.numbers_reserved());
    meta.set_restored_at_ms(now.time_since_epoch().count());
    return meta.SerializeAsString();
}

/// The new file under its first name; removed with this, unless it was renamed.
class FreshState {
  public:
    FreshState(fs::path path, WallTime now) : path_(std::move(path)), now_(now) { remove(); }

    FreshState(const FreshState&) = delete;
    FreshState& operator=(const FreshState&) = delete;

    ~FreshState() {
        database_.reset();
        remove();
    }

    void begin(const SnapshotHeader& header) {
        database_ = std::make_unique<Database>(path_.string(), true);
        // As old as the snapshot: the master upgrades it as it would have upgraded the original.
        upgrade_schema(*database_, path_.string(), header.schema);
    }

    void add(const Record& record) {
        if (pending_bytes_ == 0) {
            database_->execute("BEGIN IMMEDIATE");
        }
        auto value =
            record.table == Table::Meta ? moved_on(record.value, now_, epoch_) : record.value;
        insert_into(record.table)
            .bind(1, static_cast<std::int64_t>(record.key))
            .bind(2, row_checksum(record.table, record.key, value))
            .bind_blob(3, value)
            .run();
        pending_bytes_ += 1 + value.size();
        if (pending_bytes_ >= transaction_bytes) {
            commit();
        }
    }

    void finish() {
        commit();
        insert_.reset();
        database_->leave_wal();
        database_.reset();
        sync(path_);
    }

    [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

  private:
    /// Records come table by table.
    Statement& insert_into(Table table) {
        if (!insert_ || table_ != table) {
            insert_.reset();
            insert_.emplace(
                database_->prepare("INSERT INTO " + rows_of(table) + " VALUES(?, ?, ?)"));
            table_ = table;
        }
        return *insert_;
    }

    void commit() {
        if (pending_bytes_ > 0) {
            database_->execute("COMMIT");
            pending_bytes_ = 0;
        }
    }

    void remove() noexcept {
        for (const auto* suffix : {"", "-wal", "-shm", "-journal"}) {
            std::error_code ignored; // what stays is overwritten by the next restore, or told by it
            fs::remove(path_.string() + suffix, ignored);
        }
    }

    const fs::path path_;
    const WallTime now_;
    std::unique_ptr<Database> database_; // before its statement
    std::optional<Statement> insert_;
    Table table_ = Table::Meta;
    std::size_t pending_bytes_ = 0;
    std::uint64_t epoch_ = 0;
};

/// A master of its own user must be able to open what root has restored.
void give_to_owner_of(const fs::path& folder, const fs::path& file) {
    struct stat info {};

    if (::stat(folder.c_str(), &info) != 0) {
        fail_on("look at", folder);
    }
    if (::geteuid() == 0 && ::chown(file.c_str(), info.st_uid, info.st_gid) != 0) {
        fail_on("change the owner of", file);
    }
}

std::ifstream open_snapshot(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in || fs::is_directory(file)) {
        throw Failure(Code::NotFound, "cannot read " + file + ": is it a file that is there?");
    }
    return in;
}

} // namespace

Restored restore_snapshot(const RestoreOptions& options) {
    auto in = open_snapshot(options.file);
    const Paths paths(options.data_dir);
    make_folder(paths.folder);
    OldState old(paths, options.force);
    FreshState fresh(paths.fresh, options.now);
    Restored restored;
    restored.snapshot = read_snapshot(
        in,
        [&fresh](const SnapshotHeader& header) { fresh.begin(header); },
        [&fresh](const Record& record) { fresh.add(record); });
    fresh.finish();
    give_to_owner_of(paths.folder, paths.fresh);
    if (old.there()) {
        old.keep();
        restored.kept = paths.kept.string();
    }
    if (::rename(paths.fresh.c_str(), paths.state.c_str()) != 0) {
        fail_on("rename", paths.fresh);
    }
    sync(paths.folder);
    restored.epoch = fresh.epoch();
    restored.has_bus_key = fs::exists(paths.folder / "bus.key");
    return restored;
}

} // namespace methos::state
