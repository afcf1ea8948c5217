// The stage of the proxy's component tests: a proxy before a scripted upstream, both on one real
// loop with real sockets, and a client that calls the proxy. One World per scenario.
#pragma once

#include "core/http/client.hpp"
#include "registry-proxy/proxy.hpp"
#include "tests/component/registry-proxy/scripted_upstream.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace methos::test {

/// Content that no compression or repetition can make look right by accident.
[[nodiscard]] std::string make_bytes(std::size_t size);

/// A blob of several pieces, most of which readers may have before the digest is known.
inline constexpr std::size_t big = 1'000'000;

inline const std::string manifest = R"({"schemaVersion":2,"layers":[]})";

class World {
  public:
    World() : upstream(context.get_executor()), client(context.get_executor()) {}

    /// Runs one coroutine to its end, and its failure here.
    void run(awaitable<> body);

    /// Turns the loop until the condition holds.
    void turn_until(const std::function<bool()>& condition);

    void start_proxy();
    void stop_proxy();
    /// Ends proxy and upstream; every scenario's last line.
    void finish();

    http::ClientResponse call(const std::string& method,
                              const std::string& path,
                              http::Headers headers = {},
                              std::string body = {});

    http::ClientResponse get(const std::string& path, http::Headers headers = {}) {
        return call("GET", path, std::move(headers));
    }

    /// The head has arrived, the body is read by read_some().
    std::shared_ptr<http::ClientStream> open(const std::string& path, http::Headers headers = {});

    /// Reads until `bytes` more have come, or the end.
    std::string read_some(const std::shared_ptr<http::ClientStream>& stream, std::size_t bytes);

    /// The same without the calls in between, for coroutines.
    [[nodiscard]] http::ClientRequest make_request(const std::string& method,
                                                   const std::string& path,
                                                   http::Headers headers,
                                                   std::string body) const;

    /// So many clients at once; how many got exactly `wanted`.
    int pull_many(const std::string& path, const std::string& wanted, int clients);

    [[nodiscard]] std::filesystem::path cache_folder() const { return folder.path() / "cache"; }

    /// Files under construction.
    [[nodiscard]] std::size_t count_unfinished() const;

    asio::io_context context{1};
    asio::thread_pool pool{2};
    TemporaryFolder folder;
    ScriptedUpstream upstream;
    http::Client client;
    std::unique_ptr<proxy::Proxy> proxy;
    std::string address;
    proxy::ProxyOptions options; ///< what start_proxy() leaves alone
};

} // namespace methos::test
