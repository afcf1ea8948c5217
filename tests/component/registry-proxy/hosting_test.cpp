// Images that live in the proxy: pushes, right and wrong, and what is kept of them.
#include "tests/component/registry-proxy/world.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>

using namespace methos;
using methos::test::big;
using methos::test::make_bytes;
using methos::test::manifest;
using methos::test::World;

SCENARIO("an image is pushed in chunks, pulled, listed and deleted") {
    World world;
    world.start_proxy();
    const std::string base = "/v2/registry.internal/team/app";
    const auto bytes = make_bytes(1000);
    const auto blob = proxy::Sha256::of(bytes).to_string();
    const auto document =
        R"({"schemaVersion":2,"layers":[{"digest":")" + blob + R"(","size":1000}]})";
    const http::Headers type{{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}};
    const auto early = world.call("PUT", base + "/manifests/1", type, document);
    CHECK(early.status == 400);
    CHECK(early.body.find("MANIFEST_BLOB_UNKNOWN") != std::string::npos);

    const auto begun = world.call("POST", base + "/blobs/uploads/");
    REQUIRE(begun.status == 202);
    const auto place = begun.headers.get("Location").value();
    const http::Headers first{{"Content-Range", "0-399"}};
    CHECK(world.call("PATCH", place, first, bytes.substr(0, 400)).headers.get("Range") == "0-399");
    const http::Headers wrong{{"Content-Range", "500-999"}};
    CHECK(world.call("PATCH", place, wrong, bytes.substr(500)).status == 416);
    CHECK(world.get(place).status == 204);
    CHECK(world.call("PATCH", place, http::Headers(), bytes.substr(400)).status == 202);
    CHECK(world.call("PUT", place + "?digest=" + blob).status == 201);
    CHECK(world.call("HEAD", base + "/blobs/" + blob).status == 200);

    CHECK(world.call("PUT", base + "/manifests/1", type, document).status == 201);
    const auto pulled = world.get(base + "/manifests/1");
    CHECK(pulled.body == document);
    CHECK(pulled.headers.get("Content-Type") == "application/vnd.oci.image.manifest.v1+json");
    CHECK(world.get(base + "/blobs/" + blob).body == bytes);
    CHECK(world.get(base + "/tags/list").body.find("\"1\"") != std::string::npos);
    CHECK(world.get("/v2/_catalog").body.find("registry.internal/team/app") != std::string::npos);
    CHECK(world.get("/v2/team/app/manifests/1").status == 404); // not shadowing the upstream's

    const auto digest = proxy::Sha256::of(document).to_string();
    CHECK(world.call("DELETE", base + "/manifests/" + digest).status == 202);
    CHECK(world.get(base + "/manifests/1").status == 404);
    CHECK(world.get(base + "/tags/list").status == 404);
    world.finish();
}

SCENARIO("an upload with a wrong digest is thrown away") {
    World world;
    world.start_proxy();
    const std::string uploads = "/v2/registry.internal/x/blobs/uploads";
    const auto other = proxy::Sha256::of("other").to_string();
    const auto answer = world.call("POST", uploads + "?digest=" + other, http::Headers(), "bytes");
    CHECK(answer.status == 400);
    CHECK(answer.body.find("DIGEST_INVALID") != std::string::npos);
    CHECK(world.call("PUT", uploads + "/unknown?digest=" + other).status == 404);
    world.finish();
}

