// methos-master: reads its flags, makes its secrets, and wires store, shell, bus and HTTP together.
#include "core/base/units.hpp"
#include "core/bus/bus.hpp"
#include "core/flags/daemon_flags.hpp"
#include "core/http/listening.hpp"
#include "core/http/server.hpp"
#include "core/observe/log.hpp"
#include "core/observe/metrics.hpp"
#include "core/runtime/program.hpp"
#include "master/api/api.hpp"
#include "master/shell/bus_port.hpp"
#include "master/shell/log_streams.hpp"
#include "master/shell/secrets.hpp"
#include "master/shell/shell.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <malloc.h>
#include <unistd.h>

#include <iostream>

#ifndef METHOS_BUILD
#define METHOS_BUILD "unknown"
#endif

namespace {

using namespace methos;

struct Flags {
    std::vector<std::string> http{"127.0.0.1:8080"};
    std::string bus = "tcp://127.0.0.1:5051";
    std::string advertise_bus;
    std::string advertise_http;
    std::string data_dir = "/var/lib/methos/master";
    std::string store = "sqlite";
    std::string auth = "token";
    std::string tls_cert;
    std::string tls_key;
    std::string default_image;
    std::string executor_grace = "30s";
    std::string docker_grace = "60s";
    std::string mass_loss_hold = "30s";
    std::string host_removal_rate;
    std::string policy;
    std::string log_level = "info";
};

void declare(DaemonFlags& daemon, Flags& flags) {
    daemon.add("--http", flags.http, "HOST:PORT of the HTTP API; repeatable");
    daemon.add("--bus", flags.bus, "tcp://HOST:PORT where executors connect");
    daemon.add("--advertise-bus",
               flags.advertise_bus,
               "tcp://HOST:PORT that the join token says; default: --bus");
    daemon.add("--advertise-http", flags.advertise_http, "URL at which clients reach this master");
    daemon.add("--data-dir", flags.data_dir, "where state, keys and tokens live");
    daemon.add("--store", flags.store, "sqlite");
    daemon.add("--auth", flags.auth, "token, or none (HTTP only; the bus stays encrypted)");
    daemon.add("--tls-cert", flags.tls_cert, "PEM file; with --tls-key the API speaks HTTPS");
    daemon.add("--tls-key", flags.tls_key, "PEM file");
    daemon.add("--default-image",
               flags.default_image,
               "image of definitions that have a cmd and no image");
    daemon.add("--executor-grace",
               flags.executor_grace,
               "how long a host's instances are kept without its executor");
    daemon.add("--docker-grace",
               flags.docker_grace,
               "how long a host's instances are kept without its Docker");
    daemon.add("--mass-loss-hold",
               flags.mass_loss_hold,
               "how long replacements wait when most hosts vanish; 0: not");
    daemon.add("--host-removal-rate",
               flags.host_removal_rate,
               "N/DURATION: so many hosts may be called lost in that time; default: any");
    daemon.add("--policy", flags.policy, "operator's policy (TOML)");
    daemon.add("--log-level", flags.log_level, "debug, info, warning, error");
}

template <class T>
T checked(const char* flag, Result<T> value) {
    if (!value) {
        throw Failure(Code::InvalidInput, std::string(flag) + ": " + value.error().message);
    }
    return std::move(*value);
}

/// Contracts that no code keeps yet are refused, not ignored.
void refuse_unavailable(const Flags& flags) {
    if (flags.store != "sqlite") {
        const bool etcd = flags.store.rfind("etcd://", 0) == 0;
        throw Failure(Code::InvalidInput,
                      etcd ? "--store etcd is not available in this version; use --store sqlite"
                           : "--store must be sqlite");
    }
    if (!flags.policy.empty()) {
        throw Failure(Code::InvalidInput,
                      "--policy is not available in this version of methos-master");
    }
    if (flags.auth != "token" && flags.auth != "none") {
        throw Failure(Code::InvalidInput, "--auth must be token or none");
    }
    if (flags.tls_cert.empty() != flags.tls_key.empty()) {
        throw Failure(Code::InvalidInput,
                      "--tls-cert and --tls-key belong together; give both or none");
    }
}

/// "2/10m".
Result<cluster::RemovalRate> parse_removal_rate(const std::string& text) {
    const auto slash = text.find('/');
    const auto hosts = parse_int(text.substr(0, slash), 1, 1'000'000);
    const auto per =
        parse_duration(slash == std::string::npos ? std::string() : text.substr(slash + 1));
    if (!hosts || !per || *per <= Duration::zero()) {
        return Error(Code::InvalidInput,
                     "'" + text + "' is no rate; write N/DURATION, as in 2/10m");
    }
    return cluster::RemovalRate{static_cast<std::size_t>(*hosts), *per};
}

heart::Options heart_options(const Flags& flags) {
    heart::Options options;
    options.default_image = flags.default_image;
    options.policy.executor_grace =
        checked("--executor-grace", parse_duration(flags.executor_grace));
    options.policy.docker_grace = checked("--docker-grace", parse_duration(flags.docker_grace));
    options.policy.mass_loss_hold =
        checked("--mass-loss-hold", parse_duration(flags.mass_loss_hold));
    if (!flags.host_removal_rate.empty()) {
        options.policy.removal_rate =
            checked("--host-removal-rate", parse_removal_rate(flags.host_removal_rate));
    }
    return options;
}

std::string bus_host(const std::string& flag, const std::string& address) {
    if (address.rfind("tcp://", 0) != 0) {
        throw Failure(Code::InvalidInput,
                      flag + ": '" + address + "' must look like tcp://HOST:PORT");
    }
    return checked(flag.c_str(), parse_host_port(address.substr(6))).host;
}

bool is_loopback(const std::string& host) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    return host == "localhost" || (!not_an_address && address.is_loopback());
}

