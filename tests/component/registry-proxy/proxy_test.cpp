// The whole proxy on a real loop with real sockets, before a scripted upstream: what clients get
// and how often the upstream is asked, in good times and in bad.
#include "core/http/client.hpp"
#include "registry-proxy/proxy.hpp"
#include "tests/component/registry-proxy/scripted_upstream.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/io_context.hpp>

#include <fstream>

using namespace methos;
using methos::test::ScriptedUpstream;
using methos::test::TemporaryFolder;

namespace {

/// Content that no compression or repetition can make look right by accident.
std::string make_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 12345;
    for (auto& byte : bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<char>(state >> 24U);
    }
    return bytes;
}

constexpr std::size_t big = 1'000'000;

class World {
  public:
    World() : upstream(context.get_executor()), client(context.get_executor()) {}

    /// Runs one coroutine to its end, and its failure here.
    void run(awaitable<> body) {
        std::exception_ptr failure;
        bool done = false;
        auto finish = [&](const std::exception_ptr& exception) {
            failure = exception;
            done = true;
        };
        asio::co_spawn(context, std::move(body), std::move(finish));
        while (!done) {
            context.run_one();
            context.restart();
        }
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    void start_proxy() {
        proxy::ProxyOptions options;
        options.http = "127.0.0.1:0";
        options.cache_folder = folder.path() / "cache";
        options.cache_bytes_max = cache_bytes;
        options.tag_ttl = tag_ttl;
        options.credentials_file = credentials_file;
        options.upstreams = {"docker.io=" + upstream.url(), "lab.example=" + upstream.url()};
        proxy = std::make_unique<proxy::Proxy>(context.get_executor(), pool, options);
        address = proxy->start();
    }

    void stop_proxy() {
        run(proxy->stop(std::chrono::seconds(1)));
        proxy.reset();
    }

    void finish() {
        stop_proxy();
        run(upstream.stop());
    }

    http::ClientResponse call(const std::string& method,
                              const std::string& path,
                              http::Headers headers = {},
                              std::string body = {}) {
        http::ClientResponse response;
        run(call_into(this, &response, method, path, std::move(headers), std::move(body)));
        return response;
    }

    http::ClientResponse get(const std::string& path, http::Headers headers = {}) {
        return call("GET", path, std::move(headers));
    }

    static awaitable<> call_into(World* world,
                                 http::ClientResponse* out,
                                 std::string method,
                                 std::string path,
                                 http::Headers headers,
                                 std::string body) {
        http::ClientRequest request;
        request.method = method;
        request.url = "http://" + world->address + path;
        request.headers = headers;
        request.body = body;
        *out = co_await world->client.send(std::move(request));
    }

    asio::io_context context{1};
    asio::thread_pool pool{2};
    TemporaryFolder folder;
    ScriptedUpstream upstream;
    http::Client client;
    std::unique_ptr<proxy::Proxy> proxy;
    std::string address;
    std::uint64_t cache_bytes = 1ULL << 30U;
    Duration tag_ttl = std::chrono::hours(1);
    std::string credentials_file;
};

const std::string manifest = R"({"schemaVersion":2,"layers":[]})";

/// One of many clients: gets a path and counts those that got exactly `wanted`.
awaitable<> pull_one(World* world, std::string path, std::string wanted, int* right) {
    http::ClientResponse response;
    co_await World::call_into(world, &response, "GET", path, http::Headers(), "");
    if (response.status == 200 && response.body == wanted) {
        ++*right;
    }
}

awaitable<> pull_many(World* world, std::string path, std::string wanted, int clients, int* right) {
    TaskGroup group(world->context.get_executor(), [](const std::string&, const Error&) {});
    for (int i = 0; i < clients; ++i) {
        auto child = pull_one(world, path, wanted, right);
        group.spawn("client", std::move(child));
    }
    co_await group.join();
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
    int right = 0;
    world.run(pull_many(&world, "/v2/team/app/blobs/" + blob, bytes, 20, &right));
    CHECK(right == 20);
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

SCENARIO("a blob with a wrong digest is never completed and never kept") {
    World world;
    const auto size = GENERATE(std::size_t{1000}, big);
    const auto bytes = make_bytes(size);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.corrupts_blobs = true;
    world.start_proxy();
    if (size == big) {
        CHECK_THROWS_AS(world.get("/v2/team/app/blobs/" + blob), Failure);
    } else {
        CHECK(world.get("/v2/team/app/blobs/" + blob).status == 502);
    }
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
    world.start_proxy();
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    world.finish();
}

SCENARIO("a token is got once and does not follow a redirect") {
    World world;
    const auto bytes = make_bytes(1000);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.needs_token = true;
    world.upstream.redirects_blobs = true;
    world.credentials_file = world.folder.file("config.json");
    std::ofstream(world.credentials_file) << R"({"auths":{"docker.io":{"auth":"dTpw"}}})";
    world.start_proxy();
    int right = 0;
    world.run(pull_many(&world, "/v2/team/app/manifests/1", manifest, 10, &right));
    CHECK(right == 10);
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    CHECK(world.upstream.count("GET /token") == 1);
    CHECK(world.upstream.token_authorizations == std::vector<std::string>{"Basic dTpw"});
    CHECK(world.upstream.leaked_authorizations.empty());
    world.finish();
}

SCENARIO("a known tag is served stale when the upstream is in trouble") {
    World world;
    world.tag_ttl = Duration::zero();
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

SCENARIO("a moved tag is noticed by one HEAD") {
    World world;
    world.tag_ttl = Duration::zero();
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

SCENARIO("a small cache forgets what is cached and keeps what is hosted") {
    World world;
    world.cache_bytes = 2'500'000;
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
    CHECK(world.get("/v2/team/app/blobs/" + blobs[0]).status == 200);
    CHECK(world.upstream.count("GET team/app/blobs/" + blobs[0]) == 2); // it had been evicted
    std::uint64_t on_disk = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(world.folder.path() / "cache/blobs")) {
        on_disk += entry.is_regular_file() ? entry.file_size() : 0;
    }
    CHECK(on_disk <= world.cache_bytes);
    world.finish();
}
