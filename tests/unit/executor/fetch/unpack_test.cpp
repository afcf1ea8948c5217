// Archives that strangers made: what is in them arrives, and nothing of it outside of the sandbox,
// however its entries are named and whichever links come before them; what is too much, damaged or
// no archive is an error.
#include "executor/fetch/unpack.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace methos;
using namespace methos::executor;

namespace {

namespace fs = std::filesystem;

struct Entry {
    std::string name;
    std::string text;
    unsigned type = AE_IFREG;
    std::string link{};
    unsigned mode = 0644;
};

enum class Packing { Tar, TarGzip, TarBzip2, TarXz, Zip };

void write_archive(const std::string& path, Packing packing, const std::vector<Entry>& entries) {
    archive* writer = archive_write_new();
    switch (packing) {
    case Packing::TarGzip:
        archive_write_add_filter_gzip(writer);
        break;
    case Packing::TarBzip2:
        archive_write_add_filter_bzip2(writer);
        break;
    case Packing::TarXz:
        archive_write_add_filter_xz(writer);
        break;
    default:
        break;
    }
    if (packing == Packing::Zip) {
        archive_write_set_format_zip(writer);
    } else {
        archive_write_set_format_gnutar(writer);
    }
    REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
    for (const auto& wanted : entries) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, wanted.name.c_str());
        archive_entry_set_perm(entry, wanted.mode);
        archive_entry_set_size(entry, static_cast<la_int64_t>(wanted.text.size()));
        archive_entry_set_filetype(entry, wanted.type);
        if (wanted.type == AE_IFLNK) {
            archive_entry_set_symlink(entry, wanted.link.c_str());
        } else if (!wanted.link.empty()) {
            archive_entry_set_hardlink(entry, wanted.link.c_str());
        }
        REQUIRE(archive_write_header(writer, entry) >= ARCHIVE_WARN);
        archive_write_data(writer, wanted.text.data(), wanted.text.size());
        archive_entry_free(entry);
    }
    REQUIRE(archive_write_free(writer) == ARCHIVE_OK);
}

/// A sandbox beside a file that nothing may touch.
struct Bench {
    Bench() : sandbox(SandboxFolder::make(path())) { std::ofstream(outside()) << "untouched"; }

    [[nodiscard]] std::string path() const { return folder.path() / "sandbox"; }

    [[nodiscard]] std::string outside() const { return folder.path() / "outside"; }

    /// What goes wrong; ResourceExhausted, InvalidInput, ...; nothing when all is well.
    std::optional<Code> unpack_all(const std::vector<Entry>& entries,
                                   Packing packing = Packing::Tar) {
        write_archive(path() + "/a.tgz", packing, entries);
        return unpack_file();
    }

    std::optional<Code> unpack_file() {
        try {
            bytes = unpack(sandbox, "a.tgz", limits, given_up);
        } catch (const Failure& failure) {
            INFO(failure.error().to_string());
            CHECK_FALSE(failure.error().message.empty());
            return failure.code();
        }
        return std::nullopt;
    }

    [[nodiscard]] std::string text_of(const std::string& file) const {
        return text_at(path() + "/" + file);
    }

    [[nodiscard]] static std::string text_at(const std::string& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    methos::test::TemporaryFolder folder;
    SandboxFolder sandbox;
    UnpackLimits limits{1 << 20, 1000};
    std::atomic<bool> given_up = false;
    std::uint64_t bytes = 0;
};

} // namespace

TEST_CASE("archives of every kind arrive whole") {
    const auto packing =
        GENERATE(Packing::Tar, Packing::TarGzip, Packing::TarBzip2, Packing::TarXz, Packing::Zip);
    Bench bench;
    REQUIRE(bench.unpack_all({{"./", "", AE_IFDIR, "", 0700},
                              {"./bin/", "", AE_IFDIR, "", 0755},
                              {"bin/run", "#!", AE_IFREG, "", 06755},
                              {"deep/er/file", "text"},
                              {"\xc3\xbc.txt", "umlaut"},
                              {"empty", ""},
                              {"latest", "", AE_IFLNK, "bin/run"}},
                             packing) == std::nullopt);
    CHECK(bench.bytes == 12);
    CHECK(bench.text_of("deep/er/file") == "text");
    CHECK(bench.text_of("\xc3\xbc.txt") == "umlaut");
    CHECK(fs::exists(bench.path() + "/empty"));
    CHECK(fs::read_symlink(bench.path() + "/latest") == "bin/run");
    CHECK(fs::status(bench.path() + "/bin/run").permissions() == fs::perms(0755)); // no set-id bits
    CHECK(fs::status(bench.path()).permissions() == fs::perms(01777)); // not the archive's to say
}

