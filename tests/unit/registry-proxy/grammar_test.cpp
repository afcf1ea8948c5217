// The registry's grammar: paths, names, upstream choice, ranges, pages. Tables of what clients
// send, among it what would be routed wrongly by a first-match parser or let a stranger choose the
// host.
#include "registry-proxy/api/answers.hpp"
#include "registry-proxy/api/range.hpp"
#include "registry-proxy/api/route.hpp"
#include "registry-proxy/upstream/names.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::proxy;

TEST_CASE("registry paths are split at their last marker") {
    struct Row {
        const char* path;
        Endpoint endpoint;
        const char* name;
        const char* reference;
    };

    const auto row = GENERATE(values<Row>({
        {"/v2", Endpoint::Ping, "", ""},
        {"/v2/", Endpoint::Ping, "", ""},
        {"/v2/_catalog", Endpoint::Catalog, "", ""},
        {"/v2/library/busybox/manifests/1", Endpoint::Manifest, "library/busybox", "1"},
        {"/v2/a/manifests/b/manifests/c", Endpoint::Manifest, "a/manifests/b", "c"},
        {"/v2/a/blobs/b/manifests/c", Endpoint::Manifest, "a/blobs/b", "c"},
        {"/v2/a/manifests/b/blobs/c", Endpoint::Blob, "a/manifests/b", "c"},
        {"/v2/tags/tags/list", Endpoint::Tags, "tags", ""},
        {"/v2/a/tags/list/tags/list", Endpoint::Tags, "a/tags/list", ""},
        {"/v2/a/tags/list/manifests/x", Endpoint::Manifest, "a/tags/list", "x"},
        {"/v2/x/blobs/uploads", Endpoint::Uploads, "x", ""},
        {"/v2/x/blobs/uploads/", Endpoint::Uploads, "x", ""},
        {"/v2/x/blobs/uploads/1-2", Endpoint::Upload, "x", "1-2"},
        {"/v2/x/referrers/sha256:1", Endpoint::Referrers, "x", "sha256:1"},
    }));
    INFO(row.path);
    const auto parsed = parse_registry_path(row.path);
    REQUIRE(parsed.has_value());
    CHECK(parsed->endpoint == row.endpoint);
    CHECK(parsed->name == row.name);
    CHECK(parsed->reference == row.reference);
}

TEST_CASE("paths that are none are refused") {
    const auto* path = GENERATE("/",
                                "/v1/x",
                                "/v2x/manifests/1",
                                "/v2/manifests/1",
                                "/v2/../etc/manifests/1",
                                "/v2/A/manifests/1",
                                "/v2/a//b/manifests/1",
                                "/v2/_tags/manifests/1",
                                "/v2/a..b/manifests/1",
                                "/v2/a___b/manifests/1",
                                "/v2/x");
    INFO(path);
    CHECK_FALSE(parse_registry_path(path).has_value());
}

TEST_CASE("names and tags follow the specification's grammar") {
    CHECK(is_legal_name("a__b/c--d/e.f_g"));
    CHECK(is_legal_name(std::string(255, 'a')));
    CHECK_FALSE(is_legal_name(std::string(256, 'a')));
    CHECK_FALSE(is_legal_name("a/"));
    CHECK_FALSE(is_legal_name("-a"));
    CHECK_FALSE(is_legal_name("a._b"));
    CHECK(is_legal_tag("_1.A-b"));
    CHECK(is_legal_tag(std::string(128, 'x')));
    CHECK_FALSE(is_legal_tag(std::string(129, 'x')));
    CHECK_FALSE(is_legal_tag(".hidden"));
    CHECK_FALSE(is_legal_tag("../x"));
}

