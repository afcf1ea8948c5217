// Upstreams in trouble: what clients still get, and what they must never get.
#include "tests/component/registry-proxy/world.hpp"
#include "tests/support/catch.hpp"

#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace methos;
using methos::test::big;
using methos::test::make_bytes;
using methos::test::manifest;
using methos::test::World;

SCENARIO("a blob with a wrong digest is never completed and never kept") {
    World world;
    const auto size = GENERATE(std::size_t{1000}, big);
    const auto bytes = make_bytes(size);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.corrupts_blobs = true;
    world.upstream.hides_lengths = GENERATE(false, true);
    world.start_proxy();
    if (size == big || world.upstream.hides_lengths) {
        CHECK_THROWS_AS(world.get("/v2/team/app/blobs/" + blob), Failure);
    } else {
        CHECK(world.get("/v2/team/app/blobs/" + blob).status == 502);
    }
    world.turn_until([&world] { return world.count_unfinished() == 0; });
    world.upstream.corrupts_blobs = false;
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    world.finish();
}

SCENARIO("a transfer that is cut goes on where it stopped") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.cut_after = 300'000;
    world.upstream.cuts_left = 2;
    world.upstream.ignores_ranges = GENERATE(false, true);
    world.upstream.hides_lengths = GENERATE(false, true);
    world.start_proxy();
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    const std::vector<std::string> expected =
        world.upstream.ignores_ranges
            ? std::vector<std::string>{"", "bytes=300000-", "bytes=300000-"}
            : std::vector<std::string>{"", "bytes=300000-", "bytes=600000-"};
    CHECK(world.upstream.blob_ranges == expected);
    world.finish();
}

SCENARIO("a known tag is served stale when the upstream is in trouble") {
    World world;
    world.options.tag_ttl = Duration::zero();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").status == 200);
    world.upstream.fail_with = GENERATE(429, 503);
    const auto stale = world.get("/v2/team/app/manifests/1");
    CHECK(stale.status == 200);
    CHECK(stale.body == manifest);
    CHECK(stale.headers.get("Warning").value_or("").rfind("299 - ", 0) == 0);
    const auto unknown = world.get("/v2/team/app/manifests/2");
    CHECK(unknown.status == (world.upstream.fail_with == 429 ? 429 : 502));
    world.upstream.fail_with = 0;
    CHECK(world.get("/v2/team/app/manifests/2").status == 404);
    WHEN("the proxy restarts while the upstream is away") {
        world.stop_proxy();
        world.upstream.fail_with = 503;
        world.start_proxy();
        THEN("the tag is still there") {
            CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
        }
    }
    world.finish();
}

SCENARIO("a transfer survives an upstream that stumbles while clients read") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    const auto gate = std::make_shared<Gate>(world.context.get_executor());
    world.upstream.hold = gate;
    world.upstream.cut_after = 600'000;
    world.upstream.cuts_left = 1;
    world.start_proxy();
    const auto stream = world.open("/v2/team/app/blobs/" + blob);
    auto got = world.read_some(stream, 1);
    world.upstream.fail_with = GENERATE(429, 500, 503);
    world.upstream.fails_left = 2;
    gate->open();
    got += world.read_some(stream, big);
    CHECK(got == bytes);
    CHECK(world.upstream.blob_ranges == std::vector<std::string>{"", "bytes=600000-"});
    world.finish();
}

SCENARIO("a passing failure of the upstream is not the client's") {
    World world;
    const auto bytes = make_bytes(1000);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.fail_with = 503;
    world.start_proxy();
    world.upstream.fails_left = 1;
    CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
    world.upstream.fails_left = 1;
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    world.finish();
}

SCENARIO("an upstream that accepts and never answers") {
    World world;
    world.options.tag_ttl = Duration::zero();
    world.options.manifest_limit = std::chrono::milliseconds(200);
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.needs_token = true;
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").status == 200);
    world.upstream.silent = std::make_shared<Gate>(world.context.get_executor());
    const auto stale = world.get("/v2/team/app/manifests/1");
    CHECK(stale.status == 200);
    CHECK(stale.body == manifest);
    CHECK(stale.headers.get("Warning").value_or("").rfind("299 - ", 0) == 0);
    const auto unknown = world.get("/v2/team/app/manifests/2");
    CHECK(unknown.status == 504);
    CHECK(unknown.body.find("\"errors\"") != std::string::npos);
    CHECK(world.get("/v2/team/app/tags/list").body.find("\"1\"") != std::string::npos);
    world.upstream.silent->open();
    world.finish();
}

