// Blobs on their way: what clients get while the upstream is still sending, and what readers that
// are slow, late or gone mean for the others. The upstream holds the second half back until the
// test opens its gate, so that nothing here depends on time.
#include "tests/component/registry-proxy/world.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <thread>

using namespace methos;
using methos::test::big;
using methos::test::make_bytes;
using methos::test::World;

namespace {

/// What a client may have of a blob whose first half has arrived: all of that.
constexpr std::size_t first_half = big / 2;

struct HeldBlob {
    explicit HeldBlob(World& world) : bytes(make_bytes(big)) {
        path = "/v2/team/app/blobs/" + world.upstream.put_blob("team/app", bytes).to_string();
        world.upstream.hold = std::make_shared<Gate>(world.context.get_executor());
        world.start_proxy();
    }

    [[nodiscard]] int count_transfers(const World& world) const {
        return world.upstream.count("GET " + path.substr(4));
    }

    std::string bytes;
    std::string path;
};

constexpr std::size_t block_bytes = 1024 * 1024;

/// Sends blocks of nothing to one caller as fast as it can, from a thread of its own: unlike the
/// scripted upstream it does not have to wait for the loop.
class FastSender {
  public:
    explicit FastSender(std::size_t blocks)
        : acceptor_(context_, {asio::ip::make_address("127.0.0.1"), 0}),
          thread_([this, blocks] { serve(blocks); }) {}

    FastSender(const FastSender&) = delete;
    FastSender& operator=(const FastSender&) = delete;

    ~FastSender() { thread_.join(); }

    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
    }

  private:
    void serve(std::size_t blocks) {
        boost::system::error_code ended; // the caller may leave
        asio::ip::tcp::socket socket(context_);
        acceptor_.accept(socket, ended);
        std::string request;
        asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", ended);
        const auto head =
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(blocks * block_bytes) +
            "\r\n\r\n";
        asio::write(socket, asio::buffer(head), ended);
        const std::string block(block_bytes, '\0');
        for (std::size_t i = 0; i < blocks && !ended; ++i) {
            asio::write(socket, asio::buffer(block), ended);
        }
    }

    asio::io_context context_;
    asio::ip::tcp::acceptor acceptor_;
    std::thread thread_;
};

struct Watch {
    std::size_t received = 0;
    std::size_t largest_step = 0; ///< bytes received between two turns of the loop
    bool done = false;
};

awaitable<> receive_all(http::Client* client, std::string url, Watch* watch) {
    http::ClientRequest request;
    request.url = url;
    request.total_limit.reset();
    const auto stream = co_await client->open(std::move(request));
    while (const auto piece = co_await stream->read()) {
        watch->received += piece->size();
    }
    watch->done = true;
}

awaitable<> watch_turns(asio::any_io_executor executor, Watch* watch) {
    while (!watch->done) {
        const auto before = watch->received;
        co_await asio::post(executor, asio::use_awaitable);
        watch->largest_step = std::max(watch->largest_step, watch->received - before);
    }
}

} // namespace

SCENARIO("clients read what has arrived while the upstream is still sending") {
    World world;
    const HeldBlob blob(world);
    const auto first = world.open(blob.path);
    CHECK(first->headers().get("Content-Length") == std::to_string(big));
    auto first_bytes = world.read_some(first, first_half);
    REQUIRE(first_bytes.size() == first_half);
    REQUIRE_FALSE(world.upstream.hold->is_open());

    const auto late = world.open(blob.path);
    auto late_bytes = world.read_some(late, first_half);
    CHECK(late_bytes == first_bytes);
    const http::Headers range{{"Range", "bytes=400000-"}};
    const auto part = world.open(blob.path, range);
    CHECK(part->status() == 206);
    auto part_bytes = world.read_some(part, first_half - 400'000);
    CHECK(part_bytes.size() == first_half - 400'000);
    REQUIRE_FALSE(world.upstream.hold->is_open());

    world.upstream.hold->open();
    first_bytes += world.read_some(first, big);
    late_bytes += world.read_some(late, big);
    part_bytes += world.read_some(part, big);
    CHECK(first_bytes == blob.bytes);
    CHECK(late_bytes == blob.bytes);
    CHECK(part_bytes == blob.bytes.substr(400'000));
    CHECK(blob.count_transfers(world) == 1);
    world.finish();
}

SCENARIO("a transfer goes on when its first client leaves") {
    World world;
    const HeldBlob blob(world);
    auto first = world.open(blob.path);
    CHECK(world.read_some(first, 1).size() > 0);
    first.reset();
    world.upstream.hold->open();
    CHECK(world.get(blob.path).body == blob.bytes);
    CHECK(world.get(blob.path).body == blob.bytes);
    CHECK(blob.count_transfers(world) == 1);
    world.finish();
}

SCENARIO("a slow reader delays neither the transfer nor other readers") {
    World world;
    const auto bytes = make_bytes(24 * 1024 * 1024); // more than the sockets' buffers hold
    const auto digest = world.upstream.put_blob("team/app", bytes);
    const auto path = "/v2/team/app/blobs/" + digest.to_string();
    world.start_proxy();
    const auto slow = world.open(path);
    auto slow_bytes = world.read_some(slow, 1);
    const auto fast_body = world.get(path).body;
    const bool fast_right = fast_body == bytes;
    CHECK(fast_right);
    slow_bytes += world.read_some(slow, bytes.size());
    const bool slow_right = slow_bytes == bytes;
    CHECK(slow_right);
    CHECK(world.upstream.count("GET team/app/blobs/" + digest.to_string()) == 1);
    world.finish();
}

SCENARIO("the proxy answers others while blobs wait") {
    World world;
    const HeldBlob blob(world);
    const auto waiting = world.open(blob.path);
    CHECK(world.get("/v2").status == 200);
    CHECK(world.get("/metrics/prometheus").body.find("methos_proxy_upstream_bytes_total") !=
          std::string::npos);
    world.finish();
}

SCENARIO("a proxy that ends in the middle of a transfer begins again") {
    World world;
    const HeldBlob blob(world);
    const auto cut = world.open(blob.path);
    CHECK(world.read_some(cut, 1).size() > 0);
    CHECK(world.count_unfinished() == 1);
    world.stop_proxy();
    CHECK_THROWS_AS(world.read_some(cut, big), Failure);
    world.upstream.hold->open();
    world.start_proxy();
    CHECK(world.count_unfinished() == 0);
    CHECK(world.get(blob.path).body == blob.bytes);
    CHECK(blob.count_transfers(world) == 2);
    world.finish();
}

SCENARIO("an upstream faster than the proxy leaves the loop to others") {
    World world;
    const FastSender sender(64);
    Watch watch;
    TaskGroup group(world.context.get_executor(), [](const std::string&, const Error&) {});
    auto receiving = receive_all(&world.client, sender.url(), &watch);
    group.spawn("receiver", std::move(receiving));
    world.run(watch_turns(world.context.get_executor(), &watch));
    CHECK(watch.received == 64 * block_bytes);
    CHECK(watch.largest_step <= block_bytes);
    world.turn_until([&group] { return group.size() == 0; });
    world.run(world.upstream.stop());
}
