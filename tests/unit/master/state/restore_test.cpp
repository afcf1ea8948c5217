// A snapshot made the state of a data directory, and what stands in the way of it: a master that
// runs, a state that is there, damage, a full disk. Whatever happens, what was there stays whole.
#include "core/state/restore.hpp"
#include "core/state/state_file.hpp"
#include "master/state/sqlite_store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/snapshot_samples.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/master/state/model.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace methos;
using namespace methos::state;
using namespace methos::state::test;
using methos::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

const WallTime restored_at(std::chrono::milliseconds(1'800'000'000'000));

Model read(Store& store) {
    bool ordered = false;
    return state::test::read(store, ordered);
}

class Place {
  public:
    Place() { write(samples::snapshot()); }

    void write(const std::string& bytes) const {
        std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
    }

    [[nodiscard]] std::string file() const { return folder.file("snapshot"); }

    [[nodiscard]] std::string data_dir() const { return folder.file("data"); }

    [[nodiscard]] Restored restore(bool force = false) const {
        return restore_snapshot({file(), data_dir(), force, restored_at});
    }

    [[nodiscard]] Error refusal(bool force = false) const {
        try {
            (void)restore(force);
        } catch (const Failure& failure) {
            return failure.error();
        }
        FAIL("it was restored");
        return {};
    }

    /// A state of one commit, by a master that was killed.
    void leave_state(const std::string& value) const {
        const auto child = ::fork();
        if (child == 0) {
            const auto store = open_sqlite_store(data_dir());
            store->commit({{{Table::App, 1, value}}});
            ::_exit(0);
        }
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(status == 0);
        REQUIRE(fs::exists(data_dir() + "/state.db-wal"));
    }

    [[nodiscard]] std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(data_dir())) {
            names.insert(entry.path().filename().string());
        }
        return names;
    }

    const TemporaryFolder folder;
};