TEST_CASE("the container's user can read what arrives, whatever the executor's umask") {
    const auto before = ::umask(0077);
    Bench bench;
    const auto failed = bench.unpack_all({{"deep/er/file", "text"}});
    ::umask(before);
    REQUIRE(failed == std::nullopt);
    CHECK(fs::status(bench.path()).permissions() == fs::perms(01777));
    CHECK(fs::status(bench.path() + "/deep/er").permissions() == fs::perms(0755));
    CHECK(fs::status(bench.path() + "/deep/er/file").permissions() == fs::perms(0644));
}

TEST_CASE("entries that lead out of the sandbox are refused") {
    const auto name = GENERATE(as<std::string>(),
                               "../outside",
                               "/etc/methos-test-outside",
                               "x/../../outside",
                               "..",
                               "x/..",
                               "/",
                               "./../outside");
    CAPTURE(name);
    Bench bench;
    CHECK(bench.unpack_all({{name, "climbed"}}) == Code::InvalidInput);
    CHECK(Bench::text_at(bench.outside()) == "untouched");
    CHECK_FALSE(fs::exists("/etc/methos-test-outside"));
}

TEST_CASE("links lead nobody out of the sandbox") {
    Bench bench;
    const auto up = fs::path(bench.outside()).parent_path().string();
    SECTION("a folder that is a link is not entered") {
        CHECK(bench.unpack_all({{"up", "", AE_IFLNK, up}, {"up/outside", "climbed"}}));
    }
    SECTION("nor is one further up") {
        CHECK(bench.unpack_all({{"a/up", "", AE_IFLNK, ".."},
                                {"a/up/up", "", AE_IFLNK, up},
                                {"a/up/up/outside", "climbed"}}));
    }
    SECTION("nor is it made a folder of") {
        CHECK(bench.unpack_all({{"up", "", AE_IFLNK, up}, {"up/", "", AE_IFDIR, "", 0777}}));
        CHECK(fs::is_symlink(bench.path() + "/up"));
    }
    SECTION("a file that is a link is replaced, not written through") {
        CHECK(bench.unpack_all({{"f", "", AE_IFLNK, bench.outside()}, {"f", "climbed"}}) ==
              std::nullopt);
        CHECK(bench.text_of("f") == "climbed");
    }
    SECTION("a second name of a file outside is not given") {
        CHECK(bench.unpack_all({{"f", "", AE_IFREG, bench.outside()}}));
        CHECK(bench.unpack_all({{"f", "", AE_IFREG, "../outside"}}));
        CHECK(bench.unpack_all({{"up", "", AE_IFLNK, up}, {"f", "", AE_IFREG, "up/outside"}}));
        CHECK_FALSE(fs::exists(bench.path() + "/f"));
    }
    SECTION("a second name of a file inside is") {
        CHECK(bench.unpack_all({{"a/f", "text"}, {"g", "", AE_IFREG, "a/f"}}) == std::nullopt);
        CHECK(bench.text_of("g") == "text");
    }
    CHECK(Bench::text_at(bench.outside()) == "untouched");
}

TEST_CASE("what was fetched before does not lead a later file out either") {
    Bench bench;
    REQUIRE(bench.unpack_all({{"bin", "", AE_IFLNK, "/tmp"}, {"f", "", AE_IFLNK, "/etc/passwd"}}) ==
            std::nullopt);
    CHECK_THROWS_AS(bench.sandbox.create_file({"bin", "run"}, 0644), Failure);
    CHECK(bench.sandbox.create_file({"f"}, 0644));
    CHECK(fs::is_regular_file(fs::symlink_status(bench.path() + "/f")));
}

