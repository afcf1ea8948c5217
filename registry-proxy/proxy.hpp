// The whole proxy as one object: builds its parts in order, serves, and ends in order. main.cpp
// wraps a process around it; component tests run it as it is.
#pragma once

#include "core/runtime/async.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace methos::proxy {

struct ProxyOptions {
    std::string http = "127.0.0.1:5000";
    std::filesystem::path cache_folder = "/var/lib/methos/proxy";
    std::uint64_t cache_bytes_max = 20ULL << 30U;
    std::vector<std::string> upstreams;       ///< NAME=URL
    std::vector<std::string> allow_upstreams; ///< GLOB
    std::string credentials_file;
    std::string push_auth_file;
    Duration tag_ttl = std::chrono::seconds(60);
    /// How long a client waits for an upstream to answer for a manifest or a listing.
    Duration manifest_limit = std::chrono::seconds(30);
    std::string tls_certificate_file;
    std::string tls_key_file;
};

class Proxy {
  public:
    /// Reads the files and the cache. Throws Failure with a sentence for the operator: InvalidInput
    /// for flags and files, others for a folder that cannot be used. Asks no upstream.
    Proxy(const asio::any_io_executor& executor, asio::thread_pool& pool, ProxyOptions options);
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    /// stop() must have been awaited once start() was called.
    ~Proxy();

    /// Listens; returns the address with the real port. Throws Failure(Conflict) when it is taken.
    std::string start();

    /// Reads the credentials and the push users again; a broken file keeps what there was.
    void reload();

    /// Lets running answers end until `limit`, then cuts them, and ends the fills.
    [[nodiscard]] awaitable<> stop(Duration limit);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace methos::proxy
