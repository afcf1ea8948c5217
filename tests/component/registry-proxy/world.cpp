#include "tests/component/registry-proxy/world.hpp"

namespace methos::test {

namespace {

awaitable<>
call_into(http::Client* client, http::ClientRequest request, http::ClientResponse* response) {
    *response = co_await client->send(std::move(request));
}

awaitable<> open_into(http::Client* client,
                      http::ClientRequest request,
                      std::shared_ptr<http::ClientStream>* stream) {
    *stream = co_await client->open(std::move(request));
}

awaitable<>
read_into(std::shared_ptr<http::ClientStream> stream, std::size_t bytes, std::string* content) {
    while (content->size() < bytes) {
        const auto piece = co_await stream->read();
        if (!piece) {
            break;
        }
        *content += *piece;
    }
}

/// One of many clients: counts those that got exactly `wanted`.
awaitable<>
pull_one(http::Client* client, http::ClientRequest request, std::string wanted, int* right) {
    http::ClientResponse response;
    co_await call_into(client, std::move(request), &response);
    if (response.status == 200 && response.body == wanted) {
        ++*right;
    }
}

awaitable<> join(TaskGroup* group) {
    co_await group->join();
}

} // namespace

std::string make_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 12345;
    for (auto& byte : bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<char>(state >> 24U);
    }
    return bytes;
}

void World::turn_until(const std::function<bool()>& condition) {
    while (!condition()) {
        context.run_one();
        context.restart();
    }
}

void World::run(awaitable<> body) {
    std::exception_ptr failure;
    bool done = false;
    auto finished = [&](const std::exception_ptr& exception) {
        failure = exception;
        done = true;
    };
    asio::co_spawn(context, std::move(body), std::move(finished));
    turn_until([&done] { return done; });
    if (failure) {
        std::rethrow_exception(failure);
    }
}

void World::start_proxy() {
    options.http = "127.0.0.1:0";
    options.cache_folder = cache_folder();
    options.upstreams = {"docker.io=" + upstream.url(), "lab.example=" + upstream.url()};
    proxy = std::make_unique<proxy::Proxy>(context.get_executor(), pool, options);
    address = proxy->start();
}

void World::stop_proxy() {
    run(proxy->stop(std::chrono::seconds(0)));
    proxy.reset();
}

void World::finish() {
    stop_proxy();
    run(upstream.stop());
}

http::ClientRequest World::make_request(const std::string& method,
                                        const std::string& path,
                                        http::Headers headers,
                                        std::string body) const {
    http::ClientRequest request;
    request.method = method;
    request.ca_file = options.tls_certificate_file;
    request.url = (request.ca_file.empty() ? "http://" : "https://") + address + path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.body_bytes_max = 64 * 1024 * 1024;
    request.total_limit = std::chrono::seconds(60);
    return request;
}

http::ClientResponse World::call(const std::string& method,
                                 const std::string& path,
                                 http::Headers headers,
                                 std::string body) {
    http::ClientResponse response;
    run(call_into(
        &client, make_request(method, path, std::move(headers), std::move(body)), &response));
    return response;
}

std::shared_ptr<http::ClientStream> World::open(const std::string& path, http::Headers headers) {
    std::shared_ptr<http::ClientStream> stream;
    run(open_into(&client, make_request("GET", path, std::move(headers), {}), &stream));
    return stream;
}

std::string World::read_some(const std::shared_ptr<http::ClientStream>& stream, std::size_t bytes) {
    std::string content;
    run(read_into(stream, bytes, &content));
    return content;
}

int World::pull_many(const std::string& path, const std::string& wanted, int clients) {
    int right = 0;
    TaskGroup group(context.get_executor(), [](const std::string&, const Error&) {});
    for (int i = 0; i < clients; ++i) {
        auto child = pull_one(&client, make_request("GET", path, {}, {}), wanted, &right);
        group.spawn("client", std::move(child));
    }
    run(join(&group));
    return right;
}

std::size_t World::count_unfinished() const {
    const auto files = std::filesystem::directory_iterator(cache_folder() / "tmp");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

} // namespace methos::test
