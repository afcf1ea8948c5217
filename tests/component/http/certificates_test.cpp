// TLS at its edges: certificates that are replaced or broken, clients that trust another authority
// or speak plain HTTP. What goes through a TLS connection is in tls_test.cpp.
#include "tests/component/http/world.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace methos::http::test {

namespace {

using Catch::Matchers::Contains;

/// Makes `name`.pem and `name`.key, signed by itself; replaces those that are there.
void make_certificate(const methos::test::TemporaryFolder& folder, const std::string& name) {
    const auto command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout " +
        folder.file(name + ".key") + " -out " + folder.file(name + ".pem") + " 2>/dev/null";
    REQUIRE(std::system(command.c_str()) == 0); // NOLINT(concurrency-mt-unsafe)
}

struct TlsWorld : World {
    methos::test::TemporaryFolder folder;

    TlsWorld() {
        make_certificate(folder, "server");
        options.tls_certificate_file = folder.file("server.pem");
        options.tls_key_file = folder.file("server.key");
        route("GET", "/a", says("a"));
        start();
    }

    /// Asks on a connection of its own, trusting that file; the failure when there is no answer.
    static awaitable<std::optional<Error>> ask(TlsWorld& world, std::string ca_file) {
        auto request = world.get("/a");
        request.ca_file = world.folder.file(ca_file);
        request.fresh_connection = true;
        std::optional<Error> failure;
        try {
            const auto answer = co_await world.client.send(std::move(request));
            CHECK(answer.body == "a");
        } catch (const Failure& thrown) {
            failure = thrown.error();
        }
        co_return failure;
    }

    /// Whether a new connection is trusted by who trusts that file.
    static awaitable<bool> trusts(TlsWorld& world, std::string ca_file) {
        const auto failure = co_await ask(world, std::move(ca_file));
        CHECK((!failure || is_untrusted(*failure)));
        co_return !failure;
    }
};

} // namespace

TEST_CASE("a certificate that is replaced counts for new connections after a reload") {
    TlsWorld world;
    std::filesystem::copy_file(world.folder.file("server.pem"), world.folder.file("old.pem"));
    make_certificate(world.folder, "server");
    auto body = [](TlsWorld& w) -> awaitable<> {
        const bool unwatched = co_await TlsWorld::trusts(w, "old.pem");
        CHECK(unwatched); // nobody watches the files
        w.server->reload_tls();
        const bool old = co_await TlsWorld::trusts(w, "old.pem");
        const bool current = co_await TlsWorld::trusts(w, "server.pem");
        CHECK_FALSE(old);
        CHECK(current);
    };
    world.run(body(world));
}

TEST_CASE("a broken certificate is refused by a reload, and the old one stays") {
    TlsWorld world;
    std::filesystem::copy_file(world.folder.file("server.pem"), world.folder.file("good.pem"));
    std::ofstream(world.folder.file("server.pem")) << "no certificate\n";
    CHECK_THROWS_WITH(world.server->reload_tls(), Contains("server.pem"));
    auto body = [](TlsWorld& w) -> awaitable<> {
        const bool trusted = co_await TlsWorld::trusts(w, "good.pem");
        CHECK(trusted);
    };
    world.run(body(world));
}

TEST_CASE("a connection survives the reload of the certificate it began with") {
    TlsWorld world;
    auto body = [](TlsWorld& w) -> awaitable<> {
        auto request = w.get("/a");
        request.ca_file = w.folder.file("server.pem");
        (void)co_await w.client.send(request);
        w.server->reload_tls();
        const auto answer = co_await w.client.send(request);
        CHECK(answer.body == "a");
        CHECK(w.server->connections() == 1);
    };
    world.run(body(world));
}

TEST_CASE("certificate and key that do not fit each other are refused, with the file named") {
    const methos::test::TemporaryFolder folder;
    make_certificate(folder, "server");
    make_certificate(folder, "other");
    ServerOptions options;
    CHECK_NOTHROW(check_tls(options));
    options.tls_certificate_file = folder.file("server.pem");
    options.tls_key_file = folder.file("server.key");
    CHECK_NOTHROW(check_tls(options));
    options.tls_key_file = folder.file("other.key");
    CHECK_THROWS_WITH(check_tls(options), Contains("other.key"));
    options.tls_key_file = folder.file("absent.key");
    CHECK_THROWS_WITH(check_tls(options), Contains("absent.key"));
    options.tls_certificate_file = folder.file("absent.pem");
    CHECK_THROWS_WITH(check_tls(options), Contains("absent.pem"));
    World world;
    Server server(world.executor, Router(), {}, {}, options);
    CHECK_THROWS_WITH(server.listen("127.0.0.1:0"), Contains("absent.pem"));
}

TEST_CASE("a client can tell a certificate that it does not trust from a server that is away") {
    TlsWorld world;
    make_certificate(world.folder, "other");
    auto body = [](TlsWorld& w) -> awaitable<> {
        const auto untrusted = co_await TlsWorld::ask(w, "other.pem");
        CHECK((untrusted && is_untrusted(*untrusted)));
        co_await w.server->stop(Duration(0));
        const auto away = co_await TlsWorld::ask(w, "server.pem");
        CHECK((away && !is_untrusted(*away)));
    };
    world.run(body(world));
}

TEST_CASE("plain HTTP on a port of TLS is answered with what to do") {
    TlsWorld world;
    auto body = [](TlsWorld& w) -> awaitable<> {
        auto raw = co_await w.connect();
        co_await raw->send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n");
        const auto answer = co_await raw->read_rest();
        CHECK_THAT(answer, Catch::Matchers::StartsWith("HTTP/1.1 400 ") && Contains("https"));
        auto nonsense = co_await w.connect();
        co_await nonsense->send(std::string(100, '\0'));
        nonsense->shut_down_sending();
        const auto alert = co_await nonsense->read_rest();
        CHECK_THAT(alert, !Contains("HTTP"));
    };
    world.run(body(world));
}

} // namespace methos::http::test
