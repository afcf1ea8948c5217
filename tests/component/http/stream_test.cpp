// Answers that stream, with a slow or vanishing reader: bounded memory, no lost bytes, no broken
// body that looks whole, and nobody left waiting.
#include "tests/component/http/bodies.hpp"
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/redirect_error.hpp>

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

TEST_CASE("streamed answers arrive whole, chunked and with a length") {
    World world;
    const auto whole = pattern(1500000);
    world.route("GET", "/chunked", streams(std::make_shared<Pieces>(cut(whole, 70001)), {}));
    world.route("GET", "/length", streams(std::make_shared<Pieces>(cut(whole, 999)), whole.size()));
    world.start();
    auto body = [](World& w, const std::string& expected) -> awaitable<> {
        const auto chunked = co_await w.client.send(w.get("/chunked"));
        CHECK(chunked.headers.get("Transfer-Encoding") == "chunked");
        const bool same = chunked.body == expected;
        CHECK(same);
        const auto length = co_await w.client.send(w.get("/length"));
        CHECK(length.headers.get("Content-Length") == std::to_string(expected.size()));
        const bool same_too = length.body == expected;
        CHECK(same_too);
        CHECK(w.server->connections() == 1);
    };
    world.run(body(world, whole));
}

TEST_CASE("an answer whose source breaks is seen as broken by every kind of client") {
    World world;
    const Error broken(Code::Unavailable, "the upstream died");
    auto make = [&broken] {
        return std::make_shared<Pieces>(std::list<std::string>{"one", "two"}, broken);
    };
    world.route("GET", "/chunked", streams(make(), {}));
    world.route("GET", "/length", streams(make(), 10));
    world.route("GET", "/short", streams(std::make_shared<Pieces>(cut("abc", 1)), 10));
    world.route("GET", "/long", streams(std::make_shared<Pieces>(cut("abcdefghijklm", 4)), 10));
    world.route("GET", "/old", streams(make(), {}));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const std::vector<std::string> paths = {"/chunked", "/length", "/short", "/long"};
        for (const auto& path : paths) {
            INFO(path);
            auto stream = co_await w.client.open(w.get(path));
            const auto code = co_await code_of_reading(stream);
            CHECK(code == Code::Protocol);
        }
        // HTTP/1.0 has no mark of a body's end but the connection's: a reset tells it apart.
        auto old = co_await w.connect();
        co_await old->send("GET /old HTTP/1.0\r\n\r\n");
        (void)co_await old->read_until("two");
        char byte = 0;
        boost::system::error_code error;
        auto& socket = old->socket();
        (void)co_await socket.async_read_some(asio::buffer(&byte, 1),
                                              asio::redirect_error(asio::use_awaitable, error));
        CHECK(error == asio::error::connection_reset);
        CHECK(w.records.at(0).failure->message == "the upstream died");
    };
    world.run(body(world));
}

TEST_CASE("a slow reader slows the source down, and memory stays bounded") {
    World world;
    auto endless = std::make_shared<Endless>(64 * 1024);
    world.route("GET", "/endless", streams(endless, std::uint64_t{1} << 40U));
    world.start();
    auto body = [](World& w, std::shared_ptr<Endless> source) -> awaitable<> {
        auto request = w.get("/endless");
        request.total_limit.reset();
        auto stream = co_await w.client.open(request);
        std::size_t before = 1;
        while (before != source->pulled_bytes) { // until everything between is full
            before = source->pulled_bytes;
            co_await sleep_for(std::chrono::milliseconds(50));
        }
        CHECK(source->pulled_bytes < socket_buffers_max);
        std::size_t read = 0;
        while (read < 2 * socket_buffers_max) { // and it goes on when we do
            const auto piece = co_await stream->read();
            read += piece.value().size();
        }
        CHECK(source->pulled_bytes >= read);
        stream.reset();
        auto gone = [source] { return source->abandoned; };
        co_await wait_until(std::move(gone));
    };
    world.run(body(world, endless));
}

