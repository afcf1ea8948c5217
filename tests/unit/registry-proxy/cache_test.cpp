// The cache's decisions: digests, what is evicted, what readers of a fill may see, what a manifest
// refers to; and its files: what survives a restart and what a crash leaves behind.
#include "registry-proxy/cache/content_store.hpp"
#include "registry-proxy/cache/fill.hpp"
#include "registry-proxy/cache/manifest.hpp"
#include "registry-proxy/cache/repositories.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <sys/resource.h>

#include <fstream>

using namespace methos;
using namespace methos::proxy;
using methos::test::TemporaryFolder;

namespace {

namespace fs = std::filesystem;

Digest digest_of(const std::string& text) {
    return Sha256::of(text);
}

void place(const fs::path& folder, const Digest& digest, const std::string& bytes) {
    const auto file = folder / "blobs/sha256" / digest.hex().substr(0, 2) / digest.hex();
    fs::create_directories(file.parent_path());
    std::ofstream(file) << bytes;
}

} // namespace

TEST_CASE("digests are checked to the letter") {
    const std::string empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    CHECK(Sha256::of("").hex() == empty);
    CHECK(Digest::parse("sha256:" + empty).has_value());
    CHECK_FALSE(Digest::parse("sha512:" + empty).has_value());
    CHECK_FALSE(Digest::parse("sha256:" + empty.substr(1)).has_value());
    CHECK_FALSE(Digest::parse("sha256:E" + empty.substr(1)).has_value());
    CHECK_FALSE(Digest::parse("sha256:../" + empty.substr(3)).has_value());
    Sha256 whole;
    whole.update("ab");
    Sha256 copy(whole);
    copy.update("c");
    CHECK(copy.digest() == digest_of("abc"));
    CHECK(whole.digest() == digest_of("ab"));
}

SCENARIO("the least recently used goes first, and what is pinned or read never") {
    GIVEN("a full index") {
        CacheIndex index(30);
        const auto a = digest_of("a");
        const auto b = digest_of("b");
        const auto c = digest_of("c");
        index.add(a, 10);
        index.add(b, 10);
        index.add(c, 10);
        index.touch(a);
        CHECK(index.excess(0) == 0);
        CHECK(index.excess(15) == 15);
        THEN("as many go as are needed, oldest use first") {
            CHECK(index.choose_victims(15, {}) == std::vector<Digest>{b, c});
        }
        THEN("pins count") {
            index.pin(b);
            index.pin(b);
            index.unpin(b);
            CHECK(index.choose_victims(1, {}) == std::vector<Digest>{c});
            index.unpin(b);
            CHECK(index.choose_victims(1, {}) == std::vector<Digest>{b});
        }
        THEN("what is busy stays") {
            CHECK(index.choose_victims(1, {b, c}) == std::vector<Digest>{a});
        }
        THEN("reserved room counts as used") {
            index.reserve(5);
            CHECK(index.excess(0) == 5);
            index.release(5);
            CHECK(index.excess(0) == 0);
        }
    }
}