/// Whether this machine has the address; a name, an interface or * is left to libzmq.
void check_is_ours(const asio::any_io_executor& executor,
                   const std::string& flag,
                   const std::string& host) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) {
        return;
    }
    const asio::ip::tcp::endpoint any_port(address, 0);
    asio::ip::tcp::socket probe(executor);
    probe.open(any_port.protocol(), error);
    if (!error) {
        probe.bind(any_port, error);
    }
    if (error) {
        throw Failure(Code::InvalidInput,
                      flag + ": cannot listen on " + host + ": " + error.message() +
                          "; choose an address of this machine");
    }
}

/// What can be wrong with addresses, before anything is written or bound.
void check_addresses(const asio::any_io_executor& executor, const Flags& flags) {
    check_is_ours(executor, "--bus", bus_host("--bus", flags.bus));
    if (!flags.advertise_bus.empty()) {
        if (const auto legal = bus::check_bus_address(flags.advertise_bus); !legal) {
            throw Failure(Code::InvalidInput, "--advertise-bus: " + legal.error().message);
        }
    }
    const auto& url = flags.advertise_http;
    if (!url.empty() && url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0) {
        throw Failure(Code::InvalidInput,
                      "--advertise-http: '" + url + "' must look like http://HOST:PORT");
    }
    for (const auto& address : flags.http) {
        const auto host = checked("--http", parse_host_port(address)).host;
        http::check_listening(executor, address);
        if (flags.auth == "none" && !is_loopback(host)) {
            log::warning("no token is asked for: whoever reaches this address can run containers "
                         "as root on every host",
                         {{"address", address}, {"auth", flags.auth}});
        }
    }
}

/// What the join token says: the flag, or where the bus is really bound.
std::string advertised_bus(const Flags& flags, const std::string& bound) {
    if (!flags.advertise_bus.empty()) {
        return flags.advertise_bus;
    }
    const auto host = bus_host("--bus", flags.bus);
    if (host == "0.0.0.0" || host == "::" || host == "*") {
        log::warning("the bus listens on all addresses: say with --advertise-bus which one "
                     "executors shall use");
    }
    // As it was written, with the real port when the flag left it open.
    return "tcp://" +
           format_host_port({host, checked("--bus", parse_host_port(bound.substr(6))).port});
}

