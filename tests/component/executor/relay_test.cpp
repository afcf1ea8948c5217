// The loopback relay to a registry proxy that is known by name: bytes pass both ways, and a name
// that nobody knows ends the connection.
#include "executor/images/relay.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <exception>
#include <string>

namespace methos::executor {

namespace {

using asio::ip::tcp;

/// Writes "ping" through the relay and returns what comes until the connection ends.
awaitable<> call(LoopbackRelay& relay, std::string& answer) {
    relay.start();
    tcp::socket socket(co_await asio::this_coro::executor);
    const auto& address = relay.address();
    const auto target = parse_host_port(address);
    const tcp::endpoint there(asio::ip::address_v4::loopback(), target->port);
    co_await socket.async_connect(there, asio::use_awaitable);
    boost::system::error_code error;
    auto sending = asio::redirect_error(asio::use_awaitable, error);
    co_await asio::async_write(socket, asio::buffer("ping", 4), std::move(sending));
    auto receiving = asio::redirect_error(asio::use_awaitable, error);
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), std::move(receiving));
    co_await relay.stop();
}

awaitable<> answer_one(tcp::acceptor& acceptor) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    std::string question(4, ' ');
    co_await asio::async_read(socket, asio::buffer(question), asio::use_awaitable);
    const auto answer = question + " pong";
    co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
}

void rethrow(const std::exception_ptr& failure) {
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace

TEST_CASE("the relay pipes bytes to a proxy that is known by name") {
    asio::io_context loop;
    tcp::acceptor acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    LoopbackRelay relay(loop.get_executor(),
                        HostPort{"localhost", acceptor.local_endpoint().port()});
    std::string answer;
    asio::co_spawn(loop, answer_one(acceptor), rethrow);
    asio::co_spawn(loop, call(relay, answer), rethrow);
    loop.run();
    CHECK(answer == "ping pong");
}

TEST_CASE("a proxy whose name nobody knows ends the connection") {
    asio::io_context loop;
    LoopbackRelay relay(loop.get_executor(), HostPort{"nobody.invalid", 5000});
    std::string answer;
    asio::co_spawn(loop, call(relay, answer), rethrow);
    loop.run();
    CHECK(answer.empty());
}

} // namespace methos::executor
