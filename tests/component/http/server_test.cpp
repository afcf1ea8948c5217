// The server towards well-behaved and ill-behaved callers, over real sockets: what a raw socket
// gets back, byte by byte where it matters.
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

awaitable<Response> echo(Request request) {
    co_return Response(200, "text/plain", request.body);
}

awaitable<Response> throw_failure(Request) {
    throw Failure(Code::Conflict, "it is taken");
    co_return Response();
}

awaitable<Response> throw_other(Request) {
    throw std::runtime_error("a mistake of ours");
    co_return Response();
}

/// Sends bytes on a connection of its own and returns everything until the server closes.
awaitable<std::string> talk(World& world, std::string text) {
    auto raw = co_await world.connect();
    co_await raw->send(std::move(text));
    auto answer = co_await raw->read_rest();
    co_return answer;
}

const std::string end = "Host: t\r\nConnection: close\r\n\r\n";

} // namespace

TEST_CASE("a connection is kept for many requests, also when they come all at once") {
    World world;
    world.route("GET", "/a", says("first"));
    world.route("POST", "/b", echo);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n"
                           "POST /b HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"
                           "POST /b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
                           "GET /a HTTP/1.1\r\nConnection: close\r\nHost: t\r\n\r\n");
        const auto all = co_await raw->read_rest();
        CHECK(count(all, "HTTP/1.1 200 OK\r\n") == 4);
        CHECK(count(all, "Connection: close") == 1);
        const auto abc = all.find("\r\n\r\nabcHTTP");
        const auto def = all.find("\r\n\r\ndefHTTP");
        CHECK(abc != std::string::npos);
        CHECK(def != std::string::npos);
        CHECK(abc < def);
        CHECK(all.substr(all.size() - 9) == "\r\n\r\nfirst");
    };
    world.run(body(world));
    CHECK(world.records.size() == 4);
}

TEST_CASE("a request that arrives byte by byte is understood") {
    World world;
    world.route("POST", "/b", echo);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto raw = co_await w.connect();
        const std::string text = "POST /b?x=1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n"
                                 "0\r\nTrailer: x\r\n\r\n";
        for (const char c : text) {
            co_await raw->send(std::string(1, c));
            co_await settle();
        }
        const auto all = co_await raw->read_rest();
        CHECK(contains(all, "200 OK"));
        CHECK(contains(all, "\r\n\r\nabcdefg"));
    };
    world.run(body(world));
}

TEST_CASE("what is refused, is refused with a status, an id and the dialect's own error") {
    World world;
    world.options.header_bytes_max = 4096;
    world.route("GET", "/a", says("a"));
    world.route("POST", "/b", echo);
    world.route("GET", "/taken", throw_failure);
    world.route("GET", "/mistake", throw_other);
    Route secret;
    secret.method = "GET";
    secret.pattern = "/secret";
    secret.auth = Auth::Token;
    secret.handler = says("secret");
    world.route(std::move(secret));
    world.start();

    struct Case {
        std::string request, status, part;
    };

    const std::vector<Case> cases = {
        {"GET /none HTTP/1.1\r\n" + end, "404", "there is nothing at /none"},
        {"PUT /a HTTP/1.1\r\n" + end, "405", "Allow: GET, HEAD\r\n"},
        {"GET /taken HTTP/1.1\r\n" + end, "409", "it is taken"},
        {"GET /mistake HTTP/1.1\r\n" + end, "500", "a mistake of ours"},
        {"GET /secret HTTP/1.1\r\n" + end, "401", "a token is needed"},
        {"GET /secret HTTP/1.1\r\nAuthorization: Bearer good\r\n" + end, "200", "\r\n\r\nsecret"},
        {"POST /b HTTP/1.1\r\nContent-Length: 1048577\r\n" + end, "413", "at most 1048576"},
        {"POST /b HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n" + end, "400", ""},
        {"POST /b HTTP/1.1\r\nContent-Length: -1\r\n" + end, "400", ""},
        {"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "zz\r\n", "400", ""},
        {"POST /b HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + end, "400", "chunked"},
        {"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" + end,
         "400",
         ""},
        {"GET /" + std::string(5000, 'x') + " HTTP/1.1\r\n" + end, "414", ""},
        {"GET /a HTTP/1.1\r\nX: " + std::string(5000, 'x') + "\r\n" + end, "431", ""},
        {"GET /a HTTP/3.0\r\n" + end, "505", ""},
        {"GET /a\r\n\r\n", "400", ""},
        {"GET /a HTTP/1.1\r\n\r\n", "400", "Host"},
        {"GET /a HTTP/1.1\r\nHost: x\r\n" + end, "400", "Host"},
        {"GET /a%00b HTTP/1.1\r\n" + end, "400", "zero byte"},
        {"\x16\x03\x01\x02garbage\r\n\r\n", "400", ""},
    };
    auto body = [](World& w, const std::vector<Case>& all) -> awaitable<> {
        for (const auto& one : all) {
            INFO(one.request.substr(0, 80));
            const auto answer = co_await talk(w, one.request);
            CHECK(answer.substr(0, 12) == "HTTP/1.1 " + one.status);
            CHECK(contains(answer, "X-Request-Id: "));
            CHECK(contains(answer, "Connection: close"));
            CHECK(contains(answer, one.part));
        }
    };
    world.run(body(world, cases));
}

TEST_CASE("many header lines over the limit are refused however they are cut into packets") {
    World world;
    world.options.header_bytes_max = 4096;
    world.route("GET", "/a", says("a"));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /a HTTP/1.1\r\nHost: t\r\n");
        for (int line = 0; line < 200; ++line) {
            co_await raw->send("X-Line: " + std::string(40, 'y') + "\r\n");
            co_await settle();
        }
        const auto answer = co_await raw->read_rest();
        CHECK(contains(answer, "HTTP/1.1 431"));
    };
    world.run(body(world));
}

TEST_CASE("a failing handler leaves the connection usable") {
    World world;
    world.route("GET", "/mistake", throw_other);
    world.route("GET", "/a", says("fine"));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /mistake HTTP/1.1\r\nHost: t\r\n\r\nGET /a HTTP/1.1\r\n" + end);
        const auto all = co_await raw->read_rest();
        CHECK(contains(all, "HTTP/1.1 500"));
        CHECK(contains(all, "\r\n\r\nfine"));
    };
    world.run(body(world));
    REQUIRE(world.records.size() == 2);
    CHECK(world.records[0].failure);
    CHECK(world.records[0].route == "/mistake");
    CHECK(world.records[1].bytes_sent == 4);
}