TEST_CASE("no pattern allows an inner host; naming it does") {
    UpstreamTable table;
    REQUIRE(table.allow("*").has_value());
    REQUIRE(table.add("10.0.0.1:5000=http://10.0.0.1:5000").has_value());
    CHECK(table.resolve("a/b", "registry.example.com").has_value());
    CHECK(table.resolve("a/b", "8.8.8.8:5000").has_value());
    CHECK(table.resolve("a/b", "10.0.0.1:5000").has_value());
    const auto* inner = GENERATE("10.0.0.1",
                                 "10.0.0.1:5001",
                                 "127.0.0.1",
                                 "127.1:443",
                                 "169.254.169.254",
                                 "2852039166",
                                 "0xa9fea9fe",
                                 "0251.0376.0251.0376",
                                 "127.0.0.1.",
                                 "localhost",
                                 "LOCALHOST:5000",
                                 "metadata.google.internal",
                                 "[::1]:5000",
                                 "[::ffff:a00:1]",
                                 "[fe80::1]",
                                 "[fd00::1]");
    INFO(inner);
    const auto target = table.resolve("a/b", inner);
    REQUIRE(target.has_error());
    CHECK(target.error().code == Code::Forbidden);
    CHECK(target.error().message.find("--upstream") != std::string::npos);
}

TEST_CASE("the path or ns chooses the upstream") {
    UpstreamTable table;
    REQUIRE(table.add("10.0.0.1:5000=http://10.0.0.1:5000/").has_value());
    REQUIRE(table.add("docker.io=http://127.0.0.1:9").has_value());
    REQUIRE(table.allow("*.example.com").has_value());

    struct Row {
        const char* name;
        const char* ns; ///< empty: none
        const char* host;
        const char* repository;
        const char* url; ///< empty: hosted
    };

    const auto row = GENERATE(values<Row>({
        {"busybox", "", "docker.io", "library/busybox", "http://127.0.0.1:9"},
        {"team/app", "", "docker.io", "team/app", "http://127.0.0.1:9"},
        {"docker.io/busybox", "", "docker.io", "library/busybox", "http://127.0.0.1:9"},
        {"index.docker.io/a/b", "", "docker.io", "a/b", "http://127.0.0.1:9"},
        {"ghcr.io/owner/name", "", "ghcr.io", "owner/name", "https://ghcr.io"},
        {"10.0.0.1_5000/x", "", "10.0.0.1:5000", "x", "http://10.0.0.1:5000"},
        {"x", "10.0.0.1:5000", "10.0.0.1:5000", "x", "http://10.0.0.1:5000"},
        {"ghcr.io/owner", "docker.io", "docker.io", "ghcr.io/owner", "http://127.0.0.1:9"},
        {"busybox", "docker.io", "docker.io", "library/busybox", "http://127.0.0.1:9"},
        {"r.example.com/x", "", "r.example.com", "x", "https://r.example.com"},
        {"registry.internal/team/app", "", "registry.internal", "team/app", ""},
        {"team/app", "registry.internal", "registry.internal", "team/app", ""},
        {"foo.bar", "", "docker.io", "library/foo.bar", "http://127.0.0.1:9"},
    }));
    INFO(row.name << " ns=" << row.ns);
    const auto ns = *row.ns == '\0' ? std::nullopt : std::optional<std::string>(row.ns);
    const auto target = table.resolve(row.name, ns);
    REQUIRE(target.has_value());
    CHECK(target->host == row.host);
    CHECK(target->name == row.repository);
    CHECK((target->upstream ? target->upstream->url : "") == row.url);
}

TEST_CASE("an upstream nobody named is denied") {
    UpstreamTable table;
    CHECK(table.resolve("evil.test/x", std::nullopt).error().code == Code::Forbidden);
    CHECK(table.resolve("x", "169.254.169.254").error().code == Code::Forbidden);
    CHECK(table.resolve("localhost/x", std::nullopt).error().code == Code::Forbidden);
    CHECK(table.resolve("h_80/x", std::nullopt).error().code == Code::Forbidden);
    CHECK(table.resolve("x", "a/b@c").error().code == Code::InvalidInput);
    CHECK(table.resolve("docker.io", std::nullopt).error().code == Code::InvalidInput);
}

