// Snapshots: what goes in comes out; no cut, changed, moved, repeated or missing piece is taken for
// a snapshot, and nor is a well-made file that says what no master says.
#include "tests/support/catch.hpp"
#include "tests/support/snapshot_samples.hpp"

using namespace methos;
using namespace methos::state;

namespace {

/// Why it is no snapshot; fails the test when it is one.
std::string refusal_of(const std::string& bytes) {
    try {
        std::vector<Record> records;
        (void)samples::read(bytes, records);
    } catch (const Failure& failure) {
        REQUIRE(failure.code() == Code::InvalidInput);
        return failure.error().message;
    }
    FAIL("it was taken for a snapshot");
    return {};
}

bool says(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a snapshot gives back its header and its records") {
    std::vector<Record> records;
    const auto bytes = samples::snapshot();
    const auto summary = samples::read(bytes, records);
    REQUIRE(records == samples::records());
    REQUIRE(summary.header == samples::header());
    REQUIRE(summary.bytes == bytes.size());
    REQUIRE(summary.records == std::map<Table, std::uint64_t>{{Table::Meta, 1},
                                                              {Table::Host, 1},
                                                              {Table::App, 2},
                                                              {Table::Role, 1},
                                                              {Table::AppVersion, 1}});
    REQUIRE(summary.sha256.size() == 64);
    REQUIRE(bytes.rfind("METHOS-SNAPSHOT 1\n", 0) == 0);
}

TEST_CASE("a snapshot that was cut anywhere, changed anywhere or extended is refused") {
    const auto whole = samples::snapshot();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        (void)refusal_of(whole.substr(0, size));
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x20);
        CAPTURE(at);
        (void)refusal_of(changed);
    }
    REQUIRE(says(refusal_of(whole + "x"), "something follows the end"));
    REQUIRE(says(refusal_of(whole + whole), "something follows the end"));
}

TEST_CASE("pieces of snapshots do not make another one") {
    auto pieces = samples::pieces(samples::header(), samples::records());
    SECTION("one is missing") {
        pieces.erase(pieces.begin() + 2);
        REQUIRE(says(refusal_of(samples::joined(pieces)), "frame 2"));
    }
    SECTION("one is there twice") {
        pieces.insert(pieces.begin() + 2, pieces.at(2));
        REQUIRE(says(refusal_of(samples::joined(pieces)), "frame 3"));
    }
    SECTION("two have changed places") {
        std::swap(pieces.at(2), pieces.at(3));
        REQUIRE(says(refusal_of(samples::joined(pieces)), "frame 2"));
    }
    SECTION("the end is missing") {
        pieces.pop_back();
        REQUIRE(says(refusal_of(samples::joined(pieces)), "cut short"));
    }
    SECTION("one is another snapshot's") {
        auto others = samples::records();
        others.at(1).value = "b host"; // of the same size, so that only the digest can tell
        pieces.at(2) = samples::pieces(samples::header(), others).at(2);
        REQUIRE(says(refusal_of(samples::joined(pieces)), "not the end of what comes before"));
    }
}

TEST_CASE("a well-made file that no master writes is refused") {
    auto header = samples::header();
    auto records = samples::records();
    SECTION("no record of the cluster") {
        records.erase(records.begin());
        REQUIRE(says(refusal_of(samples::snapshot(records)), "no record of the cluster"));
    }
    SECTION("the record of another cluster") {
        records.front() = samples::meta_record("c2");
        REQUIRE(says(refusal_of(samples::snapshot(records)), "another cluster"));
    }
    SECTION("a record of the cluster that is none") {
        records.front().value = "\xff\xff";
        REQUIRE(says(refusal_of(samples::snapshot(records)), "cannot be read"));
    }
    SECTION("records out of order") {
        std::swap(records.at(1), records.at(2));
        REQUIRE(says(refusal_of(samples::snapshot(records)), "out of order"));
    }
    SECTION("a table that its schema does not have") {
        header.schema = 1;
        REQUIRE(says(refusal_of(samples::snapshot(records, header)), "does not exist"));
        records.pop_back(); // an app's version
        records.pop_back(); // a role
        std::vector<Record> read;
        REQUIRE_NOTHROW(samples::read(samples::snapshot(records, header), read));
    }
    SECTION("a key that no store takes") {
        records.back().key = record_key_max + 1;
        REQUIRE(says(refusal_of(samples::snapshot(records)), "does not exist"));
    }
    SECTION("a schema of the future") {
        header.schema = schema_version + 1;
        REQUIRE(says(refusal_of(samples::snapshot(records, header)), "newer Methos"));
    }
    SECTION("a format of the future") {
        auto bytes = samples::snapshot();
        bytes.at(bytes.find('\n') - 1) = '2';
        REQUIRE(says(refusal_of(bytes), "format"));
    }
    SECTION("something else altogether") {
        REQUIRE(says(refusal_of("SQLite format 3"), "no snapshot"));
        REQUIRE(says(refusal_of(""), "no snapshot"));
    }
}

TEST_CASE("every table has a name, a number and a schema") {
    std::size_t known = 0;
    for (int number = 0; number < 256; ++number) {
        const auto table = table_of(static_cast<std::uint8_t>(number));
        known += table ? 1U : 0U;
        REQUIRE((!table || to_string(*table) != "?"));
        REQUIRE((!table || static_cast<int>(*table) == number));
    }
    REQUIRE(known == tables.size());
    REQUIRE(table_of(6, 1) == Table::AppEnd);
    REQUIRE_FALSE(table_of(7, 1));
    REQUIRE(table_of(9, 2) == Table::Role);
    REQUIRE_FALSE(table_of(10, 2));
    REQUIRE_FALSE(table_of(1, 0));
    REQUIRE_FALSE(table_of(1, schema_version + 1));
}