TEST_CASE("HEAD gets GET's head and no body") {
    World world;
    world.route("GET", "/a", says("twelve bytes"));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const auto answer = co_await talk(w, "HEAD /a HTTP/1.1\r\n" + end);
        CHECK(contains(answer, "Content-Length: 12\r\n"));
        CHECK(answer.substr(answer.size() - 4) == "\r\n\r\n");
    };
    world.run(body(world));
}

TEST_CASE("the caller's request id is kept when it is legal, and replaced when not") {
    World world;
    world.route("GET", "/a", says("a"));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const auto kept = co_await talk(w, "GET /a HTTP/1.1\r\nX-Request-Id: my-id_1.2\r\n" + end);
        CHECK(contains(kept, "X-Request-Id: my-id_1.2\r\n"));
        const auto replaced =
            co_await talk(w, "GET /a HTTP/1.1\r\nX-Request-Id: <script>\r\n" + end);
        CHECK_FALSE(contains(replaced, "<script>"));
        CHECK(contains(replaced, "X-Request-Id: "));
    };
    world.run(body(world));
}

TEST_CASE("paths are matched with slashes folded and parameters decoded") {
    World world;
    auto print_id = [](Request request) -> awaitable<Response> {
        co_return Response(200, "text/plain", "[" + request.params.at("id") + "]");
    };
    world.route("GET", "/v2/apps/{id*}/tasks", print_id);
    world.route("GET", "/v2/one/{id}", print_id);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const auto folded = co_await talk(w, "GET /v2/apps//a/b/tasks/ HTTP/1.1\r\n" + end);
        CHECK(contains(folded, "[a/b]"));
        const auto decoded = co_await talk(w, "GET /v2/one/a%2Fb%20c?x=/y HTTP/1.1\r\n" + end);
        CHECK(contains(decoded, "[a/b c]"));
        const auto absolute = co_await talk(w, "GET http://t/v2/one/z HTTP/1.1\r\n" + end);
        CHECK(contains(absolute, "[z]"));
    };
    world.run(body(world));
}

TEST_CASE("Expect: 100-continue is answered before the body, or refused without it") {
    World world;
    world.route("POST", "/b", echo);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" +
                           end);
        const auto go_on = co_await raw->read_until("\r\n\r\n");
        CHECK(go_on == "HTTP/1.1 100 Continue\r\n\r\n");
        co_await raw->send("ok");
        const auto answer = co_await raw->read_rest();
        CHECK(contains(answer, "\r\n\r\nok"));
        const auto refused = co_await talk(
            w, "POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n" + end);
        CHECK(refused.substr(0, 12) == "HTTP/1.1 413");
        const auto nowhere = co_await talk(
            w, "POST /nowhere HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + end);
        CHECK(nowhere.substr(0, 12) == "HTTP/1.1 404");
    };
    world.run(body(world));
}

TEST_CASE("who sends a body that is far too large, and only then looks, sees 413") {
    World world;
    world.route("POST", "/b", echo);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const std::size_t bytes = 16'000'000;
        const auto refused =
            co_await talk(w,
                          "POST /b HTTP/1.1\r\nContent-Length: " + std::to_string(bytes) + "\r\n" +
                              end + std::string(bytes, 'x'));
        CHECK(refused.substr(0, 12) == "HTTP/1.1 413");
    };
    world.run(body(world));
}

