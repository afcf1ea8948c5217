#include "executor/docker/decode.hpp"

#include "core/base/error.hpp"
#include "core/base/units.hpp"
#include "executor/docker/json_access.hpp"
#include "executor/docker/lines.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace methos::docker {

namespace {

using json_access::field;
using json_access::Json;
using json_access::text;

std::string required_id(const Json& object, const char* key, const std::string& what) {
    auto id = text(object, key);
    if (id.empty()) {
        throw Failure(Code::Protocol, "the Engine's " + what + " has no " + key);
    }
    return id;
}

int exit_code_of(std::int64_t number) {
    // Windows exit codes are unsigned 32-bit; they keep their bits.
    constexpr std::int64_t unsigned_max = std::numeric_limits<std::uint32_t>::max();
    if (number < std::numeric_limits<int>::min() || number > unsigned_max) {
        return -1;
    }
    return static_cast<int>(static_cast<std::uint32_t>(number & unsigned_max));
}

/// 137 of "Exited (137) 2 hours ago"; 0 of anything else.
int exit_code_in(const std::string& status) {
    constexpr std::string_view before = "Exited (";
    int code = 0;
    if (status.starts_with(before)) {
        const auto* first = status.data() + before.size();
        (void)std::from_chars(first, status.data() + status.size(), code);
    }
    return code;
}

std::string without_slash(std::string name) {
    if (!name.empty() && name.front() == '/') {
        name.erase(0, 1);
    }
    return name;
}

std::optional<std::uint16_t> port_number(const std::string& digits) {
    const auto port = parse_int(digits, 1, 65535);
    if (!port) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*port);
}

/// "80/tcp"; nothing for what is none.
std::optional<PublishedPort> container_port_of(const std::string& key) {
    const auto slash = key.find('/');
    const auto port = port_number(key.substr(0, slash));
    if (!port) {
        return std::nullopt;
    }
    PublishedPort result;
    result.container_port = *port;
    const auto transport = slash == std::string::npos ? "tcp" : key.substr(slash + 1);
    if (transport == "udp") {
        result.transport = Transport::Udp;
    } else if (transport == "sctp") {
        result.transport = Transport::Sctp;
    }
    return result;
}

std::vector<PublishedPort> ports_of(const Json& network_settings) {
    std::vector<PublishedPort> result;
    const auto& ports = field(network_settings, "Ports");
    if (!ports.is_object()) {
        return result;
    }
    for (const auto& entry : ports.items()) {
        const auto exposed = container_port_of(entry.key());
        if (!exposed || !entry.value().is_array()) {
            continue; // null: exposed, not published
        }
        for (const auto& binding : entry.value()) {
            const auto host_port = port_number(text(binding, "HostPort"));
            if (host_port) {
                auto published = *exposed;
                published.host_port = *host_port;
                published.host_ip = text(binding, "HostIp");
                result.push_back(std::move(published));
            }
        }
    }
    return result;
}

std::vector<NetworkAddress> addresses_of(const Json& network_settings) {
    std::vector<NetworkAddress> result;
    const auto& networks = field(network_settings, "Networks");
    if (networks.is_object()) {
        for (const auto& entry : networks.items()) {
            auto ip = text(entry.value(), "IPAddress");
            if (ip.empty()) {
                ip = text(entry.value(), "GlobalIPv6Address");
            }
            if (!ip.empty()) {
                result.push_back({entry.key(), std::move(ip), text(entry.value(), "Gateway")});
            }
        }
    }
    // Before 1.52 the default bridge's address is (also) told at the top.
    const auto ip = text(network_settings, "IPAddress");
    if (result.empty() && !ip.empty()) {
        result.push_back({"bridge", ip, text(network_settings, "Gateway")});
    }
    return result;
}

EngineHealth health_of(const Json& state) {
    const auto status = text(field(state, "Health"), "Status");
    if (status == "healthy") {
        return EngineHealth::Healthy;
    }
    if (status == "unhealthy") {
        return EngineHealth::Unhealthy;
    }
    return status == "starting" ? EngineHealth::Starting : EngineHealth::None;
}

} // namespace