TEST_CASE("flags that name no upstream are refused") {
    UpstreamTable table;
    const auto* flag = GENERATE("ghcr.io",
                                "=http://x",
                                "a/b=http://x",
                                "x=ftp://x",
                                "x=http://user:pw@x",
                                "x=http://",
                                "x=http://h:0",
                                "x=http://h:99999",
                                "registry.internal=http://x",
                                "x=http://h/?q");
    INFO(flag);
    CHECK_FALSE(table.add(flag).has_value());
}

TEST_CASE("ranges choose a part, the whole or nothing") {
    using Kind = RangeChoice::Kind;

    struct Row {
        const char* header;
        Kind kind;
        ByteRange part;
    };

    const auto row = GENERATE(values<Row>({
        {"bytes=0-9", Kind::Part, {0, 10}},
        {"bytes=90-", Kind::Part, {90, 10}},
        {"bytes=90-1000", Kind::Part, {90, 10}},
        {"bytes=-10", Kind::Part, {90, 10}},
        {"bytes=-1000", Kind::Part, {0, 100}},
        {" bytes = 5-5 ", Kind::Part, {5, 1}},
        {"bytes=100-", Kind::Unsatisfiable, {}},
        {"bytes=-0", Kind::Unsatisfiable, {}},
        {"bytes=0--1", Kind::Whole, {}},
        {"bytes=9-5", Kind::Whole, {}},
        {"bytes=0-1,5-6", Kind::Whole, {}},
        {"items=0-1", Kind::Whole, {}},
        {"bytes=", Kind::Whole, {}},
        {"bytes=99999999999999999999-", Kind::Whole, {}},
    }));
    INFO(row.header);
    const auto choice = choose_range(row.header, 100);
    CHECK(choice.kind == row.kind);
    if (row.kind == Kind::Part) {
        CHECK(choice.part == row.part);
    }
}

TEST_CASE("content ranges are read in both forms") {
    const auto answer = parse_content_range("bytes 10-99/100");
    REQUIRE(answer.has_value());
    CHECK(answer->first == 10);
    CHECK(answer->total == 100u);
    CHECK(parse_content_range("bytes 10-99/*").has_value());
    CHECK_FALSE(parse_content_range("bytes 10-100/100").has_value());
    CHECK_FALSE(parse_content_range("10-99/100").has_value());
    CHECK(parse_upload_range("10-99")->first == 10);
    CHECK(parse_upload_range("bytes 10-99/100")->first == 10);
    CHECK_FALSE(parse_upload_range("99-10").has_value());
    CHECK_FALSE(parse_upload_range("-10").has_value());
}

TEST_CASE("listings are cut into pages that join to the whole") {
    const std::vector<std::string> all{"a", "b", "c", "d", "e"};
    std::vector<std::string> joined;
    std::optional<std::string> last;
    for (int pages = 0; pages < 10; ++pages) {
        const auto page = cut_page(all, "2", last).value();
        joined.insert(joined.end(), page.entries.begin(), page.entries.end());
        if (page.next_query.empty()) {
            break;
        }
        last = page.entries.back();
        CHECK(page.next_query == "n=2&last=" + *last);
    }
    CHECK(joined == all);
    CHECK(cut_page(all, "0", std::nullopt)->entries.empty());
    CHECK(cut_page(all, "0", std::nullopt)->next_query.empty());
    CHECK_FALSE(cut_page(all, "-1", std::nullopt).has_value());
    CHECK(cut_page(all, std::nullopt, "bb")->entries.size() == 3);
}

TEST_CASE("a warning stays one legal header") {
    const auto warning = format_warning("bad \"thing\"\r\nX: y" + std::string(5000, 'x'));
    CHECK(warning.find('\n') == std::string::npos);
    CHECK(warning.size() < 4096);
    CHECK(std::count(warning.begin(), warning.end(), '"') == 2);
}
