// Image references: how people's spellings are read, and how they are written on the way through
// the proxy.
#include "core/model/image_reference.hpp"
#include "tests/support/catch.hpp"

namespace methos {

TEST_CASE("image references are read as Docker reads them") {
    struct Row {
        const char* text;
        const char* through_proxy;
        const char* version;
        const char* repository;
    };

    const auto row = GENERATE(
        Row{"nginx", "p:1/docker.io/library/nginx", "latest", "nginx"},
        Row{"nginx:1.25", "p:1/docker.io/library/nginx", "1.25", "nginx"},
        Row{"team/app:2", "p:1/docker.io/team/app", "2", "team/app"},
        Row{"docker.io/nginx", "p:1/docker.io/library/nginx", "latest", "docker.io/nginx"},
        Row{"index.docker.io/team/app",
            "p:1/docker.io/team/app",
            "latest",
            "index.docker.io/team/app"},
        Row{"ghcr.io/a/b/c:v1", "p:1/ghcr.io/a/b/c", "v1", "ghcr.io/a/b/c"},
        Row{"localhost/app", "p:1/localhost/app", "latest", "localhost/app"},
        Row{"reg.example:5000/app:1", "p:1/reg.example_5000/app", "1", "reg.example:5000/app"},
        Row{"registry.internal/team/app:1",
            "p:1/registry.internal/team/app",
            "1",
            "registry.internal/team/app"},
        Row{"a/b__c/d--e.f:x_1.2-3", "p:1/docker.io/a/b__c/d--e.f", "x_1.2-3", "a/b__c/d--e.f"});
    const auto reference = parse_image_reference(row.text);
    INFO(row.text);
    REQUIRE(reference);
    CHECK(reference->path_through("p:1") == row.through_proxy);
    CHECK(reference->version() == row.version);
    CHECK(reference->repository == row.repository);
}

TEST_CASE("a digest wins over a tag") {
    const std::string digest = "sha256:" + std::string(64, 'a');
    const auto reference = parse_image_reference("nginx:1.25@" + digest);
    REQUIRE(reference);
    CHECK(reference->version() == digest);
    CHECK(reference->tag.empty());
    CHECK(reference->repository == "nginx");
    CHECK(reference->local_repository() == "methos.local/docker.io/library/nginx");
    CHECK(reference->local_tag() == "sha256-" + std::string(32, 'a'));
}

TEST_CASE("what is no image reference is refused") {
    const auto text = GENERATE(as<std::string>(),
                               "",
                               "Nginx",
                               "nginx:",
                               "nginx:a b",
                               "/nginx",
                               "nginx/",
                               "a//b",
                               "nginx@sha256:12",
                               "nginx@md5:abc",
                               "-a/b",
                               "http://docker.io/nginx",
                               "nginx:.x",
                               "../etc",
                               "a/.b");
    INFO(text);
    CHECK_FALSE(parse_image_reference(text));
}

} // namespace methos
