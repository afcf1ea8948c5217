#include "master/frameworks/services/definition/container_parse.hpp"

#include "core/base/json.hpp"

#include <algorithm>
#include <array>

namespace methos::services {

using nlohmann::json;

namespace {

void read_port_mappings(const JsonFields& container, AppNetworkMode mode, AppContainer& target) {
    if (!container.has("portMappings") && mode != AppNetworkMode::Host) {
        AppPortMapping standard;
        standard.name = "default";
        target.port_mappings.push_back(standard);
    }
    container.each("portMappings", [&](const json& item, const std::string& path) {
        const JsonFields mapping(item, path, container.problems());
        AppPortMapping read;
        mapping.read_port("containerPort", read.container_port);
        if (mapping.has("hostPort")) {
            read.host_port = 0;
            mapping.read_port("hostPort", *read.host_port);
        }
        mapping.read_port("servicePort", read.service_port);
        mapping.read("protocol", read.protocol);
        mapping.read("name", read.name);
        mapping.read("labels", read.labels);
        mapping.read("networkNames", read.network_names);
        target.port_mappings.push_back(std::move(read));
    });
    for (auto& mapping : target.port_mappings) {
        // Behind a bridge every mapping is published.
        if (mode == AppNetworkMode::Bridge && !mapping.host_port) {
            mapping.host_port = 0;
        }
    }
}

void read_volumes(const JsonFields& container, AppContainer& target) {
    constexpr std::array kinds{"persistent", "external", "secret"};
    container.each("volumes", [&](const json& item, const std::string& path) {
        const JsonFields volume(item, path, container.problems());
        AppVolume read;
        volume.require("containerPath", read.container_path);
        volume.read_word<bool>("mode", read.read_only, {{"RO", true}, {"RW", false}});
        volume.read("hostPath", read.host_path);
        for (const auto* kind : kinds) {
            if (const auto* field = volume.find(kind)) {
                read.raw[kind] = dump_json(*field);
            }
        }
        target.volumes.push_back(std::move(read));
    });
}

void read_docker(const JsonFields& container, AppContainer& target) {
    const auto* field = container.find("docker");
    if (field == nullptr) {
        if (target.type == ContainerType::Docker) {
            container.mistyped("docker/image", "error.path.missing");
        }
        return;
    }
    const JsonFields docker(*field, container.path_of("docker"), container.problems());
    docker.require("image", target.image);
    docker.read("forcePullImage", target.force_pull);
    docker.read("privileged", target.privileged);
    docker.each("parameters", [&](const json& item, const std::string& path) {
        const JsonFields parameter(item, path, container.problems());
        std::string key;
        std::string value;
        parameter.require("key", key);
        parameter.require("value", value);
        target.parameters.emplace_back(std::move(key), std::move(value));
    });
    for (const char* name : {"credential", "pullConfig"}) {
        if (const auto* kept = docker.find(name)) {
            target.extras[name] = dump_json(*kept);
        }
    }
}

} // namespace

void read_container(const JsonFields& fields, AppDefinition& app) {
    const auto mode = app.network_mode();
    const auto* field = fields.find("container");
    if (field == nullptr && mode == AppNetworkMode::Host) {
        return;
    }
    const json none = json::object();
    const JsonFields container(
        field == nullptr ? none : *field, fields.path_of("container"), fields.problems());
    AppContainer read;
    read.type = container.has("docker") ? ContainerType::Docker : ContainerType::Mesos;
    container.read_word<ContainerType>(
        "type", read.type, {{"DOCKER", ContainerType::Docker}, {"MESOS", ContainerType::Mesos}});
    read_docker(container, read);
    read_port_mappings(container, mode, read);
    read_volumes(container, read);
    app.container = std::move(read);
}

} // namespace methos::services
