// The file that says which images are ours: what was written is read again by the next executor,
// and nothing that is damaged is believed.
#include "executor/collect/image_ledger.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <filesystem>
#include <fstream>

namespace methos::executor {

namespace {

KeptImages sample() {
    KeptImages images;
    images["sha256:a"] = KeptImage{{"docker.io/library/nginx:1", "x:5000/y:2"},
                                   WallTime(std::chrono::milliseconds(1'700'000'000'123))};
    images["sha256:b"] = KeptImage{};
    return images;
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

} // namespace

TEST_CASE("what one executor notes, the next one knows") {
    const methos::test::TemporaryFolder folder;
    const auto data = folder.file("");
    ImageLedger ledger(data);
    REQUIRE(ledger.load());
    CHECK(ledger.load()->empty());
    REQUIRE(ledger.save(sample()));
    CHECK(ImageLedger(data).load().value() == sample());
    CHECK_FALSE(std::filesystem::exists(ledger.path() + ".new"));

    std::filesystem::remove(ledger.path());
    REQUIRE(ledger.save(sample()));
    CHECK_FALSE(std::filesystem::exists(ledger.path())); // nothing new: nothing is written
    REQUIRE(ledger.save({}));
    CHECK(std::filesystem::exists(ledger.path()));
}

TEST_CASE("a damaged ledger is refused, and names itself") {
    const methos::test::TemporaryFolder folder;
    ImageLedger ledger(folder.file(""));
    REQUIRE(ledger.save(sample()));
    const auto text = GENERATE(as<std::string>(),
                               "",
                               "{",
                               "[]",
                               R"({"version":2,"images":[]})",
                               R"({"version":1,"images":[{"id":1,"names":[],"usedAt":1}]})",
                               R"({"version":1,"images":[{"id":"a","names":[]}]})");
    CAPTURE(text);
    write(ledger.path(), text);
    const auto loaded = ledger.load();
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().message.find(ledger.path()) != std::string::npos);
}

TEST_CASE("a folder that cannot be written is an error, and nothing is lost") {
    const methos::test::TemporaryFolder folder;
    ImageLedger ledger(folder.file("missing"));
    CHECK_FALSE(ledger.save(sample()));
    std::filesystem::create_directory(folder.file("missing"));
    CHECK(ledger.save(sample()));
}

} // namespace methos::executor
