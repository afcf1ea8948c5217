#include "cli/commands/dev.hpp"

#include "cli/client/free_port.hpp"
#include "cli/client/master.hpp"
#include "cli/commands/dev_cluster.hpp"
#include "cli/commands/session.hpp"
#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <sstream>
#include <system_error>
#include <unistd.h>

namespace methos::cli {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto start_limit = 60s;  ///< until the master answers /ping
constexpr auto host_patience = 5s; ///< until it is asked whether Docker is there
constexpr auto look_interval = 100ms;

struct Addresses {
    std::string http;
    std::string bus;
    std::string registry;
};

std::string checked(const std::string& given, const std::string& flag) {
    const auto address = parse_host_port(given);
    if (!address || address->port == 0) {
        throw Failure(Code::InvalidInput,
                      flag + " " + given + " is no HOST:PORT, like 127.0.0.1:8080");
    }
    return given;
}

Addresses choose_addresses(const DevOptions& options) {
    const FreePort http(8080);
    const FreePort bus(5051);
    const FreePort registry(5000);
    Addresses chosen;
    chosen.http = options.http.empty() ? http.address() : checked(options.http, "--http");
    chosen.bus = options.bus.empty() ? bus.address() : checked(options.bus, "--bus");
    chosen.registry =
        options.registry.empty() ? registry.address() : checked(options.registry, "--registry");
    return chosen;
}

/// What the executor would refuse only after the others have started.
void check_docker(const std::string& address) {
    constexpr std::string_view scheme = "unix://";
    const auto path = address.rfind(scheme, 0) == 0 ? address.substr(scheme.size()) : address;
    if (path.empty() || path.front() != '/') {
        throw Failure(Code::InvalidInput,
                      "--docker " + address +
                          " is no socket of this machine, like unix:///var/run/docker.sock");
    }
}

fs::path choose_data_dir(const Environment& environment, const std::string& given) {
    if (!given.empty()) {
        return fs::absolute(given);
    }
    const auto data_home = environment.get("XDG_DATA_HOME");
    if (!data_home.empty() && data_home.front() == '/') {
        return fs::path(data_home) / "methos/dev";
    }
    const auto home = environment.get("HOME");
    return home.empty() ? fs::absolute("methos-dev") : fs::path(home) / ".local/share/methos/dev";
}

bool is_program(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// `../<folder>/<name>` beside this program, else the first of that name on PATH.
std::string
find_program(const Environment& environment, const std::string& folder, const std::string& name) {
    std::error_code ignored;
    const auto here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    const auto beside = here.parent_path() / folder / name;
    if (is_program(beside)) {
        return beside;
    }
    std::istringstream folders(environment.get("PATH"));
    std::string one;
    while (std::getline(folders, one, ':')) {
        if (!one.empty() && is_program(fs::path(one) / name)) {
            return fs::path(one) / name;
        }
    }
    throw Failure(Code::InvalidInput,
                  name + " is neither at " + beside.string() +
                      " nor on PATH; build it with `meson compile -C build`");
}

void write_private_file(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    const auto draft = path.string() + ".new";
    {
        std::ofstream file(draft, std::ios::trunc);
        fs::permissions(draft, fs::perms::owner_read | fs::perms::owner_write);
        file << text << std::flush;
        if (!file) {
            throw Failure(Code::ResourceExhausted, "cannot write " + draft);
        }
    }
    fs::rename(draft, path);
}

std::string read_text(const fs::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The context "dev" in the user's file, for as long as this lives.
class DevContext {
  public:
    DevContext(fs::path file, const ContextEntry& entry) : file_(std::move(file)) {
        if (!file_.empty()) {
            write_private_file(file_, with_context_entry(read_text(file_), "dev", entry));
        }
    }

    DevContext(const DevContext&) = delete;
    DevContext& operator=(const DevContext&) = delete;

    ~DevContext() {
        if (file_.empty()) {
            return;
        }
        try {
            write_private_file(file_, without_context_entry(read_text(file_), "dev"));
        } catch (const std::exception&) {
            // A context that leads nowhere is replaced by the next start; the end goes on.
            return;
        }
    }

  private:
    fs::path file_;
};

bool answers_ping(const std::string& url) {
    Target target;
    target.url = url;
    try {
        Master master(target, Interrupts::Ignore, 1s);
        return master.send("GET", "/ping").status == 200;
    } catch (const Failure&) {
        return false; // not yet
    }
}

/// False when the cluster ended first, or the master did not come up in time.
bool wait_for_master(DevCluster& cluster, Terminal& terminal, const std::string& url) {
    const auto give_up = SystemClock().now().mono + start_limit;
    while (cluster.turn(look_interval)) {
        if (answers_ping(url)) {
            return true;
        }
        if (SystemClock().now().mono > give_up) {
            terminal.err << "the master does not answer " << url << "/ping after "
                         << format_duration(start_limit) << "\n";
            cluster.fail();
            return false;
        }
    }
    return false;
}

/// What the master says of its hosts; nothing while it does not say.
std::set<std::string> host_states(const ContextEntry& entry) {
    Target target;
    target.url = entry.url;
    std::istringstream(read_text(entry.token_file)) >> target.token;
    std::set<std::string> states;
    try {
        Master master(target, Interrupts::Ignore, 1s);
        const auto answer = master.call("GET", "/methos/v1/hosts", "list the hosts");
        const auto document = parse_answer(answer, "the hosts");
        for (const auto& host : document.value("hosts", nlohmann::ordered_json::array())) {
            states.insert(host.value("state", ""));
        }
    } catch (const Failure&) {
        return {}; // not yet
    } catch (const nlohmann::json::exception&) {
        return {}; // no master of ours; its own lines say what it is
    }
    return states;
}

/// Says that the cluster runs when something can run on it, and until then what is missing. False
/// when it is time to end.
bool wait_for_host(DevCluster& cluster,
                   Terminal& terminal,
                   const ContextEntry& entry,
                   const std::string& docker) {
    // An executor that never had a Docker does not even join.
    const auto patience_ends = SystemClock().now().mono + host_patience;
    bool told = false;
    while (cluster.turn(look_interval)) {
        const auto states = host_states(entry);
        if (states.contains("UP")) {
            return true;
        }
        const bool late = SystemClock().now().mono > patience_ends;
        if (!told && (late || states.contains("DOCKER_DOWN"))) {
            terminal.err << "Nothing can run yet: no host is UP. Does Docker at " << docker
                         << " answer? Start it, or name another with --docker; Ctrl-C ends this.\n";
            told = true;
        }
    }
    return false;
}

void run_until_asked(DevCluster& cluster,
                     const Environment& environment,
                     Terminal& terminal,
                     const DevOptions& options) {
    check_docker(options.docker);
    const auto data = choose_data_dir(environment, options.data_dir);
    const auto addresses = choose_addresses(options);
    const auto proxy = find_program(environment, "registry-proxy", "methos-registry-proxy");
    const auto master = find_program(environment, "master", "methos-master");
    const auto executor = find_program(environment, "executor", "methos-executor");
    const auto folder = [&data](const char* name) { return (data / name).string(); };
    for (const auto* name : {"proxy", "master", "executor"}) {
        fs::create_directories(data / name);
    }
    ContextEntry entry;
    entry.url = "http://" + addresses.http;
    entry.registry = "http://" + addresses.registry;
    entry.token_file = folder("master") + "/admin.token";

    cluster.start("proxy", {proxy, "--http", addresses.registry, "--cache-dir", folder("proxy")});
    cluster.start("master",
                  {master,
                   "--http",
                   addresses.http,
                   "--bus",
                   "tcp://" + addresses.bus,
                   "--data-dir",
                   folder("master")});
    if (!wait_for_master(cluster, terminal, entry.url)) {
        return;
    }
    cluster.start("executor",
                  {executor,
                   "--join",
                   "@" + folder("master") + "/join.token",
                   "--docker",
                   options.docker,
                   "--registry-proxy",
                   entry.registry,
                   "--data-dir",
                   folder("executor")});
    const DevContext context(environment.config_file(), entry);
    if (!wait_for_host(cluster, terminal, entry, options.docker)) {
        return;
    }
    terminal.err << "A cluster of this machine runs: API at " << entry.url << ", registry at "
                 << entry.registry << ", data in " << data.string()
                 << ".\nTry `methos --context dev hosts`; Ctrl-C ends it.\n";
    while (cluster.turn(1s)) {
    }
}

} // namespace

int run_dev(const Environment& environment, Terminal& terminal, const DevOptions& options) {
    DevCluster cluster(terminal);
    try {
        run_until_asked(cluster, environment, terminal, options);
    } catch (const fs::filesystem_error& failure) {
        cluster.stop();
        throw Failure(Code::InvalidInput, failure.what());
    } catch (...) {
        cluster.stop();
        throw;
    }
    cluster.stop();
    return cluster.code();
}

} // namespace methos::cli
