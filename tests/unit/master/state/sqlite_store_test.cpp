// The SQLite home under the faults it is there for: the process killed at any moment, the disk
// full, a second master, a damaged file, a file of a newer version. Real files, real processes.
#include "core/store/sqlite.hpp"
#include "master/state/sqlite_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/master/state/golden_schema_1.hpp"
#include "tests/unit/master/state/golden_schema_2.hpp"
#include "tests/unit/master/state/model.hpp"

#include <csignal>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace methos;
using namespace methos::state;
using namespace methos::state::test;
using methos::test::TemporaryFolder;

namespace {

Model read(Store& store) {
    bool ordered = false;
    return state::test::read(store, ordered);
}

/// The n-th commit of a writer: the same whoever makes it.
std::vector<Batch> commit_number(std::uint64_t n) {
    std::mt19937 random(static_cast<unsigned>(n));
    auto batches = random_batches(random);
    batches.push_back({{Table::Meta, 100, std::to_string(n)}});
    return batches;
}

std::uint64_t commits_in(const Model& model) {
    const auto found = model.find({Table::Meta, 100});
    return found == model.end() ? 0 : std::stoull(found->second);
}

/// Commits and tidies until it is killed; after each commit it writes one byte.
[[noreturn]] void write_until_killed(const std::string& folder, int acknowledgements) {
    try {
        const auto store = open_sqlite_store(folder, SqliteSizes{200, 400, 100, 2});
        for (auto n = commits_in(read(*store)) + 1;; ++n) {
            store->commit(commit_number(n));
            if (::write(acknowledgements, "+", 1) != 1) {
                ::_exit(1);
            }
            (void)store->tidy();
        }
    } catch (...) {
        ::_exit(2);
    }
}

/// Lets a child write, kills it after `acknowledged` commits, returns how many it acknowledged.
std::uint64_t run_and_kill(const std::string& folder, std::uint64_t acknowledged) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[0]);
        write_until_killed(folder, ends[1]);
    }
    ::close(ends[1]);
    std::uint64_t seen = 0;
    char byte = 0;
    while (seen < acknowledged && ::read(ends[0], &byte, 1) == 1) {
        ++seen;
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &byte, 1) == 1) {
        ++seen;
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    return seen;
}

/// A disk that is full until it is given room. Two ways of making one.
class FullDisk {
  public:
    FullDisk() = default;
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    virtual ~FullDisk() = default;
    virtual void give_room() = 0;
};

class FileSizeLimit final : public FullDisk {
  public:
    explicit FileSizeLimit(rlim_t file_bytes_max) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        auto small = before_;
        small.rlim_cur = file_bytes_max;
        ::setrlimit(RLIMIT_FSIZE, &small);
    }

    ~FileSizeLimit() override { ::setrlimit(RLIMIT_FSIZE, &before_); }

    void give_room() override { ::setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

/// In a mount namespace of this process, so that it goes away with it.
class SmallFileSystem final : public FullDisk {
  public:
    explicit SmallFileSystem(std::string folder) : folder_(std::move(folder)) {
        ::mkdir(folder_.c_str(), 0700);
        mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
                   ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=400k") == 0;
    }

    ~SmallFileSystem() override {
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_DETACH);
        }
    }

    [[nodiscard]] bool mounted() const { return mounted_; }

    void give_room() override {
        REQUIRE(::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, "size=16m") == 0);
    }

  private:
    std::string folder_;
    bool mounted_ = false;
};

