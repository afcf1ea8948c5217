#include "tests/component/http/world.hpp"

#include "core/base/units.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <stdexcept>

namespace methos::http::test {

awaitable<> RawConnection::send(std::string text) {
    boost::system::error_code error;
    co_await asio::async_write(
        socket_, asio::buffer(text), asio::redirect_error(asio::use_awaitable, error));
}

awaitable<std::string> RawConnection::read_until(std::string text) {
    std::string seen;
    std::array<char, 4096> buffer{};
    while (text.empty() || seen.find(text) == std::string::npos) {
        boost::system::error_code error;
        const auto got = co_await socket_.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        if (error) {
            break;
        }
        seen.append(buffer.data(), got);
    }
    co_return seen;
}

awaitable<std::string> RawConnection::read_rest() {
    return read_until(std::string());
}

void RawConnection::shut_down_sending() {
    socket_.shutdown(asio::socket_base::shutdown_send);
}

void RawConnection::close() {
    socket_.close();
}

World::World() : client(executor) {
    options.server_name = "test";
}

void World::route(std::string method, std::string pattern, Handler handler) {
    Route added;
    added.method = std::move(method);
    added.pattern = std::move(pattern);
    added.auth = Auth::Public;
    added.handler = std::move(handler);
    route(std::move(added));
}

void World::route(Route added) {
    router.add(std::move(added));
}

void World::start() {
    auto authenticate = [](const Request& request) -> Result<Principal> {
        if (request.headers.get("Authorization") == "Bearer good") {
            return Principal{"somebody", false};
        }
        return Error(Code::Unauthorized, "a token is needed");
    };
    auto render = [](const Request&, const Error& error) {
        return Response(traits_of(error.code).http_status, "text/plain", error.message);
    };
    server.emplace(executor, std::move(router), authenticate, render, options);
    server->on_access([this](const AccessRecord& record) { records.push_back(record); });
    address = server->listen("127.0.0.1:0");
    started_ = true;
}

namespace {

awaitable<> run_and_stop(World& world, awaitable<> body, std::exception_ptr& failure) {
    try {
        co_await std::move(body);
    } catch (...) {
        failure = std::current_exception();
    }
    if (world.server) {
        co_await world.server->stop(std::chrono::seconds(5));
    }
}

} // namespace

void World::run(awaitable<> body) {
    std::exception_ptr failure;
    bool ended = false;
    auto whole = run_and_stop(*this, std::move(body), failure);
    auto done = [this, &ended, &failure](const std::exception_ptr& exception) {
        ended = true;
        failure = failure ? failure : exception;
        context.stop();
    };
    asio::co_spawn(context, std::move(whole), std::move(done));
    context.run_for(std::chrono::seconds(60));
    if (!ended) {
        throw std::runtime_error("the test did not end within a minute");
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

std::string World::url(const std::string& path) const {
    return (options.tls_key_file.empty() ? "http://" : "https://") + address + path;
}

ClientRequest World::get(const std::string& path) const {
    ClientRequest request;
    request.url = url(path);
    return request;
}

awaitable<std::shared_ptr<RawConnection>> World::connect() {
    const auto at = parse_host_port(address).value();
    asio::ip::tcp::socket socket(executor);
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(at.host), at.port);
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    co_return std::make_shared<RawConnection>(std::move(socket));
}

namespace {

awaitable<Response> answer_text(std::string text) {
    co_return Response(200, "text/plain", std::move(text));
}

} // namespace

Handler says(std::string text) {
    return [text = std::move(text)](Request) { return answer_text(text); };
}

awaitable<> settle() {
    for (int turn = 0; turn < 50; ++turn) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
}

awaitable<> wait_until(std::function<bool()> condition) {
    while (!condition()) {
        co_await settle();
    }
}

} // namespace methos::http::test
