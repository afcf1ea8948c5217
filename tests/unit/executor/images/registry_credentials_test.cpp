// Docker's config.json and .dockercfg as people have them: which registry each entry is for, and
// that nothing secret is in what is said of a wrong one.
#include "executor/images/registry_credentials.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::executor;

namespace {

RegistryCredentials parsed(const std::string& text) {
    auto credentials = RegistryCredentials::parse(text);
    INFO((credentials ? std::string() : credentials.error().to_string()));
    REQUIRE(credentials);
    return *credentials;
}

} // namespace

TEST_CASE("the keys of a config name registries in many ways") {
    const auto [key, host] = GENERATE(table<std::string, std::string>({
        {"https://index.docker.io/v1/", "docker.io"},
        {"index.docker.io", "docker.io"},
        {"registry-1.docker.io", "docker.io"},
        {"docker.io", "docker.io"},
        {"https://registry.example/v2/", "registry.example"},
        {"http://localhost:5000", "localhost:5000"},
        {"registry.example:5000", "registry.example:5000"},
    }));
    CAPTURE(key);
    CHECK(registry_host_of(key) == host);
    const auto credentials = parsed(R"({"auths":{")" + key + R"(":{"auth":"dTpwOng="}}})");
    const auto auth = credentials.find(host);
    REQUIRE(auth);
    CHECK(auth->username == "u");
    CHECK(auth->password == "p:x"); // only the first colon parts them
    CHECK_FALSE(credentials.find("other.example"));
}

TEST_CASE("the older .dockercfg, tokens, and plain fields are read too") {
    const auto old = parsed(R"({"https://r.example/v1/":{"auth":"dTpw","email":"a@b"}})");
    CHECK(old.find("r.example")->password == "p");
    const auto mixed = parsed(R"({"auths":{"a.example":{"identitytoken":"t"},
        "b.example":{"username":"u","password":"p"},"c.example":{}},"psFormat":"x"})");
    CHECK(mixed.find("a.example")->identity_token == "t");
    CHECK(mixed.find("b.example")->username == "u");
    CHECK_FALSE(mixed.find("c.example"));
    CHECK(parsed(R"({"psFormat":"x"})").empty());
}

TEST_CASE("what a helper program keeps is named, since none is run") {
    const auto credentials = parsed(
        R"({"auths":{"a.example":{"auth":"dTpw"}},"credHelpers":{"b.example":"ecr-login"}})");
    CHECK(credentials.find("a.example"));
    CHECK(credentials.with_helper() == std::vector<std::string>{"b.example"});
    CHECK(parsed(R"({"auths":{"a":{}},"credsStore":"desktop"})").with_helper() ==
          std::vector<std::string>{"*"});
}

TEST_CASE("a wrong config is refused without saying what is in it") {
    for (const auto* text : {"",
                             "[]",
                             "secretword",
                             R"({"auths":[]})",
                             R"({"auths":{"a":"secretword"}})",
                             R"({"auths":{"a":{"auth":"secretword!"}}})",
                             R"({"auths":{"a":{"auth":"c2VjcmV0d29yZA=="}}})"}) {
        CAPTURE(text);
        const auto credentials = RegistryCredentials::parse(text);
        REQUIRE_FALSE(credentials);
        CHECK(credentials.error().to_string().find("secretword") == std::string::npos);
        CHECK(credentials.error().to_string().find("c2Vj") == std::string::npos);
    }
    CHECK(read_docker_config("/no/such/file").error().code == Code::NotFound);
}
