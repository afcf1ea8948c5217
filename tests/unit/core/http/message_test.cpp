// Values of HTTP and the router's choice of a route.
#include "core/http/server.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::http;

namespace {

void add(Router& router, std::string method, std::string pattern, Auth auth = Auth::Public) {
    Route route;
    route.method = std::move(method);
    route.pattern = std::move(pattern);
    route.auth = auth;
    route.handler = [](Request) -> awaitable<Response> { co_return Response(); };
    router.add(std::move(route));
}

} // namespace

TEST_CASE("percent-encoding goes both ways, and malformed escapes stay") {
    CHECK(percent_decode("a%2Fb%20c+d") == "a/b c+d");
    CHECK(percent_decode("a+b", true) == "a b");
    CHECK(percent_decode("%zz%2") == "%zz%2");
    CHECK(percent_decode("%41") == "A");
    CHECK(percent_encode("a/b c", "/") == "a/b%20c");
    const auto query = parse_query("a=1&b=&c&&d=x%3Dy+z");
    REQUIRE(query.size() == 4);
    CHECK(query[2].second.empty());
    CHECK(query[3].second == "x=y z");
}

TEST_CASE("header names compare without case and may repeat") {
    Headers headers{{"Accept", "a"}, {"ACCEPT", "b"}};
    CHECK(headers.get("accept") == "a");
    CHECK(headers.all("Accept").size() == 2);
    headers.set("accept", "c");
    CHECK(headers.fields().size() == 1);
}

TEST_CASE("a route that does not say who may call it is refused") {
    Router router;
    CHECK_THROWS_AS(add(router, "GET", "/x", Auth::Undeclared), Failure);
    CHECK_THROWS_AS(add(router, "GET", "x"), Failure);
    CHECK_THROWS_AS(add(router, "GET", "/{x"), Failure);
}

TEST_CASE("the first route that fits is taken, stars give back what others need") {
    Router router;
    add(router, "GET", "/v2/apps/{id*}/tasks");
    add(router, "GET", "/v2/apps/{id*}");
    add(router, "DELETE", "/v2/apps/{id*}");
    add(router, "HEAD", "/only/head");
    add(router, "*", "/only/{what}");
    const auto tasks = router.match("GET", "/v2/apps/a/tasks/tasks");
    REQUIRE(tasks.route != nullptr);
    CHECK(tasks.route->pattern == "/v2/apps/{id*}/tasks");
    CHECK(tasks.params.at("id") == "a/tasks");
    CHECK(router.match("GET", "/v2/apps").params.at("id").empty());
    CHECK(router.match("GET", "/v2/apps/a%2Fb/c").params.at("id") == "a/b/c");
    CHECK(router.match("HEAD", "/v2/apps/a").route->method == "GET");
    CHECK(router.match("HEAD", "/only/head").route->method == "HEAD");
    CHECK(router.match("PUT", "/only/head").route->method == "*");
    const auto wrong = router.match("POST", "/v2/apps/a");
    CHECK(wrong.route == nullptr);
    CHECK(wrong.path_known);
    CHECK(wrong.allowed_methods == std::vector<std::string>({"DELETE", "GET", "HEAD"}));
    CHECK_FALSE(router.match("GET", "/elsewhere").path_known);
}