TEST_CASE("credentials are not read through a link") {
    Bench bench;
    REQUIRE(bench.unpack_all({{".dockercfg", "", AE_IFLNK, "/etc/passwd"},
                              {"dir", "", AE_IFLNK, "/etc"},
                              {"own", "text"}}) == std::nullopt);
    CHECK_FALSE(bench.sandbox.find_text({".dockercfg"}, 1 << 20));
    CHECK_FALSE(bench.sandbox.find_text({"dir", "passwd"}, 1 << 20));
    CHECK_FALSE(bench.sandbox.find_text({"none"}, 10));
    CHECK_FALSE(bench.sandbox.find_text({"own"}, 3));
    CHECK(bench.sandbox.find_text({"own"}, 4) == "text");
}

TEST_CASE("bombs are put out") {
    Bench bench;
    const std::string zeros(200'000, '\0');
    SECTION("by bytes") {
        bench.limits.bytes_max = 100'000;
        CHECK(bench.unpack_all({{"a", zeros}}, Packing::TarGzip) == Code::ResourceExhausted);
        CHECK(fs::file_size(bench.path() + "/a") <= 100'000);
    }
    SECTION("by bytes of all files together") {
        bench.limits.bytes_max = 500'000;
        CHECK(bench.unpack_all({{"a", zeros}, {"b", zeros}, {"c", zeros}}, Packing::TarXz) ==
              Code::ResourceExhausted);
    }
    SECTION("by entries") {
        bench.limits.entries_max = 3;
        CHECK(bench.unpack_all({{"a", ""}, {"b", ""}, {"c", ""}}) == std::nullopt);
        CHECK(bench.unpack_all({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}) ==
              Code::ResourceExhausted);
    }
}

TEST_CASE("what is damaged, no archive, or no file is an error") {
    Bench bench;
    SECTION("cut short") {
        write_archive(bench.path() + "/a.tgz", Packing::TarGzip, {{"a", std::string(9999, 'x')}});
        fs::resize_file(bench.path() + "/a.tgz", fs::file_size(bench.path() + "/a.tgz") / 2);
        CHECK(bench.unpack_file() == Code::InvalidInput);
    }
    SECTION("an error page") {
        std::ofstream(bench.path() + "/a.tgz") << "<html>not found</html>";
        CHECK(bench.unpack_file() == Code::InvalidInput);
    }
    SECTION("a device") {
        CHECK(bench.unpack_all({{"dev", "", AE_IFCHR}}) == Code::InvalidInput);
        CHECK(bench.unpack_all({{"pipe", "", AE_IFIFO}}) == Code::InvalidInput);
    }
    SECTION("given up") {
        bench.given_up = true;
        CHECK(bench.unpack_all({{"a", "x"}}) == Code::Cancelled);
    }
}

TEST_CASE("a single compressed file loses its ending and lands in the sandbox itself") {
    Bench bench;
    fs::create_directory(bench.path() + "/logs");
    archive* writer = archive_write_new();
    archive_write_add_filter_gzip(writer);
    archive_write_set_format_raw(writer);
    REQUIRE(archive_write_open_filename(writer, (bench.path() + "/logs/a.txt.gz").c_str()) == 0);
    archive_entry* entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(writer, entry);
    archive_write_data(writer, "text", 4);
    archive_entry_free(entry);
    REQUIRE(archive_write_free(writer) == ARCHIVE_OK);

    CHECK(gunzip(bench.sandbox, "logs/a.txt.gz", bench.limits, bench.given_up) == 4);
    CHECK(bench.text_of("a.txt") == "text");
    bench.limits.bytes_max = 3;
    CHECK_THROWS_AS(gunzip(bench.sandbox, "logs/a.txt.gz", bench.limits, bench.given_up), Failure);
    std::ofstream(bench.path() + "/plain.gz") << "no gzip at all";
    CHECK_THROWS_AS(gunzip(bench.sandbox, "plain.gz", bench.limits, bench.given_up), Failure);
}
