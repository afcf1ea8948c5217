// The face of SQLite: values come back as they were bound, transactions are all or nothing, and
// what goes wrong says what the caller can do about it.
#include "core/store/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <functional>
#include <limits>

using namespace methos;
using namespace methos::store;

namespace {

Code code_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Failure& failure) {
        return failure.code();
    }
    FAIL("nothing was thrown");
    return Code::Internal;
}

} // namespace

TEST_CASE("values come back as they went in") {
    const methos::test::TemporaryFolder folder;
    Database database(folder.file("a.db"), false);
    database.execute("CREATE TABLE t(n INTEGER, b BLOB, s TEXT)");
    const std::string bytes("\0\xff'\"\n", 5);
    auto insert = database.prepare("INSERT INTO t VALUES(?, ?, ?)");
    insert.bind(1, std::numeric_limits<std::int64_t>::min()).bind_blob(2, bytes);
    insert.bind_text(3, "grüße").run();
    insert.bind(1, std::int64_t{-1}).bind_blob(2, {}).bind_text(3, {}).run();
    auto select = database.prepare("SELECT n, b, s, b IS NULL FROM t ORDER BY n");
    REQUIRE(select.step());
    REQUIRE(select.column_int(0) == std::numeric_limits<std::int64_t>::min());
    REQUIRE(select.column_bytes(1) == bytes);
    REQUIRE(select.column_bytes(2) == "grüße");
    REQUIRE(select.step());
    REQUIRE(select.column_bytes(1).empty());
    REQUIRE(select.column_int(3) == 0);
    REQUIRE_FALSE(select.step());
}

TEST_CASE("a transaction that throws leaves nothing, and the next one works") {
    const methos::test::TemporaryFolder folder;
    Database database(folder.file("a.db"), false);
    database.execute("CREATE TABLE t(n INTEGER UNIQUE)");
    auto insert = database.prepare("INSERT INTO t VALUES(?)");
    REQUIRE_THROWS_AS(database.transaction([&] {
        insert.bind(1, 1).run();
        throw std::runtime_error("the caller's own");
    }),
                      std::runtime_error);
    REQUIRE(code_of([&] {
                database.transaction([&] {
                    insert.bind(1, 1).run();
                    insert.bind(1, 1).run();
                });
            }) == Code::Internal);
    database.transaction([&] { insert.bind(1, 1).run(); });
    auto count = database.prepare("SELECT count(*) FROM t");
    REQUIRE(count.step());
    REQUIRE(count.column_int(0) == 1);
}

TEST_CASE("what goes wrong names the file and what can be done") {
    const methos::test::TemporaryFolder folder;
    REQUIRE(code_of([&] { Database(folder.file("no/such/folder.db"), false); }) == Code::NotFound);
    const auto path = folder.file("a.db");
    Database first(path, true);
    REQUIRE(code_of([&] { Database(path, true); }) == Code::Conflict);
    first.execute("PRAGMA max_page_count = 3");
    REQUIRE(code_of([&] {
                first.execute("CREATE TABLE t(b BLOB)");
                first.execute("INSERT INTO t VALUES(zeroblob(100000))");
            }) == Code::ResourceExhausted);
    try {
        first.execute("no SQL");
        FAIL("nothing was thrown");
    } catch (const Failure& failure) {
        REQUIRE(failure.error().message.find(path) != std::string::npos);
        REQUIRE(failure.error().cause->kind == Cause::Kind::Sqlite);
    }
}
