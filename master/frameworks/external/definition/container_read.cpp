// ContainerInfo: what Docker is asked for.
#include "master/frameworks/external/definition/task_read.hpp"

#include <algorithm>

namespace methos::external {

namespace {

void read_parameters(const MessageFields& docker, TaskRequest& task) {
    docker.each("parameters", [&](const MessageFields& item) {
        std::string key;
        std::string value;
        item.require("key", key);
        item.require("value", value);
        task.spec.docker_parameters.emplace_back(std::move(key), std::move(value));
    });
}

void read_port_mappings(const MessageFields& docker, TaskRequest& task) {
    constexpr std::int64_t port_max = 65535;
    docker.each("port_mappings", [&](const MessageFields& item) {
        std::int64_t host_port = 0;
        std::int64_t container_port = 0;
        std::string protocol = "tcp";
        item.require("host_port", host_port);
        item.require("container_port", container_port);
        item.read("protocol", protocol);
        std::transform(protocol.begin(), protocol.end(), protocol.begin(), [](unsigned char c) {
            return static_cast<char>(std::tolower(c));
        });
        if (host_port < 1 || host_port > port_max || container_port < 1 ||
            container_port > port_max || (protocol != "tcp" && protocol != "udp")) {
            refuse(task,
                   "a port mapping needs a host_port and a container_port from 1 to 65535, "
                   "and the protocol tcp or udp");
            return;
        }
        task.host_ports.push_back(static_cast<std::uint16_t>(host_port));
        task.spec.ports.push_back({static_cast<std::uint16_t>(container_port), protocol, ""});
    });
}

/// The network's name, where Mesos has it: the first NetworkInfo with one.
std::string named_network(const MessageFields& container) {
    std::string name;
    container.each("network_infos", [&](const MessageFields& item) {
        if (name.empty()) {
            item.read("name", name);
        }
    });
    return name;
}

void read_network(const std::string& word, const std::string& name, TaskRequest& task) {
    if (word == "HOST") {
        task.spec.network = NetworkMode::Host;
    } else if (word == "BRIDGE") {
        task.spec.network = NetworkMode::Bridge;
    } else if (word == "NONE") {
        task.spec.network = NetworkMode::None;
    } else if (word == "USER") {
        task.spec.network = NetworkMode::User;
        task.spec.network_name = name;
        if (name.empty()) {
            refuse(task,
                   "the network USER needs the name of a Docker network in "
                   "container.network_infos[0].name");
        }
    } else {
        refuse(task,
               "container.docker.network '" + word.substr(0, 64) +
                   "' is none of HOST, BRIDGE, NONE and USER");
    }
}

void read_docker(const MessageFields& container, TaskRequest& task) {
    if (!container.has("docker")) {
        refuse(task, "a container of type DOCKER needs a DockerInfo");
        return;
    }
    const auto docker = container.message("docker");
    std::string network = "HOST";
    docker.require("image", task.spec.image);
    docker.read("force_pull_image", task.spec.force_pull);
    docker.read("privileged", task.spec.privileged);
    docker.read("network", network);
    read_parameters(docker, task);
    read_network(network, named_network(container), task);
    if (task.spec.image.empty()) {
        refuse(task, "container.docker.image is empty");
    }
    if (task.spec.network == NetworkMode::Bridge || task.spec.network == NetworkMode::User) {
        read_port_mappings(docker, task);
    } else if (docker.has("port_mappings") && !docker.find("port_mappings")->empty()) {
        refuse(task, "Port mappings are only supported for bridge and user-defined networks");
    }
}

/// A container of Mesos's own kind runs under Docker too, when its image is Docker's.
void read_mesos(const MessageFields& container, TaskRequest& task) {
    const auto image = container.message("mesos").message("image");
    std::string type = "DOCKER";
    image.read("type", type);
    image.message("docker").read("name", task.spec.image);
    if (image.has("type") && type != "DOCKER") {
        refuse(task,
               "container.mesos.image is of type '" + type.substr(0, 64) +
                   "', and Methos runs Docker's only");
    }
    const auto network = named_network(container);
    if (!network.empty()) {
        read_network("USER", network, task);
    }
}

/// Path of the host, or name of a Docker volume; empty when the volume is of another kind.
std::string source_of(const MessageFields& volume) {
    std::string source;
    volume.read("host_path", source);
    const auto given = volume.message("source");
    given.message("host_path").read("path", source);
    const auto docker_volume = given.message("docker_volume");
    std::string driver = "local";
    docker_volume.read("driver", driver);
    if (driver == "local") {
        docker_volume.read("name", source);
    }
    return source;
}

void read_volumes(const MessageFields& container, TaskRequest& task) {
    container.each("volumes", [&](const MessageFields& item) {
        VolumeMount volume;
        std::string mode;
        item.require("mode", mode);
        item.require("container_path", volume.target);
        volume.source = source_of(item);
        volume.read_only = mode == "RO";
        if (volume.source.empty()) {
            refuse(task,
                   "the volume " + volume.target +
                       " is of a kind that Methos does not have: use one with a host_path, or a "
                       "docker_volume of the local driver");
        } else if (volume.target.empty() || volume.target.front() != '/') {
            refuse(task,
                   "the volume's container_path '" + volume.target + "' is not an absolute path");
        } else if (item.has("host_path") && volume.source.front() != '/') {
            refuse(task,
                   "the volume's host_path '" + volume.source +
                       "' is not an absolute path, and Methos does not look for it in the sandbox");
        }
        task.spec.volumes.push_back(std::move(volume));
    });
}

} // namespace

void read_container(const MessageFields& fields, TaskRequest& task) {
    std::string type;
    fields.require("type", type);
    if (type == "DOCKER") {
        read_docker(fields, task);
    } else if (type == "MESOS") {
        read_mesos(fields, task);
    } else {
        refuse(task, "container.type '" + type.substr(0, 64) + "' is none of DOCKER and MESOS");
    }
    std::string hostname;
    fields.read("hostname", hostname);
    if (!hostname.empty()) {
        task.spec.docker_parameters.emplace_back("hostname", hostname);
    }
    read_volumes(fields, task);
}

} // namespace methos::external