bool says(const Error& error, const std::string& text) {
    INFO(error.to_string());
    return error.message.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("a restored state is the snapshot's, moved on beyond what was given out since") {
    const Place place;
    const auto restored = place.restore();
    REQUIRE(restored.snapshot.header == samples::header());
    REQUIRE(restored.kept.empty());
    REQUIRE_FALSE(restored.has_bus_key);
    REQUIRE(place.files() == std::set<std::string>{"state.db"});

    struct stat info {};

    REQUIRE(::stat((place.data_dir() + "/state.db").c_str(), &info) == 0);
    REQUIRE((info.st_mode & 0777U) == 0600);

    auto found = read(*open_sqlite_store(place.data_dir()));
    MetaRecord meta;
    REQUIRE(meta.ParseFromString(found.at({Table::Meta, meta_key})));
    REQUIRE(meta.cluster() == "c1");
    REQUIRE(meta.epoch() == 7 + epochs_skipped);
    REQUIRE(restored.epoch == meta.epoch());
    REQUIRE(meta.numbers_reserved() == 2000 + numbers_skipped);
    REQUIRE(meta.restored_from_number() == meta.numbers_reserved());
    REQUIRE(meta.restored_at_ms() == restored_at.time_since_epoch().count());
    for (const auto& record : samples::records()) {
        if (record.table != Table::Meta) {
            REQUIRE(found.at({record.table, record.key}) == record.value);
        }
    }
    REQUIRE(found.size() == samples::records().size());
}

TEST_CASE("a restored state can be restored again, and moves on again") {
    const Place place;
    (void)place.restore();
    auto found = read(*open_sqlite_store(place.data_dir()));
    std::vector<Record> records;
    for (const auto& [key, value] : found) {
        records.push_back({key.first, key.second, value});
    }
    place.write(samples::snapshot(records));
    REQUIRE(place.restore(true).epoch == 7 + 2 * epochs_skipped);
}

TEST_CASE("a snapshot of an older schema becomes a state that the master upgrades") {
    const Place place;
    auto header = samples::header();
    header.schema = GENERATE(1U, 2U);
    auto records = samples::records();
    std::erase_if(records, [&header](const Record& record) {
        return !table_of(static_cast<std::uint8_t>(record.table), header.schema);
    });
    place.write(samples::snapshot(records, header));
    (void)place.restore();
    const auto store = open_sqlite_store(place.data_dir());
    REQUIRE(read(*store).size() == records.size());
    REQUIRE_NOTHROW(store->commit({{{Table::AppVersion, 1, "of schema 3"}}}));
}

TEST_CASE("a large snapshot is restored whole") {
    const Place place;
    auto records = samples::records();
    std::erase_if(records, [](const Record& record) { return record.table > Table::Task; });
    constexpr std::uint64_t count = 4000;
    for (std::uint64_t key = 1; key <= count; ++key) {
        records.push_back({Table::Task, key, std::string(3000, static_cast<char>(key))});
    }
    place.write(samples::snapshot(records));
    REQUIRE(place.restore().snapshot.records.at(Table::Task) == count);
    const auto found = read(*open_sqlite_store(place.data_dir()));
    REQUIRE(found.size() == records.size());
    REQUIRE(found.at({Table::Task, count}) == records.back().value);
}

TEST_CASE("nothing is restored under a running master") {
    const Place place;
    const auto running = open_sqlite_store(place.data_dir());
    running->commit({{{Table::App, 1, "alive"}}});
    const auto refusal = place.refusal(GENERATE(false, true));
    REQUIRE(refusal.code == Code::Conflict);
    REQUIRE(says(refusal, "a methos-master is using " + place.data_dir()));
    REQUIRE_NOTHROW(running->commit({{{Table::App, 2, "and well"}}}));
    REQUIRE(read(*running).size() == 2);
    REQUIRE(place.files() == std::set<std::string>{"state.db", "state.db-wal"});
}

TEST_CASE("a state that is there is replaced only by force, and kept whole") {
    const Place place;
    place.leave_state("kept");
    const auto refusal = place.refusal();
    REQUIRE(refusal.code == Code::Conflict);
    REQUIRE(says(refusal, "--force"));
    REQUIRE(read(*open_sqlite_store(place.data_dir())).at({Table::App, 1}) == "kept");

    const auto restored = place.restore(true);
    REQUIRE(restored.kept == place.data_dir() + "/state.db.before-restore");
    REQUIRE(place.files() == std::set<std::string>{"state.db", "state.db.before-restore"});
    REQUIRE(read(*open_sqlite_store(place.data_dir())).size() == samples::records().size());
    SECTION("it can be put back") {
        fs::rename(restored.kept, place.data_dir() + "/state.db");
        REQUIRE(read(*open_sqlite_store(place.data_dir())) == Model{{{Table::App, 1}, "kept"}});
    }
    SECTION("a second restore does not overwrite it") {
        REQUIRE(says(place.refusal(true), "move it away first"));
        REQUIRE(fs::exists(restored.kept));
    }
}

TEST_CASE("the log of a killed master is part of the state that is kept") {
    const Place place;
    place.leave_state("in the log");
    const auto restored = place.restore(true);
    fs::rename(restored.kept, place.data_dir() + "/state.db");
    REQUIRE(read(*open_sqlite_store(place.data_dir())).at({Table::App, 1}) == "in the log");
}

TEST_CASE("a damaged state is replaced by force, and kept as it is") {
    const Place place;
    fs::create_directory(place.data_dir());
    std::ofstream(place.data_dir() + "/state.db") << std::string(8192, 'z');
    REQUIRE(says(place.refusal(), "--force"));
    (void)place.restore(true);
    REQUIRE(read(*open_sqlite_store(place.data_dir())).size() == samples::records().size());
    REQUIRE(fs::file_size(place.data_dir() + "/state.db.before-restore") == 8192);
}

TEST_CASE("a log without its state is not laid over the restored one") {
    const Place place;
    place.leave_state("elsewhere");
    fs::remove(place.data_dir() + "/state.db");
    REQUIRE(says(place.refusal(), "state.db-wal"));
    (void)place.restore(true);
    REQUIRE(place.files() == std::set<std::string>{"state.db", "state.db.before-restore-wal"});
    REQUIRE(read(*open_sqlite_store(place.data_dir())).size() == samples::records().size());
}

TEST_CASE("a snapshot that breaks off leaves the data directory as it was") {
    const Place place;
    place.leave_state("untouched");
    const auto whole = samples::snapshot();
    place.write(whole.substr(0, whole.size() - 1));
    const auto refusal = place.refusal(true);
    REQUIRE(refusal.code == Code::InvalidInput);
    REQUIRE(says(refusal, "cut short"));
    REQUIRE(place.files() == std::set<std::string>{"state.db"});
    REQUIRE(read(*open_sqlite_store(place.data_dir())).at({Table::App, 1}) == "untouched");
}

TEST_CASE("what a killed restore has left behind is in nobody's way") {
    const Place place;
    fs::create_directory(place.data_dir());
    std::ofstream(place.data_dir() + "/state.db.restoring") << "half of it";
    std::ofstream(place.data_dir() + "/state.db.restoring-wal") << "and its log";
    (void)place.restore();
    REQUIRE(place.files() == std::set<std::string>{"state.db"});
}

TEST_CASE("a full disk refuses a restore and nothing is left of it") {
    const Place place;
    place.leave_state("untouched");
    auto records = samples::records();
    records.at(1).value.assign(400'000, 'x');
    place.write(samples::snapshot(records));
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    auto small = before;
    small.rlim_cur = 200'000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto refusal = place.refusal(true);
    ::setrlimit(RLIMIT_FSIZE, &before);
    REQUIRE(refusal.code == Code::ResourceExhausted);
    REQUIRE(place.files() == std::set<std::string>{"state.db"});
    REQUIRE(read(*open_sqlite_store(place.data_dir())).at({Table::App, 1}) == "untouched");
}

TEST_CASE("a snapshot that is not there is named") {
    const Place place;
    fs::remove(place.file());
    const auto refusal = place.refusal();
    REQUIRE(refusal.code == Code::NotFound);
    REQUIRE(says(refusal, place.file()));
    REQUIRE_FALSE(fs::exists(place.data_dir()));
}
