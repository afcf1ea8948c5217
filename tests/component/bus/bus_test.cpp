// The bus over real sockets and real CURVE: what it carries, whom it lets in, and what both ends
// learn when the other is gone. Peers are killed by closing them, which is what a kernel does for a
// dead process.
#include "tests/component/bus/bus_fixture.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <set>

using namespace methos;
using namespace methos::bus;
using namespace methos::bus::testing;

namespace {

void echo(Server& server) {
    server.on_frame = [&server](const PeerId& peer, const std::string& frame) {
        REQUIRE(server.bus->send(peer, frame));
    };
}

} // namespace

SCENARIO("frames go both ways unchanged") {
    Loop loop;
    Server server(loop);
    echo(server);
    Client client(loop, server.bus->address(), server.keys.public_key);

    const std::string binary("a\0b\xff", 4);
    const std::string big(3'000'000, 'x');
    for (const auto& frame : {std::string("hello"), std::string(), binary, big}) {
        REQUIRE(client.bus->send(frame));
    }
    loop.run_until([&] { return client.frames.size() == 4; });

    CHECK(client.frames[0] == "hello");
    CHECK(client.frames[1].empty());
    CHECK(client.frames[2] == binary);
    CHECK(client.frames[3] == big);
    CHECK(client.connected == 1);
    CHECK(client.disconnected.empty());
    CHECK(client.bus->local_ip() == "127.0.0.1");
    CHECK(server.bus->peer_ip(server.frames[0].first) == "127.0.0.1");
    CHECK(server.bus->peer_ip("nobody").empty());
    CHECK(server.troubles.empty());
}

SCENARIO("each of many peers gets its own answers, in order") {
    Loop loop;
    Server server(loop);
    echo(server);
    constexpr std::size_t peers = 60;
    constexpr std::size_t frames = 500; // more than a turn takes
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t peer = 0; peer < peers; ++peer) {
        clients.push_back(
            std::make_unique<Client>(loop, server.bus->address(), server.keys.public_key));
        for (std::size_t frame = 0; frame < frames; ++frame) {
            REQUIRE(clients.back()->bus->send(std::to_string(peer) + ":" + std::to_string(frame)));
        }
    }
    loop.run_until([&] {
        return std::all_of(clients.begin(), clients.end(), [](const auto& client) {
            return client->frames.size() == frames;
        });
    });
    for (std::size_t peer = 0; peer < peers; ++peer) {
        for (std::size_t frame = 0; frame < frames; ++frame) {
            REQUIRE(clients[peer]->frames[frame] ==
                    std::to_string(peer) + ":" + std::to_string(frame));
        }
    }
    std::set<PeerId> names;
    for (const auto& [peer, frame] : server.frames) {
        names.insert(peer);
    }
    CHECK(names.size() == peers);
}