SCENARIO("wrong pushes are refused with a reason and leave nothing behind") {
    World world;
    world.start_proxy();
    const std::string base = "/v2/registry.internal/team/app";
    const auto refused = [&](const http::ClientResponse& answer, int status, const char* code) {
        CHECK(answer.status == status);
        CHECK(answer.body.find(code) != std::string::npos);
    };
    const http::Headers type{{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}};
    const auto other = proxy::Sha256::of("other").to_string();
    const auto put = [&](const std::string& reference, const std::string& body) {
        return world.call("PUT", base + "/manifests/" + reference, type, body);
    };
    refused(put("1", "no JSON"), 400, "MANIFEST_INVALID");
    refused(put("1", "{}"), 400, "MANIFEST_INVALID");
    refused(put(other, manifest), 400, "DIGEST_INVALID");
    refused(put("1", std::string(4 * 1024 * 1024 + 1, ' ')), 413, "SIZE_INVALID");
    refused(put("bad%20tag", manifest), 400, "MANIFEST_INVALID");
    const auto wrong_type = R"({"schemaVersion":2,"mediaType":"application/x","layers":[]})";
    refused(put("1", wrong_type), 400, "MANIFEST_INVALID");
    refused(world.get(base + "/manifests/1"), 404, "MANIFEST_UNKNOWN");
    refused(world.get(base + "/tags/list"), 404, "NAME_UNKNOWN");

    const auto begun = world.call("POST", base + "/blobs/uploads/");
    const auto place = begun.headers.get("Location").value();
    CHECK(world.count_unfinished() == 1);
    refused(world.call("PUT", place + "?digest=" + other, {}, "bytes"), 400, "DIGEST_INVALID");
    refused(world.call("PUT", place + "?digest=" + other), 404, "BLOB_UPLOAD_UNKNOWN");
    refused(world.call("HEAD", base + "/blobs/" + other), 404, "");
    CHECK(world.count_unfinished() == 0);
    world.finish();
}

SCENARIO("what was pushed is there after a restart, under eviction pressure too") {
    World world;
    world.options.cache_bytes_max = 2'500'000;
    world.start_proxy();
    const std::string base = "/v2/registry.internal/team/app";
    const auto layer = make_bytes(big + 7);
    const auto digest = proxy::Sha256::of(layer).to_string();
    CHECK(world.call("POST", base + "/blobs/uploads?digest=" + digest, {}, layer).status == 201);
    const auto document = R"({"schemaVersion":2,"layers":[{"digest":")" + digest + R"(","size":)" +
                          std::to_string(layer.size()) + "}]}";
    for (const auto* tag : {"1", "2", "3"}) {
        CHECK(world.call("PUT", base + "/manifests/" + tag, {}, document).status == 201);
    }
    world.stop_proxy();
    world.start_proxy();
    for (std::size_t i = 1; i <= 4; ++i) {
        const auto bytes = make_bytes(big + 100 + i);
        const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
        CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    }
    CHECK(world.get(base + "/manifests/2").body == document);
    CHECK(world.get(base + "/blobs/" + digest).body == layer);

    const auto page = world.get(base + "/tags/list?n=2");
    CHECK(page.body == R"({"name":"registry.internal/team/app","tags":["1","2"]})");
    CHECK(page.headers.get("Link") == "<" + base + "/tags/list?n=2&last=2>; rel=\"next\"");
    const auto rest = world.get(base + "/tags/list?n=2&last=2");
    CHECK(rest.body == R"({"name":"registry.internal/team/app","tags":["3"]})");
    CHECK_FALSE(rest.headers.has("Link"));
    CHECK(world.get(base + "/tags/list?n=x").status == 400);
    world.finish();
}

SCENARIO("the proxy serves over TLS") {
    World world;
    world.options.tls_certificate_file = world.folder.file("cert.pem");
    world.options.tls_key_file = world.folder.file("key.pem");
    const auto made = std::system(
        ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
         "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout " +
         world.options.tls_key_file + " -out " + world.options.tls_certificate_file +
         " 2>/dev/null")
            .c_str());
    REQUIRE(made == 0);
    const auto bytes = make_bytes(big);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.start_proxy();
    CHECK(world.get("/v2").status == 200);
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes); // as it comes
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes); // from the file
    const auto digest = proxy::Sha256::of(bytes).to_string();
    const auto pushed =
        world.call("POST", "/v2/registry.internal/x/blobs/uploads?digest=" + digest, {}, bytes);
    CHECK(pushed.status == 201);
    world.finish();
}
