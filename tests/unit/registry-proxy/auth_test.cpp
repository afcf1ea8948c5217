// Challenges, credentials and tokens: what registries really send, and what an attacker who
// controls a challenge must not get.
#include "registry-proxy/hosting/push_guard.hpp"
#include "registry-proxy/upstream/auth.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::proxy;

TEST_CASE("challenges are read as registries write them") {
    const auto hub = parse_challenges(
        R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/x:pull,push")");
    REQUIRE(hub.size() == 1);
    CHECK(hub[0].scheme == "bearer");
    CHECK(hub[0].parameters.at("scope") == "repository:library/x:pull,push");

    const auto two = parse_challenges(R"(bEaReR Realm = "a\"b" , Service=s, BASIC realm="x")");
    REQUIRE(two.size() == 2);
    CHECK(two[0].parameters.at("realm") == "a\"b");
    CHECK(two[0].parameters.at("service") == "s");
    CHECK(two[1].scheme == "basic");

    CHECK(parse_challenges("").empty());
    CHECK(parse_challenges("=,=\"").empty());
    CHECK(parse_challenges("Basic").size() == 1);
}

TEST_CASE("credentials go to the upstream's own token server only") {
    struct Row {
        const char* upstream;
        const char* realm;
        RealmTrust trust;
    };

    const auto row = GENERATE(values<Row>({
        {"https://registry-1.docker.io", "https://auth.docker.io/token", RealmTrust::Own},
        {"https://ghcr.io", "https://ghcr.io/token", RealmTrust::Own},
        {"https://ghcr.io", "http://ghcr.io/token", RealmTrust::Refused},
        {"https://ghcr.io", "https://evil.test/token", RealmTrust::Anonymous},
        {"https://ghcr.io", "https://ghcr.io.evil.test/token", RealmTrust::Anonymous},
        {"https://a.co.uk", "https://b.co.uk/t", RealmTrust::Anonymous},
        {"https://a.example", "https://auth.a.example:8443/t", RealmTrust::Own},
        {"https://a.example", "https://nota.example/t", RealmTrust::Anonymous},
        {"https://mine.azurecr.io", "https://yours.azurecr.io/t", RealmTrust::Anonymous},
        {"https://mine.github.io", "https://github.io/t", RealmTrust::Anonymous},
        {"https://ghcr.io", "https://auth.docker.io/token", RealmTrust::Anonymous},
        {"https://ghcr.io", "https://127.1/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://0x7f000001/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://2130706433/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://localhost./t", RealmTrust::Refused},
        {"https://ghcr.io", "https://[::ffff:10.0.0.1]/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://metadata.google.internal/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://127.0.0.1/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://169.254.169.254/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://[::1]/t", RealmTrust::Refused},
        {"https://ghcr.io", "https://localhost/t", RealmTrust::Refused},
        {"http://127.0.0.1:5000", "http://127.0.0.1:5000/t", RealmTrust::Own},
        {"http://127.0.0.1:5000", "http://127.0.0.1:5001/t", RealmTrust::Anonymous},
        {"http://10.0.0.1:5000", "https://10.0.0.2/t", RealmTrust::Anonymous},
    }));
    INFO(row.upstream << " names " << row.realm);
    const auto upstream = parse_registry_url(row.upstream).value();
    const auto realm = parse_registry_url(row.realm).value();
    CHECK(judge_realm(upstream, realm) == row.trust);
}

TEST_CASE("the scope names the repository even when the challenge does not") {
    const Challenge exact{"bearer", {{"scope", "repository:a/b:pull"}}};
    const Challenge placeholder{"bearer", {{"scope", "repository:user/image:pull"}}};
    CHECK(choose_scope(exact, "a/b") == "repository:a/b:pull");
    CHECK(choose_scope(placeholder, "a/b") == "repository:a/b:pull");
    CHECK(choose_scope(Challenge{"bearer", {}}, "a/b") == "repository:a/b:pull");
}