EngineInfo decode_info(const std::string& body) {
    const auto json = json_access::parse(body, "info");
    EngineInfo info;
    info.id = required_id(json, "ID", "info");
    info.name = text(json, "Name");
    constexpr std::int64_t cpus_max = 1'000'000;
    info.cpus =
        static_cast<int>(std::clamp<std::int64_t>(json_access::number(json, "NCPU"), 0, cpus_max));
    info.memory_bytes = json_access::number(json, "MemTotal");
    info.root_dir = text(json, "DockerRootDir");
    info.storage_driver = text(json, "Driver");
    info.cgroup_version = text(json, "CgroupVersion");
    info.cgroup_driver = text(json, "CgroupDriver");
    info.default_runtime = text(json, "DefaultRuntime");
    info.runtimes = json_access::keys(json, "Runtimes");
    info.live_restore = json_access::flag(json, "LiveRestoreEnabled");
    const auto& registries = field(json, "RegistryConfig");
    info.registry_mirrors = json_access::texts(registries, "Mirrors");
    info.insecure_registries = json_access::texts(registries, "InsecureRegistryCIDRs");
    return info;
}

ImageInfo decode_image(const std::string& body) {
    const auto json = json_access::parse(body, "image");
    ImageInfo image;
    image.id = required_id(json, "Id", "image");
    image.repo_tags = json_access::texts(json, "RepoTags");
    std::erase(image.repo_tags, "<none>:<none>");
    image.repo_digests = json_access::texts(json, "RepoDigests");
    std::erase(image.repo_digests, "<none>@<none>");
    image.architecture = text(json, "Architecture");
    image.os = text(json, "Os");
    image.size_bytes = json_access::number(json, "Size");
    const auto& config = field(json, "Config");
    image.user = text(config, "User");
    image.command = json_access::texts(config, "Cmd");
    image.entrypoint = json_access::texts(config, "Entrypoint");
    image.environment = json_access::texts(config, "Env");
    image.exposed_ports = json_access::keys(config, "ExposedPorts");
    image.stop_signal = text(config, "StopSignal");
    const auto test = json_access::texts(field(config, "Healthcheck"), "Test");
    image.has_healthcheck = !test.empty() && test.front() != "NONE";
    image.labels = json_access::labels(config, "Labels");
    return image;
}

CreatedContainer decode_created(const std::string& body) {
    const auto json = json_access::parse(body, "answer to create");
    CreatedContainer created;
    created.id = required_id(json, "Id", "answer to create");
    created.warnings = json_access::texts(json, "Warnings");
    return created;
}

ContainerState decode_container(const std::string& body) {
    const auto json = json_access::parse(body, "container");
    ContainerState container;
    container.id = required_id(json, "Id", "container");
    container.name = without_slash(text(json, "Name"));
    container.image_id = text(json, "Image");
    container.created_at = json_access::time(json, "Created");
    container.restart_count = exit_code_of(json_access::number(json, "RestartCount"));

    const auto& config = field(json, "Config");
    container.image = text(config, "Image");
    container.labels = json_access::labels(config, "Labels");
    container.environment = json_access::texts(config, "Env");
    container.tty = json_access::flag(config, "Tty");
    const auto& host_config = field(json, "HostConfig");
    container.network_mode = text(host_config, "NetworkMode");
    container.log_driver = text(field(host_config, "LogConfig"), "Type");

    const auto& state = field(json, "State");
    container.status = parse_container_status(text(state, "Status"));
    const bool has_ended =
        container.status == ContainerStatus::Exited || container.status == ContainerStatus::Dead;
    if (has_ended && !json_access::has_number(state, "ExitCode")) {
        throw Failure(Code::Protocol, "the Engine's container has ended without an ExitCode");
    }
    container.exit_code = exit_code_of(json_access::number(state, "ExitCode"));
    container.error = text(state, "Error");
    container.oom_killed = json_access::flag(state, "OOMKilled");
    container.pid = json_access::number(state, "Pid");
    container.started_at = json_access::time(state, "StartedAt");
    container.finished_at = json_access::time(state, "FinishedAt");
    container.health = health_of(state);

    const auto& network_settings = field(json, "NetworkSettings");
    container.ports = ports_of(network_settings);
    container.addresses = addresses_of(network_settings);
    return container;
}

