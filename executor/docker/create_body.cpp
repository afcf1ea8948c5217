#include "executor/docker/create_body.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace methos::docker {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t nanos_per_milli_cpu = 1'000'000;
constexpr std::int64_t memory_bytes_min = 6 * 1024 * 1024; ///< the Engine's own minimum

EngineError refuse(EngineFault fault, std::string message) {
    EngineError error;
    error.fault = fault;
    error.message = std::move(message);
    return error;
}

bool is_absolute(const std::string& path) {
    return !path.empty() && path.front() == '/' && path.find('\0') == std::string::npos;
}

std::optional<EngineError> find_mount_mistake(const Mount& mount) {
    if (!is_absolute(mount.target)) {
        return refuse(EngineFault::BadMount,
                      "the mount target \"" + mount.target + "\" is not an absolute path");
    }
    if (mount.target == "/") {
        return refuse(EngineFault::BadMount, "a mount cannot replace the container's root \"/\"");
    }
    if (mount.kind == Mount::Kind::Bind && !is_absolute(mount.source)) {
        return refuse(EngineFault::BadMount,
                      "the host path \"" + mount.source + "\" of mount \"" + mount.target +
                          "\" is not absolute");
    }
    return std::nullopt;
}

std::optional<EngineError> find_mistake(const ContainerConfig& config) {
    if (config.image.empty()) {
        return refuse(EngineFault::BadConfig, "no image is named");
    }
    if (config.memory_bytes < 0 || config.cpu_milli < 0 || config.cpu_limit_milli < 0) {
        return refuse(EngineFault::BadConfig, "cpus and memory cannot be negative");
    }
    if (config.memory_bytes > 0 && config.memory_bytes < memory_bytes_min) {
        return refuse(EngineFault::BadConfig,
                      "the memory limit of " + std::to_string(config.memory_bytes) +
                          " bytes is under Docker's minimum of 6 MiB");
    }
    for (const auto& port : config.ports) {
        if (port.container_port == 0) {
            return refuse(EngineFault::BadConfig, "a published port has no container port");
        }
    }
    for (const auto& [name, value] : config.environment) {
        const bool legal = !name.empty() && name.find('=') == std::string::npos &&
                           name.find('\0') == std::string::npos &&
                           value.find('\0') == std::string::npos;
        if (!legal) {
            return refuse(EngineFault::BadConfig,
                          "\"" + name + "\" cannot be an environment variable");
        }
    }
    for (const auto& mount : config.mounts) {
        if (auto mistake = find_mount_mistake(mount)) {
            return mistake;
        }
    }
    return std::nullopt;
}

void put_text(Json& object, const char* key, const std::string& text) {
    if (!text.empty()) {
        object[key] = text;
    }
}

template <class List>
void put_list(Json& object, const char* key, const List& list) {
    if (!list.empty()) {
        object[key] = list;
    }
}

void put_number(Json& object, const char* key, std::int64_t number) {
    if (number != 0) {
        object[key] = number;
    }
}

Json mount_json(const Mount& mount) {
    Json json;
    json["Target"] = mount.target;
    json["ReadOnly"] = mount.read_only;
    switch (mount.kind) {
    case Mount::Kind::Bind:
        json["Type"] = "bind";
        json["Source"] = mount.source;
        if (!mount.propagation.empty()) {
            json["BindOptions"]["Propagation"] = mount.propagation;
        }
        break;
    case Mount::Kind::Volume:
        json["Type"] = "volume";
        json["Source"] = mount.source;
        if (!mount.volume_driver.empty()) {
            json["VolumeOptions"]["DriverConfig"]["Name"] = mount.volume_driver;
        }
        break;
    case Mount::Kind::Tmpfs:
        json["Type"] = "tmpfs";
        if (mount.tmpfs_bytes > 0) {
            json["TmpfsOptions"]["SizeBytes"] = mount.tmpfs_bytes;
        }
        break;
    }
    return json;
}

/// A bind whose missing source is to be made must be told in the old form: Mounts can say so only
/// since 1.42.
bool is_old_form(const Mount& mount) {
    return mount.kind == Mount::Kind::Bind && mount.create_source;
}

std::string old_bind(const Mount& mount) {
    std::string text = mount.source + ":" + mount.target + (mount.read_only ? ":ro" : ":rw");
    if (!mount.propagation.empty()) {
        text += "," + mount.propagation;
    }
    return text;
}

void put_mounts(Json& host, const std::vector<Mount>& mounts) {
    for (const auto& mount : mounts) {
        if (is_old_form(mount)) {
            host["Binds"].push_back(old_bind(mount));
        } else {
            host["Mounts"].push_back(mount_json(mount));
        }
    }
}

void put_ports(Json& body, Json& host, const std::vector<PortBinding>& ports) {
    for (const auto& port : ports) {
        const auto key = std::to_string(port.container_port) + "/" + to_string(port.transport);
        body["ExposedPorts"][key] = Json::object();
        Json binding;
        binding["HostIp"] = port.host_ip;
        binding["HostPort"] = port.host_port == 0 ? std::string() : std::to_string(port.host_port);
        host["PortBindings"][key].push_back(std::move(binding));
    }
}

