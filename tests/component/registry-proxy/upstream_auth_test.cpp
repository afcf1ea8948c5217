// How the proxy identifies itself to upstreams, and to whom it never does.
#include "tests/component/registry-proxy/world.hpp"
#include "tests/support/catch.hpp"

#include <fstream>

using namespace methos;
using methos::test::make_bytes;
using methos::test::manifest;
using methos::test::World;

namespace {

const std::string basic = "Basic dTpw"; // u:p

void give_credentials(World& world) {
    world.options.credentials_file = world.folder.file("config.json");
    std::ofstream(world.options.credentials_file) << R"({"auths":{"docker.io":{"auth":"dTpw"}}})";
}

} // namespace

SCENARIO("a token is got once and does not follow a redirect") {
    World world;
    const auto bytes = make_bytes(1000);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.needs_token = true;
    world.upstream.redirects_blobs = true;
    give_credentials(world);
    world.start_proxy();
    CHECK(world.pull_many("/v2/team/app/manifests/1", manifest, 10) == 10);
    CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
    CHECK(world.upstream.count("GET /token") == 1);
    CHECK(world.upstream.token_authorizations == std::vector<std::string>{"Basic dTpw"});
    CHECK(world.upstream.leaked_authorizations.empty());
    world.finish();
}

SCENARIO("a token that has run out is replaced once") {
    World world;
    world.upstream.needs_token = true;
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.put_manifest("team/app", "2", manifest + " ");
    world.upstream.put_manifest("team/app", "3", manifest + "  ");
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").status == 200);
    world.upstream.token = "newer";
    world.upstream.refused_token_status = GENERATE(401, 403); // some registries say it so
    CHECK(world.get("/v2/team/app/manifests/2").status == 200);
    CHECK(world.upstream.count("GET /token") == 2);
    WHEN("the new one is refused too") {
        world.upstream.token = "\t"; // which nobody can send
        THEN("the client is told, after one try") {
            CHECK(world.get("/v2/team/app/manifests/3").status == 502);
            CHECK(world.upstream.count("GET team/app/manifests/3") <= 3);
        }
    }
    world.finish();
}

SCENARIO("a token server elsewhere gets no credentials") {
    World world;
    give_credentials(world);
    world.upstream.needs_token = true;
    world.upstream.put_manifest("team/app", "1", manifest);
    world.upstream.realm = world.upstream.url() + "/token";
    world.upstream.realm.replace(world.upstream.realm.find("127.0.0.1"), 9, "localhost");
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").status == 200); // an anonymous token
    CHECK(world.upstream.token_authorizations == std::vector<std::string>{""});
    world.finish();
}

SCENARIO("a token server that is no URL fails all who ask, at once") {
    World world;
    world.upstream.needs_token = true;
    world.upstream.realm = GENERATE("x", "https://10.0.0.1 ");
    world.upstream.put_manifest("team/app", "1", manifest);
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").status == 502);
    CHECK(world.pull_many("/v2/team/app/manifests/1", manifest, 3) == 0);
    world.upstream.realm.clear();
    CHECK(world.get("/v2/team/app/manifests/1").status == 200);
    world.finish();
}

SCENARIO("a long refusal does not stop the authentication") {
    World world;
    world.upstream.needs_token = true;
    world.upstream.refusal = make_bytes(methos::test::big);
    world.upstream.put_manifest("team/app", "1", manifest);
    world.start_proxy();
    CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
    world.finish();
}

SCENARIO("an upstream that knows only Basic gets user and password") {
    World world;
    world.upstream.basic_authorization = basic;
    const auto bytes = make_bytes(1000);
    const auto blob = world.upstream.put_blob("team/app", bytes).to_string();
    world.upstream.put_manifest("team/app", "1", manifest);
    WHEN("the proxy has them") {
        give_credentials(world);
        world.start_proxy();
        CHECK(world.get("/v2/team/app/manifests/1").body == manifest);
        CHECK(world.get("/v2/team/app/blobs/" + blob).body == bytes);
        CHECK(world.upstream.count("GET team/app/manifests/1") == 2); // asked, then told
        CHECK(world.upstream.count("GET team/app/blobs/" + blob) == 1);
    }
    WHEN("it has none") {
        world.start_proxy();
        const auto answer = world.get("/v2/team/app/manifests/1");
        CHECK(answer.status == 401);
        CHECK(answer.body.find("--credentials") != std::string::npos);
        CHECK_FALSE(answer.headers.has("WWW-Authenticate")); // not the client's to give
    }
    world.finish();
}
