// What clients get of images of other registries, and how often the upstream is asked for it.
#include "tests/component/registry-proxy/world.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using methos::test::big;
using methos::test::make_bytes;
using methos::test::manifest;
using methos::test::World;

namespace {

std::uint64_t bytes_below(const std::filesystem::path& folder) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        bytes += entry.is_regular_file() ? entry.file_size() : 0;
    }
    return bytes;
}

} // namespace

SCENARIO("an image is pulled cold and then warm") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    const auto digest = world.upstream.put_manifest("team/app", "1", manifest).to_string();
    world.start_proxy();
    for (const std::string name : {"team/app", "docker.io/team/app", "lab.example/team/app"}) {
        const auto answer = world.get("/v2/" + name + "/manifests/1");
        CHECK(answer.status == 200);
        CHECK(answer.body == manifest);
        CHECK(answer.headers.get("Docker-Content-Digest") == digest);
        CHECK(answer.headers.get("Docker-Distribution-Api-Version") == "registry/2.0");
        CHECK(world.get("/v2/" + name + "/blobs/" + blob).body == bytes);
    }
    const auto by_ns = world.get("/v2/team/app/manifests/" + digest + "?ns=docker.io");
    CHECK(by_ns.headers.get("OCI-Namespace") == "docker.io");
    CHECK(world.upstream.count("GET team/app/manifests/1") == 2); // one for each upstream's name
    CHECK(world.upstream.count("HEAD team/app/manifests/1") == 0);
    CHECK(world.upstream.count("GET team/app/blobs/" + blob) == 1);

    const http::Headers part{{"Range", "bytes=10-19"}};
    const auto ranged = world.get("/v2/team/app/blobs/" + blob, part);
    CHECK(ranged.status == 206);
    CHECK(ranged.body == bytes.substr(10, 10));
    const http::Headers beyond{{"Range", "bytes=1000000-"}};
    CHECK(world.get("/v2/team/app/blobs/" + blob, beyond).status == 416);
    const http::Headers known{{"If-None-Match", "\"" + digest + "\""}};
    CHECK(world.get("/v2/team/app/manifests/1", known).status == 304);
    const auto head = world.call("HEAD", "/v2/team/app/blobs/" + blob);
    CHECK(head.status == 200);
    CHECK(head.headers.get("Content-Length") == std::to_string(big));
    world.finish();
}

SCENARIO("twenty clients of one cold blob cost one transfer") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.start_proxy();
    CHECK(world.pull_many("/v2/team/app/blobs/" + blob, bytes, 20) == 20);
    CHECK(world.upstream.count("GET team/app/blobs/" + blob) == 1);
    world.finish();
}

SCENARIO("a cold range is answered as one") {
    World world;
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.start_proxy();
    const http::Headers part{{"Range", "bytes=600000-"}};
    const auto answer = world.get("/v2/team/app/blobs/" + blob, part);
    CHECK(answer.status == 206);
    CHECK(answer.body == bytes.substr(600000));
    world.finish();
}

SCENARIO("a moved tag is noticed by one HEAD") {
    World world;
    world.options.tag_ttl = Duration::zero();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.start_proxy();
    world.get("/v2/team/app/manifests/1");
    world.get("/v2/team/app/manifests/1");
    CHECK(world.upstream.count("GET team/app/manifests/1") == 1);
    CHECK(world.upstream.count("HEAD team/app/manifests/1") == 1);
    const auto next = R"({"schemaVersion":2,"layers":[],"annotations":{"n":"2"}})";
    world.upstream.put_manifest("team/app", "1", next);
    CHECK(world.get("/v2/team/app/manifests/1").body == next);
    world.finish();
}

SCENARIO("registries that nobody named are denied") {
    World world;
    world.start_proxy();
    const auto answer = world.get("/v2/evil.test/x/manifests/1");
    CHECK(answer.status == 403);
    CHECK(answer.body.find("\"DENIED\"") != std::string::npos);
    CHECK(world.call("PUT", "/v2/team/app/manifests/1").status == 405);
    CHECK(world.get("/v2").status == 200);
    CHECK(world.get("/v2/x").status == 404);
    CHECK(world.get("/metrics/prometheus").status == 200);
    world.finish();
}

SCENARIO("a small cache forgets what is cached and keeps what is hosted") {
    World world;
    world.options.cache_bytes_max = 2'500'000;
    const auto hosted = make_bytes(big);
    const auto hosted_digest = proxy::Sha256::of(hosted).to_string();
    world.start_proxy();
    const std::string base = "/v2/registry.internal/x";
    CHECK(
        world.call("POST", base + "/blobs/uploads?digest=" + hosted_digest, http::Headers(), hosted)
            .status == 201);
    std::vector<std::string> blobs;
    for (std::size_t i = 1; i <= 3; ++i) {
        const auto bytes = make_bytes(big + i);
        blobs.push_back(world.upstream.put_blob("team/app", bytes).to_string());
        CHECK(world.get("/v2/team/app/blobs/" + blobs.back()).body == bytes);
    }
    CHECK(world.get(base + "/blobs/" + hosted_digest).body == hosted);
    const auto room_made = [&world] { // it is, after the answer
        return bytes_below(world.cache_folder() / "blobs") <= world.options.cache_bytes_max;
    };
    world.turn_until(room_made);
    CHECK(world.get("/v2/team/app/blobs/" + blobs[0]).status == 200);
    CHECK(world.upstream.count("GET team/app/blobs/" + blobs[0]) == 2); // it had been evicted
    world.turn_until(room_made);
    world.finish();
}

SCENARIO("an upstream's pages of tags are the proxy's own") {
    World world;
    world.upstream.put_tags("team/app",
                            R"({"name":"team/app","tags":["1","2"]})",
                            "<https://elsewhere.example/v2/team/app/tags/list?n=2&last=2>; "
                            "rel=\"next\"");
    world.start_proxy();
    const auto plain = world.get("/v2/lab.example/team/app/tags/list?n=2");
    CHECK(plain.body == R"({"name":"team/app","tags":["1","2"]})");
    CHECK(plain.headers.get("Link") ==
          "</v2/lab.example/team/app/tags/list?n=2&last=2>; rel=\"next\"");
    const auto by_ns = world.get("/v2/team/app/tags/list?n=2&ns=lab.example");
    CHECK(by_ns.headers.get("Link") ==
          "</v2/team/app/tags/list?n=2&last=2&ns=lab.example>; rel=\"next\"");
    CHECK(world.get("/v2/other/tags/list").status == 404);
    world.finish();
}