void put_resources(Json& host, const ContainerConfig& config) {
    if (config.cpu_milli > 0) {
        host["CpuShares"] = cpu_shares_of(config.cpu_milli);
    }
    put_number(host, "NanoCpus", config.cpu_limit_milli * nanos_per_milli_cpu);
    put_text(host, "CpusetCpus", config.cpuset);
    if (config.memory_bytes > 0) {
        host["Memory"] = config.memory_bytes;
        host["MemorySwap"] = config.memory_bytes; // equal: no swap on top
    }
    put_number(host, "PidsLimit", config.pids_max);
    put_number(host, "ShmSize", config.shm_bytes);
    for (const auto& limit : config.ulimits) {
        Json json;
        json["Name"] = limit.name;
        json["Soft"] = limit.soft;
        json["Hard"] = limit.hard;
        host["Ulimits"].push_back(std::move(json));
    }
}

void put_devices(Json& host, const ContainerConfig& config) {
    for (const auto& device : config.devices) {
        Json json;
        json["PathOnHost"] = device.host_path;
        json["PathInContainer"] =
            device.container_path.empty() ? device.host_path : device.container_path;
        json["CgroupPermissions"] = device.permissions;
        host["Devices"].push_back(std::move(json));
    }
    for (const auto& request : config.device_requests) {
        Json json;
        json["Driver"] = request.driver;
        if (request.device_ids.empty()) {
            json["Count"] = request.count;
        } else {
            json["DeviceIDs"] = request.device_ids;
        }
        json["Capabilities"] = Json::array();
        json["Capabilities"].push_back(request.capabilities);
        host["DeviceRequests"].push_back(std::move(json));
    }
}

void put_isolation(Json& host, const ContainerConfig& config) {
    host["NetworkMode"] = config.network_mode;
    put_list(host, "ExtraHosts", config.extra_hosts);
    put_list(host, "Dns", config.dns);
    put_list(host, "DnsSearch", config.dns_search);
    put_list(host, "DnsOptions", config.dns_options);
    put_list(host, "CapAdd", config.cap_add);
    put_list(host, "CapDrop", config.cap_drop);
    put_list(host, "SecurityOpt", config.security_options);
    put_list(host, "Sysctls", config.sysctls);
    host["Privileged"] = config.privileged;
    host["ReadonlyRootfs"] = config.read_only_root;
    host["Init"] = config.init;
    put_text(host, "IpcMode", config.ipc_mode);
    put_text(host, "PidMode", config.pid_mode);
    put_text(host, "UTSMode", config.uts_mode);
    put_text(host, "UsernsMode", config.userns_mode);
    put_text(host, "CgroupParent", config.cgroup_parent);
    put_text(host, "Runtime", config.runtime);
}

Json log_json(const LogFile& log) {
    Json options;
    options["max-size"] = std::to_string(std::max<std::int64_t>(log.max_bytes, 1));
    options["max-file"] = std::to_string(std::max(log.max_files, 1));
    if (log.non_blocking) {
        options["mode"] = "non-blocking";
    }
    Json json;
    json["Type"] = "json-file";
    json["Config"] = std::move(options);
    return json;
}

Json host_config(const ContainerConfig& config) {
    Json host;
    host["RestartPolicy"]["Name"] = "no";
    host["AutoRemove"] = false;
    host["LogConfig"] = log_json(config.log);
    put_resources(host, config);
    put_devices(host, config);
    put_isolation(host, config);
    put_mounts(host, config.mounts);
    return host;
}

void put_process(Json& body, const ContainerConfig& config) {
    body["Image"] = config.image;
    if (config.entrypoint) {
        body["Entrypoint"] = *config.entrypoint;
    }
    put_list(body, "Cmd", config.command);
    for (const auto& [name, value] : config.environment) {
        body["Env"].push_back(name + "=" + value);
    }
    put_list(body, "Labels", config.labels);
    put_text(body, "User", config.user);
    put_text(body, "WorkingDir", config.working_dir);
    put_text(body, "Hostname", config.hostname);
    body["Tty"] = config.tty;
    body["OpenStdin"] = config.open_stdin;
    put_text(body, "StopSignal", config.stop_signal);
    if (config.stop_timeout) {
        body["StopTimeout"] = std::chrono::ceil<std::chrono::seconds>(*config.stop_timeout).count();
    }
    if (!config.image_healthcheck) {
        body["Healthcheck"]["Test"].push_back("NONE");
    }
}

} // namespace

std::int64_t cpu_shares_of(std::int64_t cpu_milli) {
    constexpr std::int64_t shares_per_cpu = 1024;
    constexpr std::int64_t milli_max = cpu_shares_max * 1000 / shares_per_cpu;
    const auto shares = std::min(cpu_milli, milli_max) * shares_per_cpu / 1000;
    return std::clamp(shares, cpu_shares_min, cpu_shares_max);
}

Answer<std::string> create_body(const ContainerConfig& config) {
    if (auto mistake = find_mistake(config)) {
        return *std::move(mistake);
    }
    Json body;
    put_process(body, config);
    auto host = host_config(config);
    put_ports(body, host, config.ports);
    body["HostConfig"] = std::move(host);
    auto text = dump_json_exactly(body);
    if (!text) {
        return refuse(EngineFault::BadConfig,
                      "the container's configuration holds text that is not UTF-8");
    }
    return *std::move(text);
}

} // namespace methos::docker