SCENARIO("a flood of frames leaves the loop its other work") {
    // Few frames a turn, and frames of which each takes all the time that a turn has.
    const auto frames_per_turn = GENERATE(std::size_t{10}, std::size_t{10'000});
    Loop loop;
    Server server(loop, make_curve_keys(), "tcp://127.0.0.1:0", [&](ServerOptions& options) {
        options.frames_per_turn = frames_per_turn;
        options.turn_limit =
            Duration(frames_per_turn == 10 ? std::chrono::hours(1) : Duration::zero());
    });
    Client client(loop, server.bus->address(), server.keys.public_key);
    // The first frame posts work; it must run before the flood has been read.
    std::size_t read_before_work = 0;
    bool knew_of_more = false;
    server.on_frame = [&](const PeerId&, const std::string& frame) {
        if (frame == "first") {
            asio::post(loop.executor(), [&] {
                read_before_work = server.frames.size();
                knew_of_more = server.bus->unread_since().has_value();
            });
        }
    };
    REQUIRE(client.bus->send("first"));
    for (int i = 0; i < 900; ++i) {
        REQUIRE(client.bus->send("more"));
    }
    loop.run_until([&] { return server.frames.size() == 901; });
    CHECK(read_before_work > 0);
    CHECK(read_before_work <= 20);
    CHECK(knew_of_more);
    loop.run_until([&] { return !server.bus->unread_since(); });
}

SCENARIO("a frame over the cap ends its sender's connection and nobody else's") {
    Loop loop;
    Server server(loop, make_curve_keys(), "tcp://127.0.0.1:0", [](ServerOptions& options) {
        options.frame_bytes_max = 10'000;
    });
    Client good(loop, server.bus->address(), server.keys.public_key);
    Client bad(loop, server.bus->address(), server.keys.public_key);
    REQUIRE(good.bus->send("good"));
    REQUIRE(bad.bus->send("bad"));
    loop.run_until([&] { return server.frames.size() == 2; });
    const auto bad_peer = server.frames[server.frames[0].second == "bad" ? 0 : 1].first;

    REQUIRE(bad.bus->send(std::string(20'000, 'x')));
    loop.run_until([&] { return !server.closed.empty() && !bad.disconnected.empty(); });
    CHECK(server.closed == std::vector<PeerId>{bad_peer});

    REQUIRE(good.bus->send("still here"));
    loop.run_until([&] { return server.frames.back().second == "still here"; });
    CHECK(server.frames.size() == 3);

    WHEN("our own side is asked to send one") {
        CHECK_FALSE(server.bus->send(server.frames.back().first, std::string(10'001, 'x')));
        CHECK(server.bus->send(server.frames.back().first, std::string(10'000, 'x')));
    }
}

SCENARIO("a client with another cluster's key never gets in, and both ends say why") {
    Loop loop;
    Server server(loop);
    Client client(loop, server.bus->address(), make_curve_keys().public_key);
    REQUIRE(client.bus->send("let me in"));
    loop.run_until([&] { return !client.disconnected.empty() && !server.troubles.empty(); });
    CHECK_THAT(client.disconnected.front(), Catch::Matchers::Contains("CURVE key"));
    CHECK_THAT(server.troubles.front(), Catch::Matchers::Contains("join token"));
    CHECK(client.connected == 0);
    CHECK(server.frames.empty());
}

SCENARIO("a client says that nobody answers, once, and goes on trying") {
    Loop loop;
    const auto keys = make_curve_keys();
    auto server = std::make_unique<Server>(loop, keys);
    const auto address = server->bus->address();
    server.reset();
    Client client(loop, address, keys.public_key);
    loop.run_until([&] { return !client.disconnected.empty(); });
    CHECK_THAT(client.disconnected.front(), Catch::Matchers::Contains(address));

    server = std::make_unique<Server>(loop, keys, address);
    REQUIRE(client.bus->send("at last"));
    loop.run_until([&] { return !server->frames.empty() && client.connected > 0; });
    CHECK(client.connected == 1);
    CHECK(client.disconnected.size() == 1);
}

SCENARIO("a client goes on trying where something else than a bus listened first") {
    Loop loop;
    using asio::ip::tcp;
    asio::ip::tcp::acceptor acceptor(loop.executor(),
                                     tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    const auto address = "tcp://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
    auto stranger = std::make_shared<tcp::socket>(loop.executor());
    const std::string greeting = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    acceptor.async_accept(*stranger, [&](boost::system::error_code error) {
        REQUIRE_FALSE(error);
        asio::async_write(*stranger, asio::buffer(greeting), [](auto, auto) {});
    });
    const auto keys = make_curve_keys();
    Client client(loop, address, keys.public_key);
    loop.run_until([&] { return !client.disconnected.empty(); });

    acceptor.close();
    stranger->close();
    Server server(loop, keys, address);
    loop.run_until([&] { return client.connected == 1; });
    REQUIRE(client.bus->send("now it is a bus"));
    loop.run_until([&] { return !server.frames.empty(); });
}

SCENARIO("a peer that dies is reported, alone, after its last frame") {
    Loop loop;
    Server server(loop);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(
            std::make_unique<Client>(loop, server.bus->address(), server.keys.public_key));
        REQUIRE(clients.back()->bus->send(std::to_string(i)));
    }
    loop.run_until([&] { return server.frames.size() == 5; });
    PeerId dead;
    for (const auto& [peer, frame] : server.frames) {
        if (frame == "2") {
            dead = peer;
        }
    }
    REQUIRE(server.bus->send(dead, "you live"));
    clients[2]->bus->close();
    loop.run_until([&] { return !server.closed.empty(); });
    CHECK(server.closed == std::vector<PeerId>{dead});
    CHECK_FALSE(server.bus->send(dead, "are you there?"));
    CHECK(server.bus->peer_ip(dead).empty());

    for (const std::size_t alive : {std::size_t{0}, std::size_t{4}}) {
        const auto before = server.frames.size();
        REQUIRE(clients[alive]->bus->send("alive"));
        loop.run_until([&] { return server.frames.size() == before + 1; });
    }
    CHECK(server.closed.size() == 1);
}

SCENARIO("a goodbye leaves before the connection closes") {
    Loop loop;
    Server server(loop);
    Client client(loop, server.bus->address(), server.keys.public_key);
    REQUIRE(client.bus->send("hello"));
    loop.run_until([&] { return server.frames.size() == 1; });
    REQUIRE(client.bus->send("goodbye"));
    client.bus->close_after_flush(std::chrono::seconds(30));
    loop.run_until([&] { return !server.closed.empty(); });
    REQUIRE(server.frames.size() == 2);
    CHECK(server.frames[1].second == "goodbye");
}

SCENARIO("descriptors are reused: each dead peer is reported once, no living one is") {
    Loop loop;
    Server server(loop);
    Client steady(loop, server.bus->address(), server.keys.public_key);
    REQUIRE(steady.bus->send("steady"));
    loop.run_until([&] { return server.frames.size() == 1; });
    const auto steady_peer = server.frames[0].first;

    constexpr std::size_t rounds = 200;
    for (std::size_t round = 0; round < rounds; ++round) {
        Client passing(loop, server.bus->address(), server.keys.public_key);
        REQUIRE(passing.bus->send("passing"));
        const auto before = server.frames.size();
        loop.run_until([&] { return server.frames.size() > before; });
    }
    Client last(loop, server.bus->address(), server.keys.public_key);
    REQUIRE(last.bus->send("last"));
    loop.run_until(
        [&] { return server.closed.size() >= rounds && server.frames.size() == rounds + 2; });

    const auto last_peer = server.frames.back().first;
    const std::set<PeerId> closed(server.closed.begin(), server.closed.end());
    CHECK(server.closed.size() == rounds);
    CHECK(closed.size() == rounds);
    CHECK(closed.count(steady_peer) == 0);
    CHECK(closed.count(last_peer) == 0);
    CHECK(server.bus->send(steady_peer, "x"));
    CHECK(server.bus->send(last_peer, "x"));
}

SCENARIO("a server that comes back on its port is found again by the same client") {
    Loop loop;
    const auto keys = make_curve_keys();
    auto server = std::make_unique<Server>(loop, keys);
    const auto address = server->bus->address();
    Client client(loop, address, keys.public_key);
    REQUIRE(client.bus->send("one"));
    loop.run_until([&] { return server->frames.size() == 1; });

    server.reset();
    loop.run_until([&] { return client.disconnected.size() == 1; });
    CHECK(client.bus->local_ip().empty());

    server = std::make_unique<Server>(loop, keys, address);
    echo(*server);
    loop.run_until([&] { return client.connected == 2; });
    REQUIRE(client.bus->send("two"));
    loop.run_until([&] { return !client.frames.empty(); });
    CHECK(client.frames.front() == "two");
}

SCENARIO("a taken port is refused with its address") {
    Loop loop;
    Server server(loop);
    try {
        Server second(loop, make_curve_keys(), server.bus->address());
        FAIL("two servers on one port");
    } catch (const Failure& failure) {
        CHECK(failure.code() == Code::Conflict);
        CHECK_THAT(failure.error().message, Catch::Matchers::Contains(server.bus->address()));
    }
}

SCENARIO("addresses and keys that cannot work are refused at once") {
    Loop loop;
    const auto code_of = [](const std::function<void()>& make) {
        try {
            make();
        } catch (const Failure& failure) {
            return failure.code();
        }
        return Code::Internal;
    };
    const auto keys = make_curve_keys();
    for (const std::string bind : {"", "5051", "tcp://", "tcp://127.0.0.1:99999", "udp://x:1"}) {
        CHECK(code_of([&] { Server server(loop, keys, bind); }) == Code::InvalidInput);
    }
    CHECK(code_of([&] { Server server(loop, {"", ""}); }) == Code::InvalidInput);
    for (const std::string address :
         {"", "127.0.0.1:5051", "tcp://:1", "tcp://x:0", "tcp://x y:1"}) {
        CHECK(code_of([&] { Client client(loop, address, keys.public_key); }) ==
              Code::InvalidInput);
    }
    CHECK(code_of([&] { Client client(loop, "tcp://127.0.0.1:1", "short"); }) ==
          Code::InvalidInput);
}

SCENARIO("a full queue refuses frames and never waits") {
    Loop loop;
    constexpr int mark = 10;
    Server server(loop, make_curve_keys(), "tcp://127.0.0.1:0", [](ServerOptions& options) {
        options.high_water_mark = mark;
    });
    Client client(loop, server.bus->address(), server.keys.public_key, [](ClientOptions& options) {
        options.high_water_mark = mark;
    });
    REQUIRE(client.bus->send("hello"));
    loop.run_until([&] { return !server.frames.empty(); });
    const auto peer = server.frames[0].first;

    // The loop does not turn, so the client reads nothing: queues and TCP buffers fill up.
    const std::string frame(1'000'000, 'x');
    std::size_t sent = 0;
    while (sent < 1'000 && server.bus->send(peer, frame)) {
        ++sent;
    }
    CHECK(sent >= 1);
    CHECK(sent < 1'000);

    THEN("what was taken arrives, and there is room again") {
        loop.run_until([&] { return client.frames.size() == sent; });
        CHECK(server.bus->send(peer, frame));
        loop.run_until([&] { return client.frames.size() == sent + 1; });
    }
    THEN("the client's own queue is bounded too") {
        std::size_t queued = 0;
        while (queued < 1'000 && client.bus->send(frame)) {
            ++queued;
        }
        CHECK(queued < 1'000);
    }
}

SCENARIO("either end may be closed or destroyed from inside its handlers") {
    Loop loop;
    auto server = std::make_unique<Server>(loop);
    auto client = std::make_unique<Client>(loop, server->bus->address(), server->keys.public_key);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(client->bus->send("frame"));
    }
    SECTION("the server is closed") {
        server->on_frame = [&](const PeerId& peer, const std::string&) {
            server->bus->close();
            CHECK_FALSE(server->bus->send(peer, "x"));
        };
        loop.run_until([&] { return !client->disconnected.empty(); });
        CHECK(server->frames.size() == 1);
    }
    SECTION("the server is destroyed") {
        server->on_frame = [&](const PeerId&, const std::string&) { server->bus.reset(); };
        loop.run_until([&] { return !client->disconnected.empty(); });
        CHECK(server->frames.size() == 1);
    }
    SECTION("the client is closed") {
        echo(*server);
        client->on_frame = [&](const std::string&) {
            client->bus->close();
            client->bus->close();
            CHECK_FALSE(client->bus->send("x"));
        };
        loop.run_until([&] { return !server->closed.empty(); });
        CHECK(client->frames.size() == 1);
    }
    SECTION("the client is destroyed") {
        echo(*server);
        client->on_frame = [&](const std::string&) { client->bus.reset(); };
        loop.run_until([&] { return !server->closed.empty(); });
        CHECK(client->frames.size() == 1);
    }
    loop.poll();
}

SCENARIO("libzmq takes its CURVE memory from this program, not from libsodium's guarded heap") {
    // What the dynamic linker gives libzmq.so is the first definition in the global scope.
    for (const auto* name : {"sodium_malloc", "sodium_allocarray", "sodium_free"}) {
        void* symbol = ::dlsym(RTLD_DEFAULT, name);
        REQUIRE(symbol != nullptr);
        Dl_info where{};
        REQUIRE(::dladdr(symbol, &where) != 0);
        Dl_info here{};
        REQUIRE(::dladdr(reinterpret_cast<void*>(&echo), &here) != 0);
        CHECK(std::string(where.dli_fname) == here.dli_fname);
    }
}
