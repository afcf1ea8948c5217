// Bodies that stream, both ways, with a slow or vanishing other side: bounded memory, no lost
// bytes, no broken body that looks whole, and nobody left waiting.
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/redirect_error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

namespace {

constexpr std::size_t socket_buffers_max = 32 * 1024 * 1024; ///< what two kernels' ends may hold

Handler streams(std::shared_ptr<BodyReader> body, std::optional<std::uint64_t> length) {
    return [body, length](Request) -> awaitable<Response> {
        Response response;
        response.stream = body;
        response.stream_length = length;
        co_return response;
    };
}

Route upload_route(std::string pattern_, Handler handler) {
    Route route;
    route.method = "PUT";
    route.pattern = std::move(pattern_);
    route.auth = Auth::Public;
    route.body_mode = BodyMode::Streamed;
    route.body_bytes_max = std::size_t{1} << 40U;
    route.handler = std::move(handler);
    return route;
}

std::list<std::string> cut(const std::string& whole, std::size_t piece_bytes) {
    std::list<std::string> pieces;
    for (std::size_t at = 0; at < whole.size(); at += piece_bytes) {
        pieces.push_back(whole.substr(at, piece_bytes));
    }
    return pieces;
}

awaitable<std::optional<Code>> code_of_reading(std::shared_ptr<ClientStream> stream) {
    try {
        while (auto piece = co_await stream->read()) {
        }
    } catch (const Failure& failure) {
        co_return failure.code();
    }
    co_return std::nullopt;
}

awaitable<> wait_until(std::function<bool()> condition) {
    while (!condition()) {
        co_await settle();
    }
}

/// Pulls the whole body and says how long it was.
awaitable<Response> count_upload(Request request) {
    std::size_t total = 0;
    while (auto piece = co_await request.body_stream->read()) {
        total += piece->size();
    }
    co_return Response(200, "text/plain", std::to_string(total));
}

std::shared_ptr<FILE> run_command(const std::string& command) {
    return std::shared_ptr<FILE>(::popen(command.c_str(), "r"), [](FILE* pipe) {
        if (pipe != nullptr) {
            ::pclose(pipe);
        }
    });
}

} // namespace

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

namespace {

/// Serves a part of a file, and says when the server has closed it.
Handler serves_file(std::string path, std::uint64_t offset, std::uint64_t length, int& descriptor) {
    return [path, offset, length, &descriptor](Request) -> awaitable<Response> {
        Response response;
        FileBody file;
        file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        file.offset = offset;
        file.length = length;
        descriptor = file.descriptor;
        response.file = file;
        co_return response;
    };
}

bool is_open(int descriptor) {
    return ::fcntl(descriptor, F_GETFD) != -1;
}

/// The last byte may arrive before the server has closed the file.
awaitable<> closing(int& descriptor) {
    auto is_closed = [&descriptor] { return !is_open(descriptor); };
    co_await wait_until(std::move(is_closed));
}

void check_files(World& world) {
    const methos::test::TemporaryFolder folder;
    const auto whole = pattern(3000000);
    std::ofstream(folder.file("blob"), std::ios::binary) << whole;
    int descriptor = -1;
    world.route("GET", "/all", serves_file(folder.file("blob"), 0, whole.size(), descriptor));
    world.route("GET", "/part", serves_file(folder.file("blob"), 1000001, 77, descriptor));
    world.route("GET", "/beyond", serves_file(folder.file("blob"), 2999990, 77, descriptor));
    world.start();
    auto body = [](World& w, const std::string& expected, int& number) -> awaitable<> {
        auto request = w.get("/all");
        request.ca_file = w.options.tls_certificate_file;
        const auto all = co_await w.client.send(request);
        const bool same = all.body == expected;
        CHECK(same);
        co_await closing(number);
        request.url = w.url("/part");
        const auto part = co_await w.client.send(request);
        const bool same_part = part.body == expected.substr(1000001, 77);
        CHECK(same_part);
        request.method = "HEAD";
        const auto head = co_await w.client.send(request);
        CHECK(head.headers.get("Content-Length") == "77");
        co_await closing(number);
        request.method = "GET";
        request.url = w.url("/beyond");
        auto stream = co_await w.client.open(request);
        const auto code = co_await code_of_reading(stream);
        CHECK(code);
        co_await closing(number);
    };
    world.run(body(world, whole, descriptor));
}

} // namespace

TEST_CASE("files are sent whole and in part, and closed") {
    World world;
    check_files(world);
}

TEST_CASE("over TLS everything is the same") {
    const methos::test::TemporaryFolder folder;
    const auto make = run_command(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout " +
        folder.file("key.pem") + " -out " + folder.file("cert.pem") + " 2>&1");
    REQUIRE(make);
    while (std::fgetc(make.get()) != EOF) {
    }
    World world;
    world.options.tls_certificate_file = folder.file("cert.pem");
    world.options.tls_key_file = folder.file("key.pem");
    SECTION("files") {
        check_files(world);
    }
    SECTION("keep-alive, uploads, events, and callers that do not trust or do not speak TLS") {
        auto events = std::make_shared<PushBody>(world.executor, 1000);
        world.route("GET", "/events", streams(events, {}));
        world.route("GET", "/a", says("a"));
        world.route(upload_route("/count", count_upload));
        world.start();
        auto body = [](World& w, std::shared_ptr<PushBody> source) -> awaitable<> {
            auto request = w.get("/a");
            request.ca_file = w.options.tls_certificate_file;
            const auto first = co_await w.client.send(request);
            CHECK(first.body == "a");
            auto upload = request;
            upload.url = w.url("/count");
            upload.method = "PUT";
            upload.upload = std::make_shared<Pieces>(cut(pattern(1000000), 50000));
            const auto counted = co_await w.client.send(std::move(upload));
            CHECK(counted.body == "1000000");
            request.url = w.url("/events");
            auto stream = co_await w.client.open(request);
            source->push("one");
            const auto one = co_await stream->read();
            CHECK(one == "one");
            stream.reset();
            auto closed = [source] { return source->closed(); };
            co_await wait_until(std::move(closed));
            std::optional<Code> code;
            try {
                (void)co_await w.client.send(w.get("/a"));
            } catch (const Failure& failure) {
                code = failure.code();
            }
            CHECK(code == Code::Unavailable);
            auto raw = co_await w.connect();
            co_await raw->send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n");
            const auto answer = co_await raw->read_rest();
            CHECK(answer.find("HTTP/1.1") == std::string::npos);
        };
        world.run(body(world, events));
    }
}

TEST_CASE("a TLS server without a usable certificate says which file is wrong") {
    World world;
    ServerOptions options;
    options.tls_certificate_file = "/nonexistent/cert.pem";
    options.tls_key_file = "/nonexistent/key.pem";
    Server server(world.executor, Router(), {}, {}, options);
    CHECK_THROWS_WITH(server.listen("127.0.0.1:0"),
                      Catch::Matchers::Contains("/nonexistent/cert.pem"));
}