std::vector<ContainerSummary> decode_list(const std::string& body) {
    const auto json = json_access::parse(body, "container list");
    std::vector<ContainerSummary> list;
    if (json.is_null()) {
        return list;
    }
    if (!json.is_array()) {
        throw Failure(Code::Protocol, "the Engine's container list is not an array");
    }
    list.reserve(json.size());
    constexpr std::int64_t nanos_per_second = 1'000'000'000;
    for (const auto& row : json) {
        ContainerSummary summary;
        summary.id = required_id(row, "Id", "container list");
        const auto names = json_access::texts(row, "Names");
        if (!names.empty()) {
            summary.name = without_slash(names.front());
        }
        summary.image = text(row, "Image");
        summary.image_id = text(row, "ImageID");
        summary.status = parse_container_status(text(row, "State"));
        summary.exit_code = exit_code_in(text(row, "Status"));
        const auto seconds = json_access::number(row, "Created");
        const bool fits =
            seconds > 0 && seconds < std::numeric_limits<std::int64_t>::max() / nanos_per_second;
        summary.created_at = fits ? seconds * nanos_per_second : 0;
        summary.labels = json_access::labels(row, "Labels");
        list.push_back(std::move(summary));
    }
    return list;
}

Event decode_event(const std::string& line) {
    const auto json = json_access::parse(line, "event");
    if (!json.is_object()) {
        throw Failure(Code::Protocol, "the Engine's event is not an object");
    }
    Event event;
    event.type = text(json, "Type");
    event.action = text(json, "Action");
    if (event.action.empty()) {
        event.action = text(json, "status");
    }
    const auto colon = event.action.find(": ");
    if (colon != std::string::npos) {
        event.detail = event.action.substr(colon + 2);
        event.action.erase(colon);
    }
    const auto& actor = field(json, "Actor");
    event.id = text(actor, "ID");
    if (event.id.empty()) {
        event.id = text(json, "id");
    }
    event.attributes = json_access::labels(actor, "Attributes");
    event.time = json_access::number(json, "timeNano");
    return event;
}

std::string decode_message(const std::string& body) {
    const auto json = Json::parse(body, nullptr, false);
    auto message = text(json, "message");
    if (message.empty()) {
        message = body;
    }
    constexpr std::size_t message_bytes_max = 4096;
    if (message.size() > message_bytes_max) {
        message.resize(message_bytes_max);
    }
    while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) {
        message.pop_back();
    }
    return message.empty() ? "no reason given" : message;
}

VersionAnswer decode_version(const std::string& body) {
    const auto json = json_access::parse(body, "version");
    const auto api = parse_api_version(text(json, "ApiVersion"));
    if (!api) {
        throw Failure(
            Code::Protocol,
            "the Engine's version has no ApiVersion; is this the Docker Engine's socket?");
    }
    VersionAnswer answer;
    answer.api_max = *api;
    answer.api_min = parse_api_version(text(json, "MinAPIVersion")).value_or(ApiVersion());
    answer.engine = text(json, "Version");
    answer.os = text(json, "Os");
    answer.arch = text(json, "Arch");
    answer.kernel = text(json, "KernelVersion");
    return answer;
}

std::string decode_exec_id(const std::string& body) {
    const auto json = json_access::parse(body, "answer to exec");
    return required_id(json, "Id", "answer to exec");
}

ExecState decode_exec_state(const std::string& body) {
    const auto json = json_access::parse(body, "exec state");
    ExecState state;
    state.running = json_access::flag(json, "Running");
    if (!state.running && !json_access::has_number(json, "ExitCode")) {
        throw Failure(Code::Protocol, "the Engine's exec has ended without an ExitCode");
    }
    state.exit_code = exit_code_of(json_access::number(json, "ExitCode"));
    state.pid = state.running ? json_access::number(json, "Pid") : 0;
    return state;
}

LoadOutput decode_load(const std::string& body) {
    LineSplitter lines;
    lines.feed(body);
    LoadOutput output;
    auto take = [&output](const std::string& line) {
        const auto json = Json::parse(line, nullptr, false);
        output.text += text(json, "stream");
        output.text += text(json, "status");
        const auto error = text(field(json, "errorDetail"), "message");
        if (!error.empty()) {
            output.error = error;
        }
    };
    while (const auto line = lines.next()) {
        take(*line);
    }
    if (const auto line = lines.rest()) {
        take(*line);
    }
    while (!output.text.empty() && output.text.back() == '\n') {
        output.text.pop_back();
    }
    return output;
}

} // namespace methos::docker
