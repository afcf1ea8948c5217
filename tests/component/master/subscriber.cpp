#include "tests/component/master/subscriber.hpp"

#include "core/base/units.hpp"
#include "tests/component/master/master_lab.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <charconv>

namespace methos::test {

using nlohmann::json;

namespace {

std::string chunk_of(const std::string& text) {
    std::array<char, 20> size{};
    const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
    return std::string(size.data(), end) + "\r\n" + text + "\r\n";
}

} // namespace

awaitable<std::shared_ptr<Subscriber>>
Subscriber::open(std::string url, std::string path, std::string body) {
    const auto address = parse_host_port(url.substr(url.find("://") + 3));
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address->host), address->port);
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(endpoint, asio::use_awaitable);
    const std::string request = "POST " + path +
                                " HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer " + admin_token +
                                "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
                                "\r\n\r\n" +
                                chunk_of(body) + "0\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    auto subscriber = std::make_shared<Subscriber>(std::move(socket));
    subscriber->head_ = co_await subscriber->take_until("\r\n\r\n");
    co_return subscriber;
}

int Subscriber::status() const {
    const auto code = parse_int(head_.substr(9, 3), 100, 599);
    return code ? static_cast<int>(*code) : 0;
}

std::string Subscriber::header(const std::string& name) const {
    const auto at = head_.find("\r\n" + name + ": ");
    if (at == std::string::npos) {
        return {};
    }
    const auto begin = at + name.size() + 4;
    return head_.substr(begin, head_.find("\r\n", begin) - begin);
}

awaitable<> Subscriber::fill() {
    std::array<char, 16384> buffer{};
    boost::system::error_code error;
    const auto got = co_await socket_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
        throw Failure(Code::Unavailable, "the answer was cut: " + error.message());
    }
    input_.append(buffer.data(), got);
}

awaitable<std::string> Subscriber::take_until(std::string mark) {
    while (input_.find(mark) == std::string::npos) {
        co_await fill();
    }
    const auto end = input_.find(mark) + mark.size();
    auto taken = input_.substr(0, end);
    input_.erase(0, end);
    co_return taken;
}

awaitable<std::string> Subscriber::take(std::size_t bytes) {
    while (input_.size() < bytes) {
        co_await fill();
    }
    auto taken = input_.substr(0, bytes);
    input_.erase(0, bytes);
    co_return taken;
}

awaitable<std::optional<std::string>> Subscriber::chunk() {
    const auto line = co_await take_until("\r\n");
    std::size_t size = 0;
    std::from_chars(line.data(), line.data() + line.size(), size, 16);
    auto data = co_await take(size + 2);
    data.resize(size);
    if (size == 0) {
        co_return std::nullopt;
    }
    co_return data;
}

awaitable<json> Subscriber::event() {
    for (;;) {
        const auto data = co_await chunk();
        if (!data) {
            co_return json();
        }
        const auto line_end = data->find('\n');
        const auto record = data->substr(line_end + 1);
        if (data->substr(0, line_end) != std::to_string(record.size()) ||
            record.find('\n') != std::string::npos) {
            throw Failure(Code::Protocol, "this chunk is not one record: " + *data);
        }
        auto document = json::parse(record);
        if (document.at("type") != "HEARTBEAT") {
            co_return document;
        }
    }
}

awaitable<json> Subscriber::next(std::string type) {
    for (;;) {
        auto document = co_await event();
        if (document.is_null()) {
            throw Failure(Code::Unavailable, "the stream ended before " + type);
        }
        if (document.at("type") == type) {
            co_return document;
        }
    }
}

} // namespace methos::test