void commit_until_full_and_on(const std::string& folder, FullDisk& disk) {
    auto store = open_sqlite_store(folder, SqliteSizes{20'000, 20'000, 20'000, 4});
    Model model;
    bool full = false;
    for (std::uint64_t key = 0; key < 2000 && !full; ++key) {
        const std::vector<Batch> batches{
            {{Table::Task, key, std::string(3000, 'x')}, {Table::Host, key, "beside it"}}};
        try {
            store->commit(batches);
            apply_to(model, batches);
            (void)store->tidy();
        } catch (const Failure& failure) {
            INFO(failure.what());
            REQUIRE(failure.code() == Code::ResourceExhausted);
            full = true;
        }
    }
    REQUIRE(full);
    REQUIRE(read(*store) == model);
    disk.give_room();
    const std::vector<Batch> later{{{Table::Task, 5000, "there is room again"}}};
    REQUIRE_NOTHROW(store->commit(later));
    apply_to(model, later);
    while (store->tidy()) {
    }
    REQUIRE(read(*store) == model);
    store.reset();
    REQUIRE(read(*open_sqlite_store(folder)) == model);
}

void change_behind_its_back(const std::string& folder, const std::string& sql) {
    store::Database database(folder + "/state.db", false);
    database.execute(sql);
}

void make_golden_file(const std::string& folder, const char* sql = golden_schema_1) {
    REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
    change_behind_its_back(folder, sql);
}

Error error_of_open_and_load(const std::string& folder) {
    try {
        (void)read(*open_sqlite_store(folder));
    } catch (const Failure& failure) {
        return failure.error();
    }
    FAIL("a damaged or foreign file was loaded");
    return {};
}

bool says(const Error& error, const std::string& text) {
    return error.message.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("every acknowledged commit survives kill -9, whole and in order") {
    const TemporaryFolder folder;
    std::mt19937 random(20260102);
    Model model;
    std::uint64_t commits = 0;
    for (int round = 0; round < 20; ++round) {
        const auto acknowledged = run_and_kill(folder.file("state"), random() % 40);
        auto store = open_sqlite_store(folder.file("state"));
        const auto found = read(*store);
        CAPTURE(round, commits, acknowledged, commits_in(found));
        // The last commit may be durable without its acknowledgement.
        REQUIRE(commits_in(found) >= commits + acknowledged);
        REQUIRE(commits_in(found) <= commits + acknowledged + 1);
        while (commits < commits_in(found)) {
            apply_to(model, commit_number(++commits));
        }
        REQUIRE(found == model);
    }
}

TEST_CASE("a full disk refuses a commit, keeps the state and takes commits again later") {
    const TemporaryFolder folder;
    SECTION("a limit on the size of files") {
        const auto state = folder.file("state");
        FileSizeLimit disk(300'000);
        commit_until_full_and_on(state, disk);
    }
    SECTION("a file system without space") {
        SmallFileSystem disk(folder.file("small"));
        if (!disk.mounted()) {
            WARN("skipped: mounting a small file system needs root");
            return;
        }
        commit_until_full_and_on(folder.file("small/state"), disk);
    }
}

TEST_CASE("a second master is refused and told which directory is taken") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    auto first = open_sqlite_store(data_dir);
    first->commit({{{Table::Meta, 1, "mine"}}});
    const auto refused = [&] {
        try {
            (void)open_sqlite_store(data_dir);
        } catch (const Failure& failure) {
            return failure.code() == Code::Conflict && says(failure.error(), data_dir) &&
                   says(failure.error(), "another methos-master");
        }
        return false;
    };
    REQUIRE(refused());
    const auto child = ::fork();
    if (child == 0) {
        ::_exit(refused() ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE_NOTHROW(first->commit({{{Table::Meta, 2, "still mine"}}}));
    first.reset();
    REQUIRE(read(*open_sqlite_store(data_dir)).size() == 2);
}

TEST_CASE("the state is nobody else's to read") {
    const TemporaryFolder folder;
    auto store = open_sqlite_store(folder.file("a/b/state"));
    store->commit({{{Table::Meta, 1, "secret"}}});
    const auto mode_of = [&](const std::string& name) {
        struct stat info {};
        REQUIRE(::stat(folder.file(name).c_str(), &info) == 0);
        return info.st_mode & 0777U;
    };
    REQUIRE(mode_of("a/b/state") == 0700);
    REQUIRE(mode_of("a/b/state/state.db") == 0600);
    REQUIRE(mode_of("a/b/state/state.db-wal") == 0600);
}

TEST_CASE("damage is found, and the error names the file") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    auto store = open_sqlite_store(data_dir, SqliteSizes{1, 1, 1, 1});
    store->commit({{{Table::App, 7, "folded"}}});
    REQUIRE(store->tidy());
    store->commit({{{Table::App, 8, "in the journal"}}});
    store.reset();
    SECTION("a journal entry that was changed") {
        change_behind_its_back(
            data_dir,
            "UPDATE journal SET entry = replace(entry, x'6A6F', x'6A61') WHERE sequence = 2");
        const auto error = error_of_open_and_load(data_dir);
        REQUIRE(says(error, data_dir + "/state.db"));
        REQUIRE(says(error, "journal entry 2"));
    }
    SECTION("a row that was changed") {
        change_behind_its_back(data_dir, "UPDATE rows_app SET value = x'00' WHERE key = 7");
        const auto error = error_of_open_and_load(data_dir);
        REQUIRE(says(error, data_dir + "/state.db"));
        REQUIRE(says(error, "rows_app row 7"));
    }
    SECTION("something that is no database") {
        std::ofstream(data_dir + "/state.db", std::ios::trunc) << std::string(8192, 'z');
        const auto error = error_of_open_and_load(data_dir);
        REQUIRE(error.code == Code::Internal);
        REQUIRE(says(error, data_dir + "/state.db"));
        REQUIRE(says(error, "damaged"));
    }
}

TEST_CASE("a file of a newer version is refused with what to do, and left as it is") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    open_sqlite_store(data_dir)->commit({{{Table::Meta, 1, "kept"}}});
    change_behind_its_back(data_dir, "UPDATE about SET value = 99 WHERE name = 'schema_version'");
    const auto error = error_of_open_and_load(data_dir);
    REQUIRE(error.code == Code::Conflict);
    REQUIRE(says(error, "newer Methos"));
    change_behind_its_back(data_dir,
                           "UPDATE about SET value = " + std::to_string(schema_version) +
                               " WHERE name = 'schema_version'");
    REQUIRE(read(*open_sqlite_store(data_dir)).size() == 1);
}

TEST_CASE("a file of an older schema is upgraded with everything it holds") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    Model golden{{{Table::Meta, 1}, "a cluster"},
                 {{Table::App, 7}, "changed after it was folded"},
                 {{Table::AppEnd, 7}, "an end"}};
    SECTION("1") {
        make_golden_file(data_dir, golden_schema_1);
    }
    SECTION("2") {
        make_golden_file(data_dir, golden_schema_2);
        golden[{Table::Role, 3}] = "a role";
        golden[{Table::Framework, 4}] = "a framework";
        golden[{Table::Update, 5}] = "an update";
    }
    auto store = open_sqlite_store(data_dir);
    REQUIRE(read(*store) == golden);
    auto upgraded = golden;
    const std::vector<Batch> later{{{Table::Framework, 1, "a framework"},
                                    {Table::Update, 2, "an update"},
                                    {Table::Role, 3, "a role"},
                                    {Table::AppVersion, 4, "what an app was"}}};
    store->commit(later);
    apply_to(upgraded, later);
    store.reset();
    store = open_sqlite_store(data_dir, SqliteSizes{1, 1, 1, 1});
    while (store->tidy()) {
    }
    REQUIRE(read(*store) == upgraded);
}

TEST_CASE("an upgrade that the disk refuses leaves the old file as it was") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    make_golden_file(data_dir);
    {
        FileSizeLimit disk(0);
        const auto error = error_of_open_and_load(data_dir);
        REQUIRE(error.code == Code::ResourceExhausted);
    }
    store::Database database(data_dir + "/state.db", false);
    auto version = database.prepare("SELECT value FROM about WHERE name = 'schema_version'");
    REQUIRE(version.step());
    REQUIRE(version.column_int(0) == 1);
}

TEST_CASE("a data directory that cannot be made is named") {
    const TemporaryFolder folder;
    std::ofstream(folder.file("taken")) << "a file";
    const auto error = error_of_open_and_load(folder.file("taken"));
    REQUIRE(error.to_string().find(folder.file("taken")) != std::string::npos);
}

TEST_CASE("housekeeping leaves nothing of what it folded in the journal") {
    const TemporaryFolder folder;
    const auto data_dir = folder.file("state");
    auto store = open_sqlite_store(data_dir, SqliteSizes{1, 100, 100, 2});
    for (std::uint64_t n = 1; n <= 30; ++n) {
        store->commit(commit_number(n));
    }
    while (store->tidy()) {
    }
    store.reset();
    store::Database database(data_dir + "/state.db", false);
    auto count = database.prepare("SELECT count(*) FROM journal");
    REQUIRE(count.step());
    REQUIRE(count.column_int(0) == 0);
}
