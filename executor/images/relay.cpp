#include "executor/images/relay.hpp"

#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"
#include "executor/race.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <array>

namespace methos::executor {

namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t buffer_bytes = 16 * 1024; // per direction and connection
constexpr std::size_t connections_max = 256;    // dockerd opens a handful per pull
constexpr Duration connect_limit = std::chrono::seconds(5);
constexpr Duration idle_limit = std::chrono::minutes(10);
constexpr Duration accept_pause = std::chrono::milliseconds(200); // out of descriptors

/// One connection's two ends. Ends share it, so that either may close both.
struct Pipe {
    explicit Pipe(tcp::socket accepted)
        : client(std::move(accepted)), target(client.get_executor()) {}

    tcp::socket client;
    tcp::socket target;
    MonoTime last_byte = std::chrono::steady_clock::now();

    void close() {
        error_code ignored;
        client.close(ignored);
        target.close(ignored);
    }
};

using PipePtr = std::shared_ptr<Pipe>;

awaitable<> copy(PipePtr pipe, bool to_target) {
    auto& from = to_target ? pipe->client : pipe->target;
    auto& into = to_target ? pipe->target : pipe->client;
    std::array<char, buffer_bytes> buffer; // in the coroutine's frame
    for (;;) {
        error_code error;
        auto receive = asio::redirect_error(asio::use_awaitable, error);
        const auto count = co_await from.async_read_some(asio::buffer(buffer), std::move(receive));
        if (error) {
            break;
        }
        pipe->last_byte = std::chrono::steady_clock::now();
        auto send = asio::redirect_error(asio::use_awaitable, error);
        co_await asio::async_write(into, asio::buffer(buffer.data(), count), std::move(send));
        if (error) {
            pipe->close();
            break;
        }
    }
    error_code ignored;
    into.shutdown(tcp::socket::shutdown_send, ignored);
}

awaitable<> watch_idle(PipePtr pipe) {
    for (;;) {
        const auto left = pipe->last_byte + idle_limit - std::chrono::steady_clock::now();
        if (left <= Duration::zero()) {
            co_return;
        }
        co_await sleep_for(left);
    }
}

awaitable<> connect(PipePtr pipe, HostPort target) {
    tcp::resolver resolver(pipe->client.get_executor());
    const auto found = co_await resolver.async_resolve(
        target.host, std::to_string(target.port), asio::use_awaitable);
    co_await asio::async_connect(pipe->target, found, asio::use_awaitable);
}

awaitable<> serve(PipePtr pipe, HostPort target) {
    using namespace asio::experimental::awaitable_operators;
    auto connecting = connect(pipe, target);
    co_await with_timeout(std::move(connecting), connect_limit, "connecting to the registry proxy");
    auto there = copy(pipe, true);
    auto back = copy(pipe, false);
    auto both = std::move(there) && std::move(back);
    auto idle = watch_idle(pipe);
    co_await race(std::move(both), std::move(idle));
    pipe->close();
}

} // namespace

struct LoopbackRelay::Impl {
    Impl(const asio::any_io_executor& executor, HostPort target_)
        : target(std::move(target_)), acceptor(executor),
          group(executor, [](const std::string&, const Error& error) {
              log::limited("relay", "registry relay", {{"why", error.to_string()}});
          }) {}

    HostPort target;
    tcp::acceptor acceptor;
    std::string address;
    TaskGroup group;

    [[nodiscard]] awaitable<> accept();
};

awaitable<> LoopbackRelay::Impl::accept() {
    for (;;) {
        error_code error;
        auto token = asio::redirect_error(asio::use_awaitable, error);
        auto socket = co_await acceptor.async_accept(std::move(token));
        if (error == asio::error::operation_aborted || !acceptor.is_open()) {
            co_return;
        }
        if (error) {
            log::limited(
                "relay-accept", "registry relay cannot accept", {{"why", error.message()}});
            co_await sleep_for(accept_pause);
        } else if (group.size() <= connections_max) {
            group.spawn("connection", serve(std::make_shared<Pipe>(std::move(socket)), target));
        }
    }
}

LoopbackRelay::LoopbackRelay(asio::any_io_executor executor, HostPort target)
    : impl_(std::make_unique<Impl>(executor, std::move(target))) {
    const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    try {
        impl_->acceptor.open(any.protocol());
        impl_->acceptor.bind(any);
        impl_->acceptor.listen();
        impl_->address = "127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port());
    } catch (const boost::system::system_error& error) {
        throw Failure(Code::Unavailable,
                      std::string("cannot listen on 127.0.0.1 for the registry relay: ") +
                          error.what());
    }
}

LoopbackRelay::~LoopbackRelay() = default;

const std::string& LoopbackRelay::address() const {
    return impl_->address;
}

void LoopbackRelay::start() {
    impl_->group.spawn("accept", impl_->accept());
}

awaitable<> LoopbackRelay::stop() {
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    impl_->group.stop();
    co_await impl_->group.join();
}

bool is_loopback(const std::string& host) {
    if (host == "localhost") {
        return true;
    }
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    return !error && address.is_v4() && address.is_loopback();
}

} // namespace methos::executor