/// How clients reach us: the flag, or the first address that is listened on.
std::string advertised_http(const Flags& flags) {
    if (!flags.advertise_http.empty()) {
        return flags.advertise_http;
    }
    return (flags.tls_cert.empty() ? "http://" : "https://") + flags.http.front();
}

http::ServerOptions tls_options(const Flags& flags) {
    http::ServerOptions options;
    options.tls_certificate_file = flags.tls_cert;
    options.tls_key_file = flags.tls_key;
    return options;
}

/// A certificate that is not good leaves the old one in use.
void reload_tls(http::Server& server, const Flags& flags) {
    if (flags.tls_cert.empty()) {
        log::info("SIGHUP: without --tls-cert there is nothing to reload");
        return;
    }
    try {
        server.reload_tls();
        log::info("the TLS certificate was read again", {{"file", flags.tls_cert}});
    } catch (const Failure& failure) {
        log::failure("the TLS certificate is kept as it was", failure.error());
    }
}

void write_join_token(const Flags& flags, const std::string& token) {
    try {
        master::write_join_token(flags.data_dir, token);
    } catch (const Failure& failure) {
        // The first start keeps its promise of a join.token or fails; later a stale one is better
        // than no master.
        const auto path = flags.data_dir + "/join.token";
        if (failure.code() != Code::ResourceExhausted || ::access(path.c_str(), F_OK) != 0) {
            throw;
        }
        log::failure("join.token could not be written", failure.error());
    }
}

/// The one line that joins a host. The token itself only to a person who has just made a cluster:
/// elsewhere the output is a log that others may read.
void say_how_to_join(const Flags& flags, const std::string& token, bool is_first_start) {
    std::cout << "To join a host:\n  methos-executor --join @" << flags.data_dir << "/join.token"
              << "        (on another machine: a copy of that file)\n";
    if (is_first_start && ::isatty(STDOUT_FILENO) == 1) {
        std::cout << "  methos-executor --join " << token << "\n";
    }
    std::cout << std::flush;
}

/// The keys that were found, or new ones: the state is durable by now, so a crash here leaves none
/// behind that belong to no state.
master::ClusterSecrets cluster_secrets(const Flags& flags,
                                       const master::Shell& shell,
                                       std::optional<master::ClusterSecrets> found) {
    if (found) {
        return std::move(*found);
    }
    if (!shell.heart().cluster().hosts().empty()) {
        log::warning("bus.key was missing and is made anew: every host has to join again with the "
                     "new join token",
                     {{"data_dir", flags.data_dir}});
    }
    return master::make_cluster_secrets(flags.data_dir);
}