TEST_CASE("giving up in the middle of a body frees both sides at once") {
    World world;
    auto endless = std::make_shared<Endless>(1000);
    world.route("GET", "/endless", streams(endless, {}));
    world.start();
    auto read_some = [](World& w, bool& ended) -> awaitable<> {
        struct Mark {
            bool& flag;
            ~Mark() { flag = true; }
        };
        const Mark mark{ended};
        auto stream = co_await w.client.open(w.get("/endless"));
        (void)co_await code_of_reading(stream);
    };
    auto body = [read_some](World& w, std::shared_ptr<Endless> source) -> awaitable<> {
        bool ended = false;
        TaskGroup tasks(w.executor, [](const std::string&, const Error&) {});
        auto reading = read_some(w, ended);
        tasks.spawn("reader", std::move(reading));
        auto under_way = [source] { return source->pulled_bytes > 100000; };
        co_await wait_until(std::move(under_way));
        tasks.stop();
        co_await tasks.join();
        CHECK(ended);
        auto none_left = [&w] { return w.server->connections() == 0; };
        co_await wait_until(std::move(none_left));
        CHECK(source->abandoned);
    };
    world.run(body(world, endless));
}

TEST_CASE("events are flushed one by one, and a reader that leaves is noticed in silence") {
    World world;
    auto events = std::make_shared<PushBody>(world.executor, 1000);
    world.route("GET", "/events", streams(events, {}));
    world.start();
    auto body = [](World& w, std::shared_ptr<PushBody> source) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /events HTTP/1.1\r\nHost: t\r\n\r\n");
        const auto head = co_await raw->read_until("\r\n\r\n");
        CHECK(head.find("200 OK") != std::string::npos);
        CHECK(source->push("data: 1\n\n"));
        const auto first = co_await raw->read_until("\n\n\r\n");
        CHECK(first == "9\r\ndata: 1\n\n\r\n");
        raw->close();
        auto closed = [source] { return source->closed(); };
        co_await wait_until(std::move(closed));
        CHECK_FALSE(source->push("data: 2\n\n"));
    };
    world.run(body(world, events));
}

TEST_CASE("a reader of events who is too slow is cut, and draining cuts all of them") {
    World world;
    auto slow = std::make_shared<PushBody>(world.executor, 100);
    auto silent = std::make_shared<PushBody>(world.executor, 100);
    world.route("GET", "/slow", streams(slow, {}));
    world.route("GET", "/silent", streams(silent, {}));
    world.start();
    auto body = [](World& w,
                   std::shared_ptr<PushBody> overflowing,
                   std::shared_ptr<PushBody> quiet) -> awaitable<> {
        CHECK(overflowing->push(std::string(60, 'x')));
        CHECK_FALSE(overflowing->push(std::string(60, 'x')));
        CHECK(overflowing->closed());
        auto stream = co_await w.client.open(w.get("/slow"));
        const auto code = co_await code_of_reading(stream);
        CHECK(code == Code::Protocol);
        auto raw = co_await w.connect();
        co_await raw->send("GET /silent HTTP/1.1\r\nHost: t\r\n\r\n");
        (void)co_await raw->read_until("\r\n\r\n");
        co_await w.server->stop(std::chrono::minutes(10));
        CHECK(quiet->closed());
    };
    world.run(body(world, slow, silent));
}

TEST_CASE("a stuck reader of an answer is cut after the write limit") {
    World world;
    world.options.write_limit = std::chrono::milliseconds(200);
    auto endless = std::make_shared<Endless>(256 * 1024);
    world.route("GET", "/endless", streams(endless, {}));
    world.start();
    auto body = [](World& w, std::shared_ptr<Endless> source) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /endless HTTP/1.1\r\nHost: t\r\n\r\n");
        auto given_up = [source] { return source->abandoned; };
        co_await wait_until(std::move(given_up));
        auto none_left = [&w] { return w.server->connections() == 0; };
        co_await wait_until(std::move(none_left));
    };
    world.run(body(world, endless));
}
