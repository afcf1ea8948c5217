#include "executor/options.hpp"

#include "core/flags/daemon_flags.hpp"
#include "executor/docker/engine.hpp"
#include "executor/images/registry_credentials.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace methos::executor {

namespace {

constexpr int bad_usage = 2; // DESIGN section 8
constexpr std::int64_t fetch_bytes_limit = std::int64_t{1} << 40;
constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr Duration pull_limit_min = std::chrono::seconds(1);
constexpr Duration pull_limit_max = std::chrono::hours(24 * 7);

struct Texts {
    std::string join;
    std::string docker = "unix:///var/run/docker.sock";
    std::string registry_proxy;
    std::string pull_fallback = "on";
    std::string keep_ended = "on";
    std::string cpu_limit = "off";
    std::string pull_limit = "60m";
    std::string disk_watermark;
    std::string image_delay = "168h";
    std::string policy;
    std::string attributes;
    std::string fetch_max = "1GiB";
};

void add_flags(DaemonFlags& daemon, ExecutorOptions& options, Texts& texts) {
    daemon.add("--join", texts.join, "join token, or @FILE that holds it");
    daemon.add("--docker", texts.docker, "the Docker Engine's socket");
    daemon.add(
        "--registry-proxy", texts.registry_proxy, "http://HOST:PORT of methos-registry-proxy");
    daemon.add("--pull-fallback",
               texts.pull_fallback,
               "on or off: straight to the upstream when the proxy cannot");
    daemon.add("--keep-ended",
               texts.keep_ended,
               "on or off: keep an app's newest ended container for ten minutes, for its logs");
    daemon.add("--cpu-limit",
               texts.cpu_limit,
               "off or hard: whether a task gets no more than its cpus where others are idle");
    daemon.add("--docker-config",
               options.docker_config,
               "Docker's config.json with credentials for pulls that do not go through the proxy");
    daemon.add("--fetch-max", texts.fetch_max, "size of one file that a task fetches, at most");
    daemon.add("--fetch-root",
               options.fetch_roots,
               "file or folder of this host that tasks may fetch with file:// (none)");
    daemon.add("--pull-limit",
               texts.pull_limit,
               "the longest that an image may take to arrive, all tries together");
    daemon.add("--disk-watermark",
               texts.disk_watermark,
               "free space of Docker's disk below which no task is taken: 5%, 2GiB or off (a "
               "twentieth, at least 1GiB, at most 10GiB)");
    daemon.add("--image-delay",
               texts.image_delay,
               "how long an image that was pulled for tasks is kept when nobody uses it, or off");
    daemon.add("--image-pin",
               options.images.pins,
               "GLOB over image names; what it matches is kept for ever (repeatable)");
    daemon.add("--policy", texts.policy, "TOML file (not implemented yet)");
    daemon.add(
        "--resources",
        options.resources,
        "\"cpus:4;mem:8192;disk:10000;gpus:0;ports:[31000-32000]\"; what is left out is detected");
    daemon.add("--attributes", texts.attributes, "\"rack:a;zone:b\"");
    daemon.add("--role", options.role, "role this host is reserved for");
    daemon.add("--hostname", options.hostname, "name shown to people");
    daemon.add("--advertise-ip",
               options.advertise_ip,
               "address at which instances are reached (the local one of the bus connection)");
    daemon.add("--publish-ip", options.publish_ip, "address that published ports listen on (all)");
    daemon.add("--data-dir", options.data_dir, "where this host's identity is kept");
    daemon.add("--log-level", options.log_level, "debug, info, warning, error");
}

Result<std::string> read_token(const std::string& join) {
    if (join.empty()) {
        return Error(Code::InvalidInput,
                     "--join is missing: give it the token that the master printed, or @FILE "
                     "(join.token in the master's data directory)");
    }
    if (join.front() != '@') {
        return join;
    }
    const auto path = join.substr(1);
    std::ifstream file(path);
    std::string text(token_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.pop_back();
    }
    if (text.empty()) {
        return Error(Code::InvalidInput,
                     "--join: " + path +
                         " cannot be read or is empty; it is join.token of the "
                         "master's data directory");
    }
    return text;
}

Result<HostPort> parse_proxy(std::string text) {
    constexpr std::string_view scheme = "http://";
    if (!text.starts_with(scheme)) {
        return Error(Code::InvalidInput, "must be http://HOST:PORT");
    }
    text.erase(0, scheme.size());
    while (!text.empty() && text.back() == '/') {
        text.pop_back();
    }
    auto address = parse_host_port(text);
    if (!address || address->port == 0) {
        return Error(Code::InvalidInput, "must be http://HOST:PORT");
    }
    return address;
}

template <class T, class Into>
bool take(const char* flag, const Result<T>& value, Into& into, std::string& wrong) {
    if (!value) {
        wrong = std::string(flag) + ": " + value.error().message;
        return false;
    }
    into = *value;
    return true;
}

bool is_ip(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

std::string own_hostname() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) {
        return "unnamed";
    }
    return name.data();
}

