// Request bodies that stream: through to a handler or on to another server, slowed down, broken,
// too long or not wanted. Neither side waits for ever or takes a part for the whole.
#include "tests/component/http/bodies.hpp"
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

TEST_CASE("an upload streams through, and a slow server slows it down") {
    World world;
    Gate gate(world.executor);
    auto wait_then_count = [](Gate& g, Request request) -> awaitable<Response> {
        co_await g.wait();
        auto response = co_await count_upload(std::move(request));
        co_return response;
    };
    world.route(upload_route("/count", count_upload));
    world.route(upload_route("/wait", [&gate, wait_then_count](Request request) {
        return wait_then_count(gate, std::move(request));
    }));
    world.start();
    auto body = [](World& w, Gate& g) -> awaitable<> {
        const auto whole = pattern(3000001);
        for (const bool announced : {true, false}) {
            auto request = w.get("/count");
            request.method = "PUT";
            request.upload = std::make_shared<Pieces>(cut(whole, 50001));
            if (announced) {
                request.upload_length = whole.size();
            }
            const auto answer = co_await w.client.send(std::move(request));
            CHECK(answer.body == "3000001");
        }
        auto source = std::make_shared<Endless>(64 * 1024);
        auto slow = w.get("/wait");
        slow.method = "PUT";
        slow.upload = source;
        slow.total_limit = std::chrono::seconds(1);
        std::optional<Code> code;
        try {
            (void)co_await w.client.send(std::move(slow));
        } catch (const Failure& failure) {
            code = failure.code();
        }
        CHECK(code == Code::Timeout);
        CHECK(source->pulled_bytes < socket_buffers_max);
        g.open();
    };
    world.run(body(world, gate));
}

TEST_CASE("an upload that breaks, or has another length than announced, fails on both sides") {
    World world;
    bool server_saw_failure = false;
    auto notice = [](bool& saw, Request request) -> awaitable<Response> {
        try {
            auto response = co_await count_upload(std::move(request));
            co_return response;
        } catch (const Failure& failure) {
            saw = failure.code() == Code::Protocol;
            throw;
        }
    };
    world.route(upload_route("/count", [&server_saw_failure, notice](Request request) {
        return notice(server_saw_failure, std::move(request));
    }));
    world.start();
    auto body = [](World& w, bool& saw) -> awaitable<> {
        struct Case {
            std::shared_ptr<BodyReader> source;
            std::optional<std::uint64_t> length;
            Code code;
        };
        std::vector<Case> cases;
        const Error broken(Code::Internal, "disk on fire");
        cases.push_back({std::make_shared<Pieces>(cut("abcdef", 3), broken), {}, Code::Internal});
        cases.push_back({std::make_shared<Pieces>(cut("abcdef", 3)), 9, Code::InvalidInput});
        cases.push_back({std::make_shared<Pieces>(cut("abcdef", 3)), 4, Code::InvalidInput});
        for (const auto& one : cases) {
            saw = false;
            auto request = w.get("/count");
            request.method = "PUT";
            request.upload = one.source;
            request.upload_length = one.length;
            std::optional<Code> code;
            try {
                (void)co_await w.client.send(std::move(request));
            } catch (const Failure& failure) {
                code = failure.code();
            }
            CHECK(code == one.code);
            auto noticed = [&saw] { return saw; };
            co_await wait_until(std::move(noticed));
        }
    };
    world.run(body(world, server_saw_failure));
}

TEST_CASE("a chunked upload over the route's cap is refused in the middle") {
    World world;
    auto route = upload_route("/count", count_upload);
    route.body_bytes_max = 1000;
    world.route(std::move(route));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto request = w.get("/count");
        request.method = "PUT";
        request.upload = std::make_shared<Pieces>(cut(pattern(5000), 600));
        const auto answer = co_await w.client.send(std::move(request));
        CHECK(answer.status == 413);
    };
    world.run(body(world));
}

TEST_CASE("a handler that answers without reading the upload does not hang anybody") {
    World world;
    world.route(upload_route("/no", [](Request) -> awaitable<Response> {
        co_return Response(403, "text/plain", "not here");
    }));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        auto request = w.get("/no");
        request.method = "PUT";
        request.upload = std::make_shared<Pieces>(cut(pattern(8000000), 100000));
        const auto answer = co_await w.client.send(std::move(request));
        CHECK(answer.status == 403);
        CHECK(answer.body == "not here");
    };
    world.run(body(world));
}

TEST_CASE("an upload passed on to another server arrives there while it is sent") {
    World world;
    auto relay = [](World& w, Request request) -> awaitable<Response> {
        auto onward = w.get("/count");
        onward.method = "PUT";
        onward.upload = request.body_stream;
        onward.upload_length = request.content_length;
        const auto answer = co_await w.client.send(std::move(onward));
        co_return Response(answer.status, "text/plain", "relayed " + answer.body);
    };
    auto refuse = [](World& w, Request request) -> awaitable<Response> {
        auto onward = w.get("/nowhere");
        onward.method = "PUT";
        onward.upload = request.body_stream;
        const auto answer = co_await w.client.send(std::move(onward));
        co_return Response(answer.status, "text/plain", "refused");
    };
    world.route(upload_route("/count", count_upload));
    world.route(upload_route(
        "/relay", [&world, relay](Request request) { return relay(world, std::move(request)); }));
    world.route(upload_route("/refuse", [&world, refuse](Request request) {
        return refuse(world, std::move(request));
    }));
    world.start();
    auto body = [](World& w) -> awaitable<> {
        const std::vector<std::string> paths = {"/relay", "/refuse", "/relay"};
        for (const auto& path : paths) {
            auto request = w.get(path);
            request.method = "PUT";
            request.upload = std::make_shared<Pieces>(cut(pattern(2000000), 70000));
            const auto answer = co_await w.client.send(std::move(request));
            CHECK(answer.body == (path == "/relay" ? "relayed 2000000" : "refused"));
        }
    };
    world.run(body(world));
}
