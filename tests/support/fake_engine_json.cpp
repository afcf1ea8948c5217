// The shapes of the fake Engine's answers, as dockerd 20.10 (and, by version, newer ones) gives
// them.
#include "tests/support/fake_engine_state.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace methos::test {

namespace {

constexpr docker::ApiVersion api_without_legacy{1, 52};
constexpr docker::UnixNanos nanos_per_second = 1'000'000'000;

Json port_key(const docker::PortBinding& port) {
    return std::to_string(port.container_port) + "/" + docker::to_string(port.transport);
}

Json ports_json(const FakeContainer& container) {
    Json ports = Json::object();
    for (const auto& port : container.ports) {
        Json binding;
        binding["HostIp"] = port.host_ip.empty() ? "0.0.0.0" : port.host_ip;
        binding["HostPort"] = std::to_string(port.host_port);
        ports[port_key(port).get<std::string>()].push_back(binding);
    }
    return ports;
}

Json network_json(const FakeContainer& container, docker::ApiVersion api) {
    const bool is_running = container.status == docker::ContainerStatus::Running;
    const bool has_address =
        is_running && container.network_mode != "host" && container.network_mode != "none";
    const std::string address = has_address ? "172.17.0.2" : "";
    Json json;
    json["Ports"] = is_running ? ports_json(container) : Json::object();
    Json network;
    network["IPAddress"] = address;
    network["Gateway"] = has_address ? "172.17.0.1" : "";
    network["Aliases"] = nullptr;
    const auto name = container.network_mode.empty() || container.network_mode == "default"
                          ? std::string("bridge")
                          : container.network_mode;
    json["Networks"][name] = network;
    if (api < api_without_legacy) {
        json["IPAddress"] = name == "bridge" ? address : "";
        json["Gateway"] = network["Gateway"];
    }
    return json;
}

} // namespace

FakeAnswer refusal(int status, const std::string& message) {
    Json json;
    json["message"] = message;
    return {status, json.dump() + "\n"};
}

std::string format_time(docker::UnixNanos time) {
    if (time == 0) {
        return "0001-01-01T00:00:00Z";
    }
    const std::time_t seconds = time / nanos_per_second;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> day{};
    const auto length = std::strftime(day.data(), day.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(),
                  fraction.size(),
                  ".%09lldZ",
                  static_cast<long long>(time % nanos_per_second));
    return std::string(day.data(), length) + fraction.data();
}

std::string log_bytes(const FakeLogEntry& entry, bool tty, bool timestamps) {
    const auto payload = (timestamps ? format_time(entry.time) + " " : "") + entry.text;
    if (tty) {
        return payload;
    }
    std::string frame(8, '\0');
    frame[0] = entry.is_error ? '\2' : '\1';
    for (unsigned i = 0; i < 4; ++i) {
        frame[4 + i] = static_cast<char>((payload.size() >> (24U - 8U * i)) & 0xffU);
    }
    return frame + payload;
}

Json FakeEngine::State::version_json() const {
    Json json;
    json["Version"] = engine;
    json["ApiVersion"] = api_max.to_string();
    json["MinAPIVersion"] = api_min.to_string();
    json["Os"] = "linux";
    json["Arch"] = "amd64";
    json["KernelVersion"] = "6.1.0-18-amd64";
    return json;
}

Json FakeEngine::State::info_json() const {
    Json json;
    json["ID"] = "FAKE:ENGINE";
    json["Name"] = "fake";
    json["NCPU"] = 4;
    json["MemTotal"] = std::int64_t{8} * 1024 * 1024 * 1024;
    json["DockerRootDir"] = folder.path().string();
    json["Driver"] = "overlay2";
    json["CgroupVersion"] = "2";
    json["CgroupDriver"] = "systemd";
    json["DefaultRuntime"] = "runc";
    json["Runtimes"]["runc"]["path"] = "runc";
    json["LiveRestoreEnabled"] = true;
    json["RegistryConfig"]["Mirrors"] = nullptr;
    json["RegistryConfig"]["InsecureRegistryCIDRs"].push_back("127.0.0.0/8");
    json["Warnings"] = nullptr;
    return json;
}

