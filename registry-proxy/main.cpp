// methos-registry-proxy: a registry that pulls through and hosts. Reads flags, file and
// environment, and wraps the process around Proxy (proxy.hpp). Exit codes: 0 ended in order, 1
// could not start, 2 wrong flags or configuration.
#include "core/base/units.hpp"
#include "core/flags/daemon_flags.hpp"
#include "core/observe/log.hpp"
#include "core/runtime/program.hpp"
#include "registry-proxy/proxy.hpp"

#include <cstdio>

namespace {

using namespace methos;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
/// How long running downloads may go on after SIGTERM; below Program's own limit.
constexpr auto drain_limit = std::chrono::seconds(5);

struct Flags {
    proxy::ProxyOptions options;
    std::string cache_folder = options.cache_folder.string();
    std::string cache_size = "20GiB";
    std::string tag_ttl = "60s";
    std::string log_level = "info";
};

void declare_flags(DaemonFlags& daemon, Flags& flags) {
    auto& options = flags.options;
    daemon.add("--http", options.http, "HOST:PORT to serve on");
    daemon.add("--cache-dir,--data-dir", flags.cache_folder, "folder of cached and hosted images");
    daemon.add("--cache-size", flags.cache_size, "largest size of the cache, as 20GiB");
    daemon.add("--upstream", options.upstreams, "NAME=URL of a registry; repeatable");
    daemon.add("--allow-upstream",
               options.allow_upstreams,
               "host pattern of registries that may be asked without being named; repeatable");
    daemon.add("--credentials", options.credentials_file, "Docker config.json with `auths`");
    daemon.add("--tag-ttl", flags.tag_ttl, "how long a tag is believed without asking, as 60s");
    daemon.add("--push-auth",
               options.push_auth_file,
               "file of user:password lines; without it only this machine may push");
    daemon.add("--tls-cert", options.tls_certificate_file, "PEM certificate chain");
    daemon.add("--tls-key", options.tls_key_file, "PEM private key");
    daemon.add("--log-level", flags.log_level, "trace, debug, info, warning or error");
}

/// Turns texts into values. Throws Failure(InvalidInput).
void read_flags(Flags& flags) {
    log::set_level(flags.log_level).value();
    flags.options.cache_folder = flags.cache_folder;
    const auto bytes = parse_bytes(flags.cache_size);
    if (!bytes || *bytes <= 0) {
        throw Failure(Code::InvalidInput,
                      "--cache-size " + flags.cache_size + ": write a size, as 20GiB");
    }
    flags.options.cache_bytes_max = static_cast<std::uint64_t>(*bytes);
    const auto ttl = parse_duration(flags.tag_ttl);
    if (!ttl) {
        throw Failure(Code::InvalidInput,
                      "--tag-ttl " + flags.tag_ttl + ": " + ttl.error().message);
    }
    flags.options.tag_ttl = *ttl;
    if (!parse_host_port(flags.options.http)) {
        throw Failure(Code::InvalidInput,
                      "--http " + flags.options.http + ": write HOST:PORT, as 127.0.0.1:5000");
    }
    if (flags.options.tls_certificate_file.empty() != flags.options.tls_key_file.empty()) {
        throw Failure(Code::InvalidInput, "--tls-cert and --tls-key go together");
    }
}

awaitable<> serve(Program& program, proxy::Proxy& proxy) {
    co_await program.stop_requested().wait();
    log::info("ending");
    co_await proxy.stop(drain_limit);
}

int complain(const Failure& failure) {
    std::fprintf(stderr, "methos-registry-proxy: %s\n", failure.what());
    return failure.code() == Code::InvalidInput ? exit_usage : exit_failed;
}

int run(Flags& flags) {
    read_flags(flags);
    Program program;
    proxy::Proxy proxy(program.executor(), program.pool(), flags.options);
    proxy.start();
    program.on_hangup([&proxy] { proxy.reload(); });
    return program.run(serve(program, proxy));
}

} // namespace

int main(int argc, char** argv) {
    DaemonFlags daemon("methos-registry-proxy",
                       "METHOS_PROXY_",
                       "Caches images of other registries and hosts images of your own.");
    Flags flags;
    declare_flags(daemon, flags);
    if (const auto code = daemon.parse(argc, argv)) {
        return *code;
    }
    try {
        return run(flags);
    } catch (const Failure& failure) {
        return complain(failure);
    }
}