SCENARIO("no reader of a fill gets the end of a body before its hash is right") {
    FillState fill;
    constexpr std::uint64_t total = 200'000;
    CHECK(fill.begin(total));
    CHECK(fill.receive(150'000));
    CHECK(fill.readable() == total - held_back_bytes);
    CHECK(fill.receive(50'000));
    CHECK(fill.is_whole());
    CHECK(fill.readable() == total - held_back_bytes);
    WHEN("it is right") {
        fill.verified();
        THEN("all of it may be read") {
            CHECK(fill.readable() == total);
        }
    }
    WHEN("it is wrong") {
        fill.fail();
        THEN("nothing more is read") {
            CHECK(fill.readable() == 0);
        }
    }
    THEN("another length is refused") {
        CHECK_FALSE(fill.begin(total + 1));
    }
    THEN("more than announced is refused") {
        CHECK_FALSE(fill.receive(1));
    }
}

SCENARIO("a fill of unknown length holds back its newest bytes") {
    FillState fill;
    CHECK(fill.begin(std::nullopt));
    CHECK(fill.receive(1000));
    CHECK(fill.readable() == 0);
    CHECK(fill.receive(held_back_bytes));
    CHECK(fill.readable() == 1000);
    CHECK_FALSE(fill.is_small());
    fill.verified();
    CHECK(fill.total() == 1000 + held_back_bytes);
}

TEST_CASE("manifests tell what they refer to") {
    const auto layer = digest_of("layer").to_string();
    const auto config = digest_of("config").to_string();
    const auto facts = read_manifest(R"({"schemaVersion":2,"config":{"mediaType":"c","digest":")" +
                                     config + R"(","size":1},"layers":[{"digest":")" + layer +
                                     R"(","size":5,"urls":["http://x"]}]})");
    REQUIRE(facts.has_value());
    REQUIRE(facts->blobs.size() == 2);
    CHECK(facts->blobs[0].elsewhere);
    CHECK(facts->blobs[1].bytes == 1);
    CHECK(media_type_of(*facts) == "application/vnd.oci.image.manifest.v1+json");
    const auto* bad = GENERATE("",
                               "[]",
                               "{}",
                               R"({"schemaVersion":2,"layers":{}})",
                               R"({"schemaVersion":2,"layers":[{"digest":"x","size":1}]})",
                               R"({"schemaVersion":2,"config":7})");
    CHECK_FALSE(read_manifest(bad).has_value());
    CHECK(bare_media_type("Application/JSON; charset=utf-8") == "application/json");
}

SCENARIO("the store is rebuilt from its files") {
    const TemporaryFolder folder;
    asio::thread_pool pool(1);
    const auto good = digest_of("good");
    const auto other = digest_of("other");
    place(folder.path(), good, "good");
    place(folder.path(), other, "other");
    fs::create_directories(folder.path() / "tmp");
    std::ofstream(folder.path() / "tmp/left-over") << "half";
    ContentStore store(folder.path(), 100, pool);
    CHECK(fs::is_empty(folder.path() / "tmp"));
    CHECK(store.index().used_bytes() == 9);
    CHECK(store.read(good, 100) == "good");

    WHEN("a file is removed or cut behind its back") {
        fs::remove(folder.path() / "blobs/sha256" / good.hex().substr(0, 2) / good.hex());
        place(folder.path(), other, "oth");
        THEN("it counts as missing") {
            CHECK_FALSE(store.open(good).has_value());
            CHECK_FALSE(store.open(other).has_value());
            CHECK(store.index().used_bytes() == 0);
        }
    }
    WHEN("the process has no descriptor left for a moment") {
        rlimit before{};
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
        const rlimit none{0, before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
        CHECK_THROWS_AS(store.open(good), Failure);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
        THEN("nothing is forgotten") {
            CHECK(store.read(good, 100) == "good");
        }
    }
    WHEN("room is asked for that there can never be") {
        store.index().pin(good);
        THEN("nothing goes") {
            CHECK_FALSE(store.make_room(101));
            CHECK_FALSE(store.make_room(97));
            CHECK(store.find_size(other).has_value());
            store.index().reserve(90);
            CHECK_FALSE(store.make_room(7));
            CHECK(store.find_size(other).has_value());
            CHECK(store.make_room(6));
            CHECK_FALSE(store.find_size(other).has_value());
        }
    }
    WHEN("room is needed while something is read") {
        const auto reading = store.open(good);
        THEN("only the other goes") {
            CHECK(store.make_room(96));
            CHECK(store.find_size(good).has_value());
            CHECK_FALSE(store.find_size(other).has_value());
            CHECK_FALSE(store.make_room(100));
        }
    }
}

SCENARIO("repositories are remembered across a restart") {
    const TemporaryFolder folder;
    const RepositoryName name{"127.0.0.1:5000", "team/app"};
    const RepositoryName nested{"127.0.0.1:5000", "team/app/sub"};
    const auto one = digest_of("one");
    {
        Repositories repositories(folder.path());
        repositories.put_manifest(name, one, "type/x");
        repositories.put_manifest(nested, one, "type/y");
        repositories.put_tag(name, "1", Tag{one, MonoTime::max(), {}});
        repositories.put_tag(name, "2", Tag{one, MonoTime::max(), {}});
    }
    std::ofstream(folder.path() / "127.0.0.1_5000/team/app/_tags/broken") << "nonsense";
    std::ofstream(folder.path() / "127.0.0.1_5000/team/app/_tags/.ab.tmp") << "half";
    Repositories repositories(folder.path());
    CHECK(repositories.find_media_type(name, one) == "type/x");
    CHECK(repositories.list_names("127.0.0.1:5000") ==
          std::vector<std::string>{"team/app", "team/app/sub"});
    CHECK(repositories.list_tags(name) == std::vector<std::string>{"1", "2"});
    CHECK(repositories.find_tag(name, "1")->fresh_until == MonoTime::min());
    CHECK_FALSE(fs::exists(folder.path() / "127.0.0.1_5000/team/app/_tags/.ab.tmp"));
    WHEN("the manifest is removed") {
        CHECK(repositories.remove_manifest(name, one));
        THEN("so are its tags, here and on disk") {
            CHECK(repositories.list_tags(name).empty());
            CHECK_FALSE(repositories.contains(name));
            const Repositories again(folder.path());
            CHECK_FALSE(again.find_tag(name, "1").has_value());
            CHECK(again.contains(nested));
        }
    }
}
