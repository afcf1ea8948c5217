#include "registry-proxy/proxy.hpp"

#include "core/observe/log.hpp"
#include "registry-proxy/api/registry_api.hpp"

#include <sys/file.h>

#include <fcntl.h>

namespace methos::proxy {

namespace {

constexpr std::size_t auth_file_bytes_max = 4 * 1024 * 1024;
constexpr auto tidy_interval = std::chrono::minutes(1);
/// Upstream transfers kept open for the next request.
constexpr std::size_t upstream_connections_max = 32;

std::string read_text(const std::string& file, const char* flag) {
    const auto text = read_file(file, auth_file_bytes_max);
    if (!text) {
        throw Failure(Code::InvalidInput, std::string(flag) + " " + file + ": no such file");
    }
    return *text;
}

Credentials load_credentials(const std::string& file) {
    if (file.empty()) {
        return {};
    }
    auto credentials = parse_credentials(read_text(file, "--credentials"));
    if (!credentials) {
        auto error = credentials.error();
        throw Failure(std::move(error).with_context("in --credentials " + file));
    }
    return *credentials;
}

PushGuard load_push_guard(const std::string& file) {
    if (file.empty()) {
        return {};
    }
    auto guard = PushGuard::parse(read_text(file, "--push-auth"));
    if (!guard) {
        auto error = guard.error();
        throw Failure(std::move(error).with_context("in --push-auth " + file));
    }
    return *guard;
}

/// A broken file keeps the old of its kind, and none of the others.
template <class Read>
void reload_one(const char* what, const Read& read) {
    try {
        read();
        log::info("read again", {{"what", what}});
    } catch (const Failure& failure) {
        log::failure("not read again, the old is kept", failure.error(), {{"what", what}});
    }
}

UpstreamTable make_upstreams(const ProxyOptions& options) {
    UpstreamTable table;
    for (const auto& upstream : options.upstreams) {
        table.add(upstream).value();
    }
    for (const auto& glob : options.allow_upstreams) {
        table.allow(glob).value();
    }
    return table;
}

/// One proxy per folder: two would evict each other's files.
Descriptor lock_folder(const std::filesystem::path& folder) {
    std::error_code error; // what is wrong shows in open()
    std::filesystem::create_directories(folder, error);
    const auto path = folder / "lock";
    Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!lock) {
        throw Failure(Code::Internal,
                      "cannot write to the cache folder " + folder.string() +
                          "; give another with --cache-dir");
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        throw Failure(Code::Conflict,
                      "the cache folder " + folder.string() +
                          " is used by another methos-registry-proxy; end it or give another "
                          "--cache-dir");
    }
    return lock;
}

http::ServerOptions server_options(const ProxyOptions& options) {
    http::ServerOptions server;
    server.tls_certificate_file = options.tls_certificate_file;
    server.tls_key_file = options.tls_key_file;
    server.server_name = "methos-registry-proxy";
    server.always.set("Docker-Distribution-Api-Version", "registry/2.0");
    return server;
}

/// What is wrong with the files of TLS is said before a folder is made.
ProxyOptions checked(ProxyOptions options) {
    http::check_tls(server_options(options));
    return options;
}

http::ClientOptions client_options() {
    http::ClientOptions client;
    client.connections_max = upstream_connections_max;
    client.user_agent = "methos-registry-proxy";
    return client;
}

/// Pulls are open to everybody; pushes have a guard of their own.
Result<http::Principal> anybody(const http::Request& /*request*/) {
    return http::Principal{"anonymous", false};
}

} // namespace

/// Destroyed from the bottom up: the server before what its handlers use, everything before the
/// group's children could miss it (stop() has joined them).
struct Proxy::Parts {
    Parts(const asio::any_io_executor& executor, asio::thread_pool& pool, ProxyOptions options_)
        : options(checked(std::move(options_))), upstreams(make_upstreams(options)),
          push_guard(load_push_guard(options.push_auth_file)),
          lock(lock_folder(options.cache_folder)), counters(metrics),
          group(executor,
                [](const std::string& child, const Error& error) {
                    log::failure("background work ended: " + child, error);
                }),
          store(options.cache_folder, options.cache_bytes_max, pool),
          repositories(options.cache_folder / "names"), http_client(executor, client_options()),
          client(std::make_shared<UpstreamClient>(http_client, group, clock, counters)),
          mirror(client,
                 store,
                 repositories,
                 group,
                 clock,
                 MirrorLimits{options.tag_ttl, options.manifest_limit},
                 counters),
          fills(client, store, group), hosting(store, repositories, executor, pool, clock),
          api(RegistryApi::Parts{
              upstreams, store, mirror, fills, hosting, push_guard, metrics, counters}),
          server(executor,
                 make_router(),
                 anybody,
                 RegistryApi::render_error,
                 server_options(options)) {
        client->set_credentials(load_credentials(options.credentials_file));
        store.on_evicted([this](const Digest& digest) {
            counters.evictions.increment();
            repositories.forget_manifest(digest);
        });
        store.make_room(0); // the capacity may be smaller than at the last start
        server.on_access([this](const http::AccessRecord& record) { note_access(record); });
    }

    http::Router make_router() {
        http::Router router;
        api.add_routes(router);
        return router;
    }

    void note_access(const http::AccessRecord& record) const {
        counters.sent_bytes.increment(static_cast<double>(record.bytes_sent));
        log::debug(
            "answered",
            {{"method", record.method},
             {"target", record.target},
             {"status", record.status},
             {"bytes", record.bytes_sent},
             {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(record.took).count()},
             {"from", record.remote_address},
             {"request", record.request_id}});
    }

    awaitable<> tidy_now_and_then() {
        for (;;) {
            co_await sleep_for(tidy_interval);
            hosting.tidy();
        }
    }

    ProxyOptions options;
    UpstreamTable upstreams;
    PushGuard push_guard;
    Descriptor lock;
    SystemClock clock;
    Metrics metrics;
    ProxyMetrics counters;
    TaskGroup group;
    ContentStore store;
    Repositories repositories;
    http::Client http_client;
    std::shared_ptr<UpstreamClient> client;
    Mirror mirror;
    BlobFills fills;
    Hosting hosting;
    RegistryApi api;
    http::Server server;
};

Proxy::Proxy(const asio::any_io_executor& executor, asio::thread_pool& pool, ProxyOptions options)
    : parts_(std::make_unique<Parts>(executor, pool, std::move(options))) {}

Proxy::~Proxy() = default;

std::string Proxy::start() {
    auto address = parts_->server.listen(parts_->options.http);
    auto tidying = parts_->tidy_now_and_then();
    parts_->group.spawn("tidy", std::move(tidying));
    log::info("serving",
              {{"http", address},
               {"cache", parts_->options.cache_folder.string()},
               {"cached_bytes", parts_->store.index().used_bytes()},
               {"hosted_images", parts_->hosting.names().size()}});
    return address;
}

void Proxy::reload() {
    const auto& options = parts_->options;
    reload_one("upstream credentials", [&] {
        parts_->client->set_credentials(load_credentials(options.credentials_file));
    });
    reload_one("push users", [&] { parts_->push_guard = load_push_guard(options.push_auth_file); });
    reload_one("TLS certificate", [&] { parts_->server.reload_tls(); });
}

awaitable<> Proxy::stop(Duration limit) {
    co_await parts_->server.stop(limit);
    parts_->group.stop();
    co_await parts_->group.join();
}

} // namespace methos::proxy
