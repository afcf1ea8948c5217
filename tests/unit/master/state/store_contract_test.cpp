// The contract of Store, on every home of it: random commits against a plain map, with housekeeping
// and reopening at every point; and the caps, which leave nothing behind.
#include "master/state/sqlite_store.hpp"
#include "master/state/store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/master/state/model.hpp"

using namespace methos;
using namespace methos::state;
using namespace methos::state::test;

namespace {

/// Sizes at which a handful of commits splits, folds and deletes in many steps.
SqliteSizes tiny_sizes() {
    return SqliteSizes{1, 64, 100, 2};
}

std::unique_ptr<Store> open_home(const std::string& kind, const std::string& folder) {
    return kind == "memory" ? make_memory_store() : open_sqlite_store(folder, tiny_sizes());
}

void require_equal(Store& store, const Model& model) {
    bool ordered = false;
    REQUIRE(read(store, ordered) == model);
    REQUIRE(ordered);
}

Batch batch_of(std::size_t changes, std::size_t value_bytes) {
    Batch batch;
    for (std::size_t i = 0; i < changes; ++i) {
        batch.push_back({Table::Task, i, std::string(value_bytes, 'x')});
    }
    return batch;
}

} // namespace

TEST_CASE("a store holds what was committed, through housekeeping and restarts") {
    const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
    const auto seed = GENERATE(range(1U, 9U));
    CAPTURE(kind, seed);
    const methos::test::TemporaryFolder folder;
    auto store = open_home(kind, folder.file("state"));
    std::mt19937 random(seed);
    Model model;
    for (int round = 0; round < 120; ++round) {
        CAPTURE(round);
        const auto batches = random_batches(random);
        store->commit(batches);
        apply_to(model, batches);
        for (auto steps = random() % 4; steps > 0; --steps) {
            (void)store->tidy();
        }
        if (kind == "sqlite" && random() % 3 == 0) {
            store.reset();
            store = open_sqlite_store(folder.file("state"), tiny_sizes());
        }
        if (random() % 4 == 0) {
            require_equal(*store, model);
        }
    }
    while (store->tidy()) {
    }
    require_equal(*store, model);
}

TEST_CASE("a store refuses what is over the caps and changes nothing") {
    const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
    CAPTURE(kind);
    const methos::test::TemporaryFolder folder;
    auto store = open_home(kind, folder.file("state"));
    const Batch good{{Table::Host, 1, "first"}};
    store->commit({good});
    const auto bad = GENERATE(batch_of(batch_changes_max + 1, 1),
                              batch_of(2, batch_bytes_max / 2),
                              Batch{{Table::App, record_key_max + 1, "x"}});
    const Batch beside{{Table::Host, 2, "must not be seen"}};
    try {
        store->commit({beside, bad});
        FAIL("it was accepted");
    } catch (const Failure& failure) {
        REQUIRE(failure.code() == Code::InvalidInput);
        REQUIRE(failure.error().message.find("max") != std::string::npos);
    }
    require_equal(*store, {{{Table::Host, 1}, "first"}});
}

TEST_CASE("a batch exactly at the caps is accepted") {
    const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
    const methos::test::TemporaryFolder folder;
    auto store = open_home(kind, folder.file("state"));
    const auto wide = batch_of(batch_changes_max, 1);
    const auto heavy = batch_of(1, batch_bytes_max - change_overhead_bytes);
    REQUIRE_NOTHROW(store->commit({wide, heavy}));
    Model model;
    apply_to(model, {wide, heavy});
    require_equal(*store, model);
}

namespace {

/// Few records that are large, so that a reading takes many slices.
std::vector<Batch> heavy_batches(std::mt19937& random) {
    auto batches = random_batches(random);
    constexpr std::size_t bytes = 40'000;
    for (int i = 0; i < 3; ++i) {
        const auto table = tables.at(random() % tables.size());
        batches.push_back(
            {{table, random() % 12, std::string(bytes, static_cast<char>(random()))}});
    }
    return batches;
}

} // namespace

TEST_CASE("a reading gives the state as it was when it began, beside commits and housekeeping") {
    const auto kind = GENERATE(as<std::string>(), "memory", "sqlite");
    const auto seed = GENERATE(range(1U, 7U));
    CAPTURE(kind, seed);
    const methos::test::TemporaryFolder folder;
    auto store = open_home(kind, folder.file("state"));
    std::mt19937 random(seed);
    Model model;
    const auto change = [&] {
        const auto batches = heavy_batches(random);
        store->commit(batches);
        apply_to(model, batches);
        (void)store->tidy();
    };
    for (int commits = 0; commits < 40; ++commits) {
        change();
    }
    const auto expected = model;
    auto reading = store->begin_reading();
    Model found;
    std::size_t slices = 0;
    while (const auto slice = reading->next()) {
        ++slices;
        std::size_t bytes = 0;
        for (const auto& record : *slice) {
            const std::pair place(record.table, record.key);
            REQUIRE((found.empty() || found.rbegin()->first < place));
            found[place] = record.value;
            bytes += record.value.size();
        }
        REQUIRE(bytes < 2 * StateReading::slice_bytes_max);
        change();
    }
    REQUIRE(slices > 4);
    REQUIRE(found == expected);
    REQUIRE(model != expected);
    reading.reset();
    while (store->tidy()) {
    }
    require_equal(*store, model);
}

TEST_CASE("of a file one reading at a time, and its journal is folded when that has ended") {
    const methos::test::TemporaryFolder folder;
    const auto store = open_home("sqlite", folder.file("state"));
    store->commit({batch_of(10, 10)});
    auto reading = store->begin_reading();
    REQUIRE_FALSE(store->tidy());
    try {
        (void)store->begin_reading();
        FAIL("two at once");
    } catch (const Failure& failure) {
        REQUIRE(failure.code() == Code::Conflict);
    }
    reading.reset();
    REQUIRE(store->tidy());
    REQUIRE_NOTHROW(store->begin_reading());
}
