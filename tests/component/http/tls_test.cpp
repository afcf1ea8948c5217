// What TLS must not change: files (the kernel sends them in the clear, and we read and encrypt them
// over TLS), uploads and events. Certificates and callers that do not fit are in
// certificates_test.cpp.
#include "tests/component/http/bodies.hpp"
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fcntl.h>

#include <cstdio>
#include <fstream>

using namespace methos;
using namespace methos::http;
using namespace methos::http::test;

namespace {

std::shared_ptr<FILE> run_command(const std::string& command) {
    return std::shared_ptr<FILE>(::popen(command.c_str(), "r"), [](FILE* pipe) {
        if (pipe != nullptr) {
            ::pclose(pipe);
        }
    });
}

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
    SECTION("keep-alive, uploads, events, and callers that do not trust") {
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
        };
        world.run(body(world, events));
    }
}