Json FakeEngine::State::image_json(const std::string& reference, const FakeImage& image) const {
    Json json;
    json["Id"] = image.id;
    json["RepoTags"] = Json::array();
    json["RepoDigests"] = Json::array();
    for (const auto& [name, other] : images) {
        if (other.id == image.id) {
            const bool is_digest = name.find('@') != std::string::npos;
            json[is_digest ? "RepoDigests" : "RepoTags"].push_back(name);
        }
    }
    if (json["RepoTags"].empty() && api_max < docker::ApiVersion{1, 43}) {
        json["RepoTags"].push_back("<none>:<none>");
    }
    json["Architecture"] = "amd64";
    json["Os"] = "linux";
    json["Size"] = 4'000'000;
    json["Config"]["Cmd"] = image.command;
    json["Config"]["User"] = image.user;
    if (image.entrypoint.empty()) {
        json["Config"]["Entrypoint"] = nullptr;
    } else {
        json["Config"]["Entrypoint"] = image.entrypoint;
    }
    if (image.environment.empty() && api_max >= api_without_legacy) {
        json["Config"].erase("Entrypoint");
    } else {
        json["Config"]["Env"] = image.environment;
    }
    json["Config"]["Labels"] = image.labels.empty() ? Json() : Json(image.labels);
    json["Comment"] = reference;
    return json;
}

Json FakeEngine::State::inspect_json(const FakeContainer& container, docker::ApiVersion api) const {
    Json json;
    json["Id"] = container.id;
    json["Name"] = "/" + container.name;
    json["Image"] = container.image_id;
    json["Created"] = format_time(container.created_at);
    json["RestartCount"] = 0;
    auto& state = json["State"];
    state["Status"] = docker::to_string(container.status);
    state["Running"] = container.status == docker::ContainerStatus::Running;
    state["ExitCode"] = container.exit_code;
    state["Error"] = container.error;
    state["OOMKilled"] = container.oom_killed;
    state["Pid"] = container.pid;
    state["StartedAt"] = format_time(container.started_at);
    state["FinishedAt"] = format_time(container.finished_at);
    auto& config = json["Config"];
    config["Image"] = container.image;
    config["Labels"] = container.labels;
    config["Env"] = container.environment.empty() ? Json() : Json(container.environment);
    config["Tty"] = container.tty;
    json["HostConfig"]["NetworkMode"] = container.network_mode;
    json["HostConfig"]["LogConfig"]["Type"] = "json-file";
    json["NetworkSettings"] = network_json(container, api);
    return json;
}

Json FakeEngine::State::list_json(const FakeContainer& container) const {
    Json json;
    json["Id"] = container.id;
    json["Names"].push_back("/" + container.name);
    json["Image"] = container.image;
    json["ImageID"] = container.image_id;
    json["State"] = docker::to_string(container.status);
    json["Status"] = "Up or not";
    json["Created"] = container.created_at / nanos_per_second;
    json["Labels"] = container.labels;
    return json;
}

Json FakeEngine::State::event_json(const std::string& type,
                                   const std::string& action,
                                   const std::string& id,
                                   const docker::Labels& attributes,
                                   docker::UnixNanos time) const {
    Json json;
    json["Type"] = type;
    json["Action"] = action;
    json["Actor"]["ID"] = id;
    json["Actor"]["Attributes"] = attributes;
    json["scope"] = "local";
    json["time"] = time / nanos_per_second;
    json["timeNano"] = time;
    if (api_max < api_without_legacy) {
        json["status"] = action;
        json["id"] = id;
        json["from"] = "fake";
    }
    return json;
}

} // namespace methos::test