TEST_CASE("tokens are read in both spellings and live as long as they say") {
    CHECK(parse_token_answer(R"({"token":"t","expires_in":300})")->lifetime ==
          std::chrono::seconds(300));
    CHECK(parse_token_answer(R"({"access_token":"t"})")->lifetime == std::chrono::seconds(60));
    CHECK_FALSE(parse_token_answer("[]").has_value());
    CHECK_FALSE(parse_token_answer(R"({"token":""})").has_value());
    CHECK_FALSE(parse_token_answer(R"({"token":"a\r\nb"})").has_value());
    CHECK(parse_token_answer(R"({"token":"t","expires_in":-5})")->lifetime.count() == 0);
}

TEST_CASE("authorizations are forgotten before they run out") {
    AuthorizationCache cache;
    const MonoTime start{};
    cache.put("k", "Bearer t", std::chrono::seconds(100), start);
    CHECK(cache.find("k", start + std::chrono::seconds(84)) == "Bearer t");
    CHECK_FALSE(cache.find("k", start + std::chrono::seconds(86)).has_value());
    cache.drop("k");
    CHECK(cache.size() == 0);
}

TEST_CASE("Docker's config.json gives credentials by host") {
    const auto credentials = parse_credentials(
        R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOnE="},"ghcr.io":{"username":"a","password":"b"},"q.io":{"identitytoken":"i"}}})");
    REQUIRE(credentials.has_value());
    CHECK(credentials->at("docker.io").user == "u");
    CHECK(credentials->at("docker.io").password == "p:q");
    CHECK(credentials->at("ghcr.io").password == "b");
    CHECK(credentials->at("q.io").identity_token == "i");
    const auto* bad = GENERATE("",
                               "[]",
                               "{}",
                               R"({"auths":1})",
                               R"({"auths":{"x":{"auth":"!"}}})",
                               R"({"auths":{"x":{}}})");
    CHECK_FALSE(parse_credentials(bad).has_value());
}

TEST_CASE("base64 goes there and back") {
    for (const std::string text : {"a", "ab", "abc", "user:pass"}) {
        CHECK(base64_decode(base64_encode(text)) == text);
    }
    CHECK(base64_encode("user:pass") == "dXNlcjpwYXNz");
    CHECK_FALSE(base64_decode("a").has_value());
}

TEST_CASE("pushes come from this machine or with a password") {
    const PushGuard local;
    CHECK(local.check("127.0.0.1", std::nullopt).has_value());
    CHECK(local.check("::1", std::nullopt).has_value());
    CHECK(local.check("::ffff:127.0.0.1", std::nullopt).has_value()); // IPv4 on a socket of [::]
    CHECK(local.check("::ffff:10.0.0.2", std::nullopt).error().code == Code::Forbidden);
    CHECK(local.check("10.0.0.2", std::nullopt).error().code == Code::Forbidden);

    const auto guard = PushGuard::parse("# people\nann:secret\r\n\nbob:x:y\n");
    REQUIRE(guard.has_value());
    const auto basic = [](const std::string& pair) { return "Basic " + base64_encode(pair); };
    CHECK(guard->check("10.0.0.2", basic("ann:secret")).has_value());
    CHECK(guard->check("10.0.0.2", basic("bob:x:y")).has_value());
    CHECK(guard->check("10.0.0.2", basic("ann:wrong")).error().code == Code::Unauthorized);
    CHECK(guard->check("10.0.0.2", basic("ann:")).error().code == Code::Unauthorized);
    CHECK(guard->check("10.0.0.2", "Basic ???").error().code == Code::Unauthorized);
    CHECK(guard->check("10.0.0.2", std::nullopt).error().code == Code::Unauthorized);
    CHECK_FALSE(PushGuard::parse("ann").has_value());
    CHECK_FALSE(PushGuard::parse("ann:\n").has_value());
    CHECK_FALSE(PushGuard::parse("\n").has_value());
}