namespace {

/// A file system of one megabyte; without the right to make one there is nothing to test.
class SmallDisk {
  public:
    explicit SmallDisk(std::filesystem::path folder) : folder_(std::move(folder)) {
        std::filesystem::create_directories(folder_);
        mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m,mode=0755") == 0;
    }

    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    ~SmallDisk() {
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_DETACH);
        }
    }

    [[nodiscard]] bool mounted() const { return mounted_; }

    /// Takes what is left.
    void fill() const {
        std::ofstream file(folder_ / "ballast");
        const std::string block(4096, 'x');
        while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }

  private:
    std::filesystem::path folder_;
    bool mounted_ = false;
};

} // namespace

SCENARIO("with a full disk everything is passed through") {
    World world;
    const SmallDisk disk(world.cache_folder());
    if (!disk.mounted()) {
        WARN("skipped: mounting a tmpfs needs root");
        CHECK(std::getenv("CI") == nullptr); // where nothing may be skipped
        return;
    }
    const auto bytes = make_bytes(3 * big);
    const auto digest = world.upstream.put_blob("team/app", bytes);
    const auto path = "/v2/team/app/blobs/" + digest.to_string();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.start_proxy();
    const bool is_full = GENERATE(false, true); // or becomes so in the middle
    if (is_full) {
        disk.fill();
    }
    const http::Headers part{{"Range", "bytes=2000000-2000009"}};
    CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
    CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
    CHECK(world.pull_many(path, bytes, 3) == 3);
    const auto ranged = world.get(path, part);
    CHECK(ranged.status == 206);
    CHECK(ranged.body == bytes.substr(2'000'000, 10));
    const auto unknown = proxy::Sha256::of("unknown").to_string();
    CHECK(world.get("/v2/team/app/blobs/" + unknown).status == 404);
    const auto pushed =
        world.call("POST",
                   "/v2/registry.internal/x/blobs/uploads?digest=" + digest.to_string(),
                   http::Headers(),
                   bytes);
    CHECK(pushed.status == 507);
    world.upstream.corrupts_blobs = true;
    CHECK_THROWS_AS(world.get(path), Failure);
    world.turn_until([&world] { return world.count_unfinished() == 0; });
    world.finish();
}

SCENARIO("a blob that can never fit is passed through and costs no other its place") {
    World world;
    world.options.cache_bytes_max = 500'000;
    const auto small = make_bytes(1000);
    const auto bytes = make_bytes(big);
    const auto kept = world.upstream.put_blob("team/app", small).to_string();
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.hides_lengths = GENERATE(false, true);
    world.start_proxy();
    CHECK(world.get("/v2/team/app/blobs/" + kept).body == small);
    CHECK(world.pull_many("/v2/team/app/blobs/" + blob, bytes, 3) == 3);
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    world.turn_until([&world] { return world.count_unfinished() == 0; });
    CHECK(world.get("/v2/team/app/blobs/" + kept).body == small);
    CHECK(world.upstream.count("GET team/app/blobs/" + kept) == 1); // still in the cache
    world.finish();
}

SCENARIO("without a folder to write to, blobs are passed through") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.start_proxy();
    std::filesystem::remove_all(world.cache_folder() / "tmp");
    CHECK(world.pull_many("/v2/team/app/blobs/" + blob, bytes, 3) == 3);
    const http::Headers part{{"Range", "bytes=10-19"}};
    CHECK(world.get("/v2/team/app/blobs/" + blob, part).body == bytes.substr(10, 10));
    const auto unknown = proxy::Sha256::of("unknown").to_string();
    CHECK(world.get("/v2/team/app/blobs/" + unknown).status == 404);
    world.finish();
}
