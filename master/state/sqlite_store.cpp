#include "master/state/sqlite_store.hpp"

#include "core/state/state_file.hpp"
#include "core/store/sqlite.hpp"
#include "master/state/journal_entry.hpp"
#include "master/state/sqlite_reading.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace methos::state {

namespace {

using store::Database;
using store::Statement;

std::int64_t signed_of(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

void sync_folder(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        // A file system that cannot sync a folder keeps its names in another way.
        (void)::fsync(descriptor);
        ::close(descriptor);
    }
}

void make_data_dir(const std::string& data_dir) {
    namespace fs = std::filesystem;
    const fs::path folder = fs::absolute(data_dir).lexically_normal();
    try {
        if (folder.has_parent_path()) {
            fs::create_directories(folder.parent_path());
        }
        if (::mkdir(folder.c_str(), 0700) == 0) {
            sync_folder(folder.parent_path());
        } else if (errno != EEXIST) {
            throw std::system_error(errno, std::generic_category(), data_dir);
        }
        if (!fs::is_directory(folder)) {
            throw std::system_error(ENOTDIR, std::generic_category(), data_dir);
        }
    } catch (const std::system_error&) {
        throw Failure(error_of_current_exception().with_context("while making the data directory " +
                                                                data_dir));
    }
}

class SqliteStore final : public Store {
  public:
    SqliteStore(std::string file, const SqliteSizes& sizes)
        : file_(std::move(file)), sizes_(sizes), database_(file_, true) {
        upgrade_schema(database_, file_);
        insert_entry_.emplace(database_.prepare("INSERT INTO journal VALUES(?, ?)"));
        folded_through_ = number("SELECT value FROM about WHERE name = 'folded_through'");
        last_ = std::max(folded_through_, number("SELECT max(sequence) FROM journal"));
        const auto oldest = number("SELECT min(sequence) FROM journal");
        oldest_ = oldest == 0 ? last_ + 1 : oldest;
        unfolded_bytes_ = static_cast<std::size_t>(
            number("SELECT sum(length(entry)) FROM journal WHERE sequence > " +
                   std::to_string(folded_through_)));
    }

    void load(const std::function<void(Table, std::uint64_t, const std::string&)>& each) override;
    void commit(const std::vector<Batch>& batches) override;
    [[nodiscard]] std::unique_ptr<StateReading> begin_reading() override;
    [[nodiscard]] bool tidy() override;

  private:
    /// The part of the journal that is not in the rows.
    JournalSpan span() { return {database_, file_, folded_through_, last_}; }

    std::int64_t number(const std::string& sql) {
        auto query = database_.prepare(sql);
        return query.step() ? query.column_int(0) : 0;
    }

    /// Runs a change of the file; after a failure that leaves open what reached the disk, no other.
    template <class Work>
    void change_file(Work&& work) {
        if (broken_) {
            throw Failure(Code::Internal, file_ + " had an I/O error: it has to be opened again");
        }
        try {
            database_.transaction(std::forward<Work>(work));
        } catch (const Failure& failure) {
            broken_ = failure.code() == Code::Internal;
            throw;
        }
    }

    std::uint64_t append(const Batch& changes, std::int64_t sequence);
    void write_rows(const Overlay& overlay);
    void fold_slice();
    void delete_slice();