TEST_CASE("a slow head gets 408, a silent connection is closed, a stalled body gets 408") {
    World world;
    world.options.header_limit = std::chrono::milliseconds(100);
    world.options.idle_limit = std::chrono::milliseconds(200);
    world.options.body_limit = std::chrono::milliseconds(100);
    world.route("POST", "/b", echo);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const auto head = co_await talk(w, "GET /a HTTP/1.1\r\nX: ");
        CHECK(head.substr(0, 12) == "HTTP/1.1 408");
        const auto stalled =
            co_await talk(w, "POST /b HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
        CHECK(stalled.substr(0, 12) == "HTTP/1.1 408");
        const auto silent = co_await talk(w, "");
        CHECK(silent.empty());
    };
    world.run(body(world));
}

TEST_CASE("a slow handler does not hold up other connections") {
    World world;
    Gate gate(world.executor);
    auto wait = [](Gate& g) -> awaitable<Response> {
        co_await g.wait();
        co_return Response(200, "text/plain", "at last");
    };
    world.route("GET", "/slow", [&gate, wait](Request) { return wait(gate); });
    world.route("GET", "/fast", says("fast"));
    world.start();
    auto body = [](World& w, Gate& g) -> awaitable<> {
        auto slow = co_await w.connect();
        co_await slow->send("GET /slow HTTP/1.1\r\n" + end);
        const auto fast = co_await talk(w, "GET /fast HTTP/1.1\r\n" + end);
        CHECK(contains(fast, "\r\n\r\nfast"));
        g.open();
        const auto at_last = co_await slow->read_rest();
        CHECK(contains(at_last, "at last"));
    };
    world.run(body(world, gate));
}

TEST_CASE("more connections than the limit wait for room") {
    World world;
    world.options.connections_max = 2;
    world.route("GET", "/a", says("a"));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto first = co_await w.connect();
        co_await first->send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n");
        const auto answer = co_await first->read_until("\r\n\r\na");
        CHECK(contains(answer, "200 OK"));
        auto second = co_await w.connect();
        auto third = co_await w.connect();
        co_await third->send("GET /a HTTP/1.1\r\n" + end);
        co_await settle();
        CHECK(w.server->connections() == 2);
        first->close();
        const auto late = co_await third->read_rest();
        CHECK(contains(late, "200 OK"));
        second->close();
    };
    world.run(body(world));
}

TEST_CASE("a taken port is named, and a host that is none too") {
    World world;
    world.start();
    Server other(world.executor, Router(), {}, {});
    try {
        (void)other.listen(world.address);
        FAIL("two programs on one port");
    } catch (const Failure& failure) {
        CHECK(failure.code() == Code::Conflict);
        CHECK(contains(failure.what(), "is taken by another program; choose another with --http"));
    }
    CHECK_THROWS_AS(other.listen("203.0.113.7:1"), Failure);
    CHECK_THROWS_AS(other.listen("no-port"), Failure);
    const auto v6 = other.listen("[::1]:0");
    CHECK(v6.substr(0, 6) == "[::1]:");
}

TEST_CASE("draining ends idle connections at once and lets running answers end") {
    World world;
    Gate gate(world.executor);
    auto wait = [](Gate& g) -> awaitable<Response> {
        co_await g.wait();
        co_return Response(200, "text/plain", "done");
    };
    world.route("GET", "/slow", [&gate, wait](Request) { return wait(gate); });
    world.start();
    auto open_gate = [](Gate& g) -> awaitable<> {
        co_await settle();
        g.open();
    };
    auto body = [open_gate](World& w, Gate& g) -> awaitable<> {
        auto idle = co_await w.connect();
        auto slow = co_await w.connect();
        co_await slow->send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
        co_await settle();
        TaskGroup tasks(w.executor, [](const std::string&, const Error&) {});
        auto opener = open_gate(g);
        tasks.spawn("opener", std::move(opener));
        co_await w.server->stop(std::chrono::seconds(30));
        CHECK(w.server->connections() == 0);
        const auto answer = co_await slow->read_rest();
        CHECK(contains(answer, "Connection: close"));
        CHECK(contains(answer, "done"));
        const auto nothing = co_await idle->read_rest();
        CHECK(nothing.empty());
        co_await tasks.join();
    };
    world.run(body(world, gate));
}

TEST_CASE("draining cuts what does not end in time") {
    World world;
    Gate gate(world.executor);
    auto wait = [](Gate& g) -> awaitable<Response> {
        co_await g.wait();
        co_return Response(200, "text/plain", "never");
    };
    world.route("GET", "/slow", [&gate, wait](Request) { return wait(gate); });
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto slow = co_await w.connect();
        co_await slow->send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n");
        co_await settle();
        co_await w.server->stop(std::chrono::milliseconds(10));
        CHECK(w.server->connections() == 0);
        const auto answer = co_await slow->read_rest();
        CHECK(answer.empty());
    };
    world.run(body(world));
}