/// Of how images come and go: what is wrong, in a sentence; empty when nothing is.
std::string check_images(const Texts& texts, ExecutorOptions& options) {
    std::string wrong;
    if (!texts.registry_proxy.empty()) {
        HostPort proxy;
        if (!take("--registry-proxy", parse_proxy(texts.registry_proxy), proxy, wrong)) {
            return wrong;
        }
        options.registry_proxy = proxy;
    }
    if (texts.pull_fallback != "on" && texts.pull_fallback != "off") {
        return "--pull-fallback: must be on or off";
    }
    options.pull_fallback = texts.pull_fallback == "on";
    if (texts.keep_ended != "on" && texts.keep_ended != "off") {
        return "--keep-ended: must be on or off";
    }
    options.keep_ended = texts.keep_ended == "on";
    if (texts.cpu_limit != "off" && texts.cpu_limit != "hard") {
        return "--cpu-limit: must be off or hard";
    }
    options.limit_cpus = texts.cpu_limit == "hard";
    if (!take("--pull-limit", parse_duration(texts.pull_limit), options.pull_limit, wrong)) {
        return wrong;
    }
    if (options.pull_limit < pull_limit_min || options.pull_limit > pull_limit_max) {
        return "--pull-limit: must be 1s to 7 days (168h)";
    }
    if (!take("--disk-watermark",
              parse_disk_watermark(texts.disk_watermark),
              options.disk_watermark,
              wrong)) {
        return wrong;
    }
    if (texts.image_delay == "off") {
        options.images.delay.reset();
    } else if (!take("--image-delay",
                     parse_duration(texts.image_delay),
                     options.images.delay,
                     wrong)) {
        return wrong + ", or off";
    }
    return "";
}

/// What is wrong, in a sentence; empty when nothing is.
std::string check_fetch(const Texts& texts, ExecutorOptions& options) {
    std::string wrong;
    std::int64_t bytes = 0;
    if (!take("--fetch-max", parse_bytes(texts.fetch_max), bytes, wrong)) {
        return wrong;
    }
    if (bytes < 1 || bytes > fetch_bytes_limit) {
        return "--fetch-max: must be from 1 byte to 1 TiB";
    }
    options.fetch_bytes_max = static_cast<std::uint64_t>(bytes);
    for (auto& root : options.fetch_roots) {
        if (!root.starts_with('/')) {
            return "--fetch-root: '" + root + "' is not an absolute path";
        }
        while (root.size() > 1 && root.ends_with('/')) {
            root.pop_back();
        }
    }
    if (options.docker_config.empty()) {
        return "";
    }
    RegistryCredentials credentials;
    if (!take("--docker-config", read_docker_config(options.docker_config), credentials, wrong)) {
        return wrong;
    }
    for (const auto& host : credentials.with_helper()) {
        std::fprintf(stderr,
                     "methos-executor: --docker-config: a credential helper has the credentials of "
                     "%s, and no helper is run: put them under \"auths\"\n",
                     host == "*" ? "all registries" : host.c_str());
    }
    return "";
}

/// What is wrong, in a sentence; empty when nothing is.
std::string check(const Texts& texts, ExecutorOptions& options) {
    if (!texts.policy.empty()) {
        return "--policy is not implemented yet; the default policy applies without it "
               "(docs/executor.md)";
    }
    const auto join = read_token(texts.join);
    if (!join) {
        return join.error().message;
    }
    std::string wrong;
    if (!take("--join", bus::parse_join_token(*join), options.token, wrong) ||
        !take(
            "--docker", docker::parse_socket_address(texts.docker), options.docker_socket, wrong) ||
        !take("--attributes", parse_attributes(texts.attributes), options.attributes, wrong)) {
        return wrong;
    }
    if (options.token.addresses.empty()) {
        return "--join: the token names no master";
    }
    wrong = check_images(texts, options);
    if (!wrong.empty()) {
        return wrong;
    }
    HostResources ignored;
    if (!options.resources.empty() &&
        !take("--resources",
              parse_host_resources(options.resources, HostResources()),
              ignored,
              wrong)) {
        return wrong;
    }
    if (auto bad = check_fetch(texts, options); !bad.empty()) {
        return bad;
    }
    if (!options.advertise_ip.empty() && !is_ip(options.advertise_ip)) {
        return "--advertise-ip: '" + options.advertise_ip + "' is not an IP address";
    }
    if (!options.publish_ip.empty() && !is_ip(options.publish_ip)) {
        return "--publish-ip: '" + options.publish_ip + "' is not an IP address";
    }
    if (options.role.empty()) {
        return "--role: must not be empty; `*` is everybody's";
    }
    if (options.hostname.empty()) {
        options.hostname = own_hostname();
    }
    return "";
}

} // namespace

Result<std::map<std::string, std::string>> parse_attributes(const std::string& text) {
    std::map<std::string, std::string> attributes;
    std::istringstream list(text);
    std::string entry;
    while (std::getline(list, entry, ';')) {
        const auto colon = entry.find(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == entry.size()) {
            return Error(Code::InvalidInput, "'" + entry + "' is not KEY:VALUE");
        }
        attributes[entry.substr(0, colon)] = entry.substr(colon + 1);
    }
    return attributes;
}

std::optional<ExecutorOptions>
read_executor_options(int argc, const char* const* argv, int& exit_code) {
    ExecutorOptions options;
    Texts texts;
    DaemonFlags daemon(
        "methos-executor", "METHOS_EXECUTOR_", "Runs this host's tasks as Docker containers.");
    add_flags(daemon, options, texts);
    if (const auto code = daemon.parse(argc, argv)) {
        exit_code = *code;
        return std::nullopt;
    }
    const auto wrong = check(texts, options);
    if (!wrong.empty()) {
        std::fprintf(stderr, "methos-executor: %s\n", wrong.c_str());
        exit_code = bad_usage;
        return std::nullopt;
    }
    return options;
}

} // namespace methos::executor