    const std::string file_;
    const SqliteSizes sizes_;
    Database database_; // before its statements
    std::optional<Statement> insert_entry_;
    std::int64_t folded_through_ = 0; ///< journal entries up to here are in the rows
    std::int64_t oldest_ = 1;         ///< of the journal's entries
    std::int64_t last_ = 0;
    std::size_t unfolded_bytes_ = 0;
    bool folding_ = false;
    bool broken_ = false;
    std::weak_ptr<const bool> reading_; ///< lives as long as somebody reads beside the commits
};

std::unique_ptr<StateReading> SqliteStore::begin_reading() {
    if (!reading_.expired()) {
        throw Failure(Code::Conflict,
                      "a snapshot is being taken already: try again when it is done");
    }
    auto hold = std::make_shared<const bool>(true);
    reading_ = hold;
    return std::make_unique<SqliteReading>(span(), sizes_.fold_slice_bytes, std::move(hold));
}

void SqliteStore::load(const std::function<void(Table, std::uint64_t, const std::string&)>& each) {
    SqliteReading reading(span(), sizes_.fold_slice_bytes, nullptr);
    while (const auto slice = reading.next()) {
        for (const auto& record : *slice) {
            each(record.table, record.key, record.value);
        }
    }
}

void SqliteStore::commit(const std::vector<Batch>& batches) {
    for (const auto& batch : batches) {
        if (const auto within = check_caps(batch); !within) {
            throw Failure(within.error());
        }
    }
    auto sequence = last_;
    std::size_t written = 0;
    change_file([&] {
        Batch entry;
        std::size_t bytes = 0;
        const auto flush = [&] {
            if (!entry.empty()) {
                written += append(entry, ++sequence);
                entry.clear();
                bytes = 0;
            }
        };
        for (const auto& batch : batches) {
            for (const auto& change : batch) {
                bytes += change_overhead_bytes + (change.value ? change.value->size() : 0);
                entry.push_back(change);
            }
            if (bytes >= sizes_.entry_bytes) {
                flush();
            }
        }
        flush();
    });
    last_ = sequence;
    unfolded_bytes_ += written;
}

std::uint64_t SqliteStore::append(const Batch& changes, std::int64_t sequence) {
    const auto entry = encode_entry(static_cast<std::uint64_t>(sequence), changes);
    insert_entry_->bind(1, sequence).bind_blob(2, entry).run();
    return entry.size();
}

bool SqliteStore::tidy() {
    if (oldest_ <= folded_through_) {
        delete_slice();
    } else if (!reading_.expired()) {
        return false; // a fold would change the rows under it
    } else if (folding_ || unfolded_bytes_ >= sizes_.fold_from_bytes) {
        folding_ = true;
        fold_slice();
        folding_ = folded_through_ < last_;
    }
    return folding_ || oldest_ <= folded_through_;
}

void SqliteStore::fold_slice() {
    Overlay overlay;
    std::size_t bytes = 0;
    const auto through = read_journal(span(), sizes_.fold_slice_bytes, overlay, bytes);
    change_file([&] {
        write_rows(overlay);
        database_.execute("UPDATE about SET value = " + std::to_string(through) +
                          " WHERE name = 'folded_through'");
    });
    folded_through_ = through;
    unfolded_bytes_ -= std::min(unfolded_bytes_, bytes);
}

/// In key order: SQLite then appends and updates neighbours instead of jumping through the file.
void SqliteStore::write_rows(const Overlay& overlay) {
    for (const auto table : tables) {
        auto next = overlay.lower_bound({table, 0});
        if (next == overlay.end() || next->first.first != table) {
            continue;
        }
        auto upsert =
            database_.prepare("INSERT OR REPLACE INTO " + rows_of(table) + " VALUES(?, ?, ?)");
        auto erase = database_.prepare("DELETE FROM " + rows_of(table) + " WHERE key = ?");
        for (; next != overlay.end() && next->first.first == table; ++next) {
            const auto key = next->first.second;
            if (next->second) {
                upsert.bind(1, signed_of(key)).bind(2, row_checksum(table, key, *next->second));
                upsert.bind_blob(3, *next->second).run();
            } else {
                erase.bind(1, signed_of(key)).run();
            }
        }
    }
}

void SqliteStore::delete_slice() {
    const auto through = std::min(folded_through_, oldest_ + sizes_.delete_slice_rows - 1);
    change_file([&] {
        database_.execute("DELETE FROM journal WHERE sequence <= " + std::to_string(through));
    });
    oldest_ = through + 1;
}

} // namespace

std::unique_ptr<Store> open_sqlite_store(const std::string& data_dir, const SqliteSizes& sizes) {
    make_data_dir(data_dir);
    const auto file = (std::filesystem::path(data_dir) / state_file_name).string();
    try {
        return std::make_unique<SqliteStore>(file, sizes);
    } catch (const Failure& failure) {
        auto error = failure.error();
        if (error.cause && error.code == Code::Conflict) {
            error.message = "another methos-master is using the data directory " + data_dir +
                            " (it holds the lock on " + file +
                            "): stop it, or give this one its own --data-dir";
        }
        throw Failure(std::move(error).with_context("while opening the state in " + data_dir));
    }
}

std::unique_ptr<Store> open_sqlite_store(const std::string& data_dir) {
    return open_sqlite_store(data_dir, SqliteSizes());
}

} // namespace methos::state
