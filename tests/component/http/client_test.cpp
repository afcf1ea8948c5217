// The client against servers that answer well, badly, late and not at all. Ill-behaved servers are
// raw sockets that play a script.
#include "tests/component/http/bodies.hpp"
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

namespace {

/// Accepts one connection after the other, reads a head, sends the next script, and closes.
template <class Protocol>
awaitable<> play(asio::basic_socket_acceptor<Protocol>& acceptor,
                 std::vector<std::string> scripts,
                 std::vector<std::string>& heads,
                 bool keep_open) {
    std::vector<typename Protocol::socket> kept;
    for (const auto& script : scripts) {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        std::string head;
        auto buffer = asio::dynamic_buffer(head);
        boost::system::error_code error;
        co_await asio::async_read_until(
            socket, buffer, "\r\n\r\n", asio::redirect_error(asio::use_awaitable, error));
        heads.push_back(head);
        co_await asio::async_write(
            socket, asio::buffer(script), asio::redirect_error(asio::use_awaitable, error));
        if (keep_open) {
            kept.push_back(std::move(socket));
        }
    }
    if (keep_open) {
        co_await sleep_for(std::chrono::minutes(10)); // until the test is over
    }
}

struct ScriptedServer {
    ScriptedServer(World& world, std::vector<std::string> scripts, bool keep_open = false)
        : acceptor(world.context, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
          tasks(world.executor, [](const std::string&, const Error&) {}) {
        auto playing = play(acceptor, std::move(scripts), heads, keep_open);
        tasks.spawn("scripted server", std::move(playing));
    }

    [[nodiscard]] ClientRequest get(const std::string& path) const {
        ClientRequest request;
        request.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + path;
        return request;
    }

    awaitable<> end() {
        tasks.stop();
        co_await tasks.join();
    }

    asio::ip::tcp::acceptor acceptor;
    std::vector<std::string> heads;
    TaskGroup tasks;
};

/// The code of the failure of one call, or nothing when it succeeds.
awaitable<std::optional<Error>> failure_of(Client& client, ClientRequest request) {
    try {
        (void)co_await client.send(std::move(request));
    } catch (const Failure& failure) {
        co_return failure.error();
    }
    co_return std::nullopt;
}

awaitable<Response> print_request(Request request) {
    std::string text = request.method + " " + request.target + "\n";
    for (const auto& [name, value] : request.headers.fields()) {
        text += name + ": " + value + "\n";
    }
    co_return Response(200, "text/plain", text + "\n" + request.body);
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("bodies of all sizes arrive whole, in both directions") {
    World world;
    Route route;
    route.method = "POST";
    route.pattern = "/echo";
    route.auth = Auth::Public;
    route.body_bytes_max = 64 * 1024 * 1024;
    route.handler = [](Request request) -> awaitable<Response> {
        co_return Response(200, "application/octet-stream", std::move(request.body));
    };
    world.route(std::move(route));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const std::vector<std::size_t> sizes = {
            0, 1, 1023, 1024, 1025, 65535, 65536, 262144, 262145, 1000003, 12000007};
        for (const auto size : sizes) {
            const auto sent = pattern(size);
            auto request = w.get("/echo");
            request.method = "POST";
            request.body = sent;
            const auto answer = co_await w.client.send(std::move(request));
            CHECK(answer.status == 200);
            const bool same = answer.body == sent;
            CHECK(same);
        }
        CHECK(w.server->connections() == 1);
    };
    world.run(body(world));
}

TEST_CASE("methods, headers and empty bodies are sent as asked for") {
    World world;
    world.route("*", "/{path*}", print_request);
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto remove = w.get("/x?y=1");
        remove.method = "DELETE";
        remove.headers.add("X-Empty", "");
        remove.headers.add("X-Two", "1");
        remove.headers.add("X-Two", "2");
        const auto removed = co_await w.client.send(remove);
        CHECK(contains(removed.body, "DELETE /x?y=1\n"));
        CHECK(contains(removed.body, "X-Empty: \nX-Two: 1\nX-Two: 2\n"));
        CHECK(contains(removed.body, "User-Agent: methos\n"));
        CHECK_FALSE(contains(removed.body, "Content-Length"));
        CHECK_FALSE(contains(removed.body, "Expect"));
        auto post = w.get("/x");
        post.method = "POST";
        const auto posted = co_await w.client.send(post);
        CHECK(contains(posted.body, "Content-Length: 0\n"));
        CHECK_FALSE(contains(posted.body, "Content-Type"));
        auto head = w.get("/x");
        head.method = "HEAD";
        const auto headed = co_await w.client.send(head);
        CHECK(headed.body.empty());
        CHECK(headed.headers.get("content-length"));
        auto split = w.get("/x");
        split.headers.add("X", "1\r\nY: 2");
        const auto refused = co_await failure_of(w.client, split);
        REQUIRE(refused);
        CHECK(refused->code == Code::InvalidInput);
    };
    world.run(body(world));
}

TEST_CASE("what breaks is told apart by its code") {
    World world;
    world.start();
    const std::string ok = "HTTP/1.1 200 OK\r\n";

    struct Case {
        std::string name, script;
        Code code;
    };

    const std::vector<Case> cases = {
        {"nothing at all", "", Code::Unavailable},
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", Code::Protocol},
        {"cut in the head", ok + "Content-Le", Code::Protocol},
        {"short body", ok + "Content-Length: 10\r\n\r\nabc", Code::Protocol},
        {"cut chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Code::Protocol},
        {"bad chunk", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", Code::Protocol},
        {"endless head",
         ok + "X: " + std::string(90000, 'x') + "\r\nX: " + std::string(90000, 'x') +
             "\r\nX: " + std::string(90000, 'x') + "\r\n\r\n",
         Code::Protocol},
    };
    auto body = [](World& w, const std::vector<Case>& all) -> awaitable<> {
        for (const auto& one : all) {
            INFO(one.name);
            ScriptedServer scripted(w, {one.script});
            auto request = scripted.get("/p?secret=1");
            request.fresh_connection = true;
            const auto failure = co_await failure_of(w.client, std::move(request));
            REQUIRE(failure);
            CAPTURE(failure->message);
            CHECK(failure->code == one.code);
            CHECK(contains(failure->message, "GET http://127.0.0.1:"));
            CHECK_FALSE(contains(failure->message, "secret"));
            co_await scripted.end();
        }
        ClientRequest refused;
        refused.url = "http://127.0.0.1:1/";
        const auto nobody = co_await failure_of(w.client, refused);
        REQUIRE(nobody);
        CHECK(nobody->code == Code::Unavailable);
        CHECK(nobody->cause->kind == Cause::Kind::Curl);
        ClientRequest file;
        file.url = "file:///etc/passwd";
        const auto forbidden = co_await failure_of(w.client, file);
        REQUIRE(forbidden);
        CHECK(forbidden->code == Code::InvalidInput);
    };
    world.run(body(world, cases));
}

TEST_CASE("a server that says nothing meets the total limit, one that stops the idle limit") {
    World world;
    world.start();
    auto body = [](World& w) -> awaitable<> {
        ScriptedServer scripted(w, {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}, true);
        auto silent = scripted.get("/");
        silent.total_limit = std::chrono::milliseconds(100);
        const auto late = co_await failure_of(w.client, silent);
        REQUIRE(late);
        CHECK(late->code == Code::Timeout);
        auto stalled = scripted.get("/");
        stalled.total_limit.reset();
        stalled.idle_limit = std::chrono::milliseconds(100);
        const auto idle = co_await failure_of(w.client, stalled);
        REQUIRE(idle);
        CHECK(idle->code == Code::Timeout);
        CHECK(contains(idle->message, "nothing arrived for 100ms"));
        co_await scripted.end();
    };
    world.run(body(world));
}

TEST_CASE("an answer over the limit of send() is refused, and open() reads it all the same") {
    World world;
    world.route("GET", "/big", says(std::string(100000, 'x')));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto request = w.get("/big");
        request.body_bytes_max = 99999;
        const auto refused = co_await failure_of(w.client, request);
        REQUIRE(refused);
        CHECK(refused->code == Code::ResourceExhausted);
        auto stream = co_await w.client.open(request);
        const auto whole = co_await read_all(stream, 100000);
        CHECK(whole.size() == 100000);
    };
    world.run(body(world));
}

TEST_CASE("the Engine is reached over its Unix socket") {
    World world;
    world.start();
    const methos::test::TemporaryFolder folder;
    auto body = [](World& w, std::string path) -> awaitable<> {
        using local = asio::local::stream_protocol;
        local::acceptor acceptor(w.context, local::endpoint(path));
        std::vector<std::string> heads;
        std::vector<std::string> scripts(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        TaskGroup tasks(w.executor, [](const std::string&, const Error&) {});
        auto playing = play(acceptor, std::move(scripts), heads, false);
        tasks.spawn("engine", std::move(playing));
        ClientRequest request;
        request.url = "http://d/v1.41/_ping";
        request.unix_socket = path;
        const auto answer = co_await w.client.send(request);
        CHECK(answer.body == "OK");
        CHECK(heads.at(0).substr(0, 31) == "GET /v1.41/_ping HTTP/1.1\r\nHost");
        co_await tasks.join();
        request.unix_socket = path + ".none";
        const auto missing = co_await failure_of(w.client, request);
        REQUIRE(missing);
        CHECK(missing->code == Code::Unavailable);
        CHECK(contains(missing->message, path + ".none: cannot connect: No such file"));
        request.unix_socket = std::string(108, 'x');
        const auto too_long = co_await failure_of(w.client, request);
        REQUIRE(too_long);
        CHECK(too_long->code == Code::InvalidInput);
    };
    world.run(body(world, folder.file("engine.sock")));
}

TEST_CASE("redirects are followed when asked for, and credentials stay at home") {
    World world;
    ScriptedServer other(world, {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"});
    auto to = [](std::string where, int status) -> Handler {
        return [where, status](Request) -> awaitable<Response> {
            Response response(status);
            response.headers.add("Location", where);
            co_return response;
        };
    };
    world.route("*", "/here", print_request);
    world.route("*", "/relative", to("here", 302));
    world.route("*", "/kept", to("/here", 307));
    world.route("GET", "/away", to(other.get("/there").url, 302));
    world.route("GET", "/loop", to("/loop", 302));
    world.route("GET", "/odd", to("ftp://127.0.0.1/x", 302));
    world.start();
    auto body = [](World& w, ScriptedServer& stranger) -> awaitable<> {
        auto request = w.get("/relative");
        request.headers.add("Authorization", "Bearer good");
        const auto plain = co_await w.client.send(request);
        CHECK(plain.status == 302);
        request.follow_redirects = true;
        const auto followed = co_await w.client.send(request);
        CHECK(followed.status == 200);
        CHECK(followed.effective_url == w.url("/here"));
        CHECK(contains(followed.body, "Authorization: Bearer good\n"));
        request.method = "POST";
        request.body = "payload";
        const auto turned = co_await w.client.send(request);
        CHECK(contains(turned.body, "GET /here\n"));
        CHECK_FALSE(contains(turned.body, "payload"));
        request.url = w.url("/kept");
        const auto kept = co_await w.client.send(request);
        CHECK(contains(kept.body, "POST /here\n"));
        CHECK(contains(kept.body, "payload"));
        auto loop = w.get("/loop");
        loop.follow_redirects = true;
        const auto endless = co_await failure_of(w.client, loop);
        REQUIRE(endless);
        CHECK(endless->code == Code::Protocol);
        auto odd = w.get("/odd");
        odd.follow_redirects = true;
        const auto scheme = co_await failure_of(w.client, odd);
        REQUIRE(scheme);
        CHECK(scheme->code == Code::Protocol);
        auto away = w.get("/away");
        away.follow_redirects = true;
        std::string asked;
        away.may_follow_to = [&asked](const std::string& host) {
            asked = host;
            return false;
        };
        const auto forbidden = co_await failure_of(w.client, away);
        REQUIRE(forbidden);
        CHECK(forbidden->code == Code::Protocol);
        CHECK(asked == "127.0.0.1");
        CHECK(stranger.heads.empty());
        away.may_follow_to = nullptr;
        away.headers.add("Authorization", "Bearer good");
        away.headers.add("X-Kept", "yes");
        const auto there = co_await w.client.send(away);
        CHECK(there.body == "there");
        CHECK(contains(stranger.heads.at(0), "X-Kept: yes"));
        CHECK_FALSE(contains(stranger.heads.at(0), "Bearer"));
        co_await stranger.end();
    };
    world.run(body(world, other));
}