awaitable<> serve(Program& program, Flags flags) {
    const auto options = heart_options(flags);
    const auto server_options = tls_options(flags);
    http::check_tls(server_options);
    check_addresses(program.executor(), flags);
    master::make_data_dir(flags.data_dir);
    auto found_secrets = master::find_cluster_secrets(flags.data_dir);
    if (found_secrets) {
        master::require_state_of_keys(flags.data_dir);
    }
    const auto admin_token = master::load_admin_token(flags.data_dir);
    std::function<std::unique_ptr<state::Store>()> open_store = [&flags] {
        return state::open_sqlite_store(flags.data_dir);
    };
    const auto store = co_await run_blocking(program.pool(), std::move(open_store));

    const SystemClock clock;
    Metrics metrics;
    master::Shell shell(program.executor(), program.pool(), clock, *store, options, metrics);
    std::function<void()> on_new_cluster = [&flags, has_keys = found_secrets.has_value()] {
        if (has_keys) {
            master::refuse_state_without_cluster(flags.data_dir);
        }
    };
    co_await shell.start(std::move(on_new_cluster));
    const bool is_first_start = !found_secrets;
    const auto secrets = cluster_secrets(flags, shell, std::move(found_secrets));

    master::LogStreams streams;
    master::BusPort::Options bus_options;
    bus_options.bind = flags.bus;
    bus_options.keys = secrets.keys;
    bus_options.join_secret = secrets.join_secret;
    bus_options.build = METHOS_BUILD;
    master::BusPort bus_port(program.executor(), shell, streams, bus_options, metrics);

    const auto http_address = advertised_http(flags);
    const auto master_info = master::make_master_info(shell.heart(), http_address);
    master::SchedulerStreams schedulers(program.executor(), shell, master_info);
    master::OperatorStreams operators(program.executor(), shell);
    master::ApiContext context{program.executor(),
                               shell,
                               streams,
                               metrics,
                               METHOS_BUILD,
                               http_address,
                               program.pool(),
                               schedulers,
                               operators,
                               master_info,
                               clock.now().wall};
    const bool open = flags.auth == "none";
    http::Server server(program.executor(),
                        master::make_router(context),
                        master::make_authenticator(open ? std::string() : admin_token),
                        master::make_error_renderer(),
                        server_options);
    auto requests = metrics.counter("methos_master_http_requests_total", "HTTP requests answered");
    auto seconds = metrics.histogram("methos_master_http_seconds", "How long HTTP answers took");
    server.on_access([requests, seconds](const http::AccessRecord& record) {
        requests.increment();
        seconds.observe(std::chrono::duration<double>(record.took).count());
        log::debug("http",
                   {{"method", record.method},
                    {"target", record.target},
                    {"status", record.status},
                    {"request", record.request_id}});
    });

    program.on_hangup([&server, &flags] { reload_tls(server, flags); });

    bus::JoinToken token;
    token.addresses.push_back(advertised_bus(flags, bus_port.address()));
    token.server_key = secrets.keys.public_key;
    token.secret = secrets.join_secret;
    const auto token_text = bus::format_join_token(token);
    write_join_token(flags, token_text);
    say_how_to_join(flags, token_text, is_first_start);
    for (const auto& address : flags.http) {
        const auto bound = server.listen(address);
        log::info("the API listens", {{"address", bound}, {"auth", flags.auth}});
    }
    log::info("the bus listens",
              {{"address", bus_port.address()},
               {"epoch", shell.heart().cluster().epoch()},
               {"cluster", shell.heart().cluster().id()}});

    TaskGroup tasks(program.executor(), [&program](const std::string& child, const Error& error) {
        log::failure(child + " failed; the master stops", error);
        program.request_stop();
    });
    tasks.spawn("the commit loop", shell.run());
    co_await program.stop_requested().wait();
    log::info("stopping");
    co_await schedulers.close(std::chrono::seconds(1));
    co_await operators.close(std::chrono::seconds(1));
    co_await server.stop(std::chrono::seconds(3));
    bus_port.close();
    shell.stop();
    co_await tasks.join();
}

} // namespace

int main(int argc, char** argv) {
    ::mallopt(M_ARENA_MAX, 2); // one loop thread, few others: more arenas only cost memory
    Flags flags;
    DaemonFlags daemon(
        "methos-master", "METHOS_MASTER_", "Keeps services running on a fleet of Docker hosts.");
    declare(daemon, flags);
    if (const auto code = daemon.parse(argc, argv)) {
        return *code;
    }
    try {
        const auto level = log::set_level(flags.log_level);
        if (!level) {
            throw Failure(Code::InvalidInput, "--log-level: " + level.error().message);
        }
        refuse_unavailable(flags);
        Program program;
        return program.run(serve(program, flags));
    } catch (const std::exception&) {
        const auto error = error_of_current_exception();
        std::cerr << "error: " << error.to_string() << "\n";
        return traits_of(error.code).exit_code;
    }
}
