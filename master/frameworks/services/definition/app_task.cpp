#include "master/frameworks/services/definition/app_task.hpp"

#include "master/frameworks/services/definition/health_check_task.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace methos::services {

namespace {

constexpr std::string_view label_prefix = "MARATHON_APP_LABEL_";
constexpr std::size_t label_bytes_max = 512; ///< Marathon leaves out what is not shorter

using Env = std::map<std::string, std::string>;

/// "SOME_NAME" of "some-name": what a shell can read. What it cannot read becomes one underscore,
/// however long; underscores stay as many as they are.
std::string variable_of(const std::string& name) {
    std::string variable;
    bool legal_before = true;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        const bool legal = std::isalnum(byte) != 0 || c == '_';
        if (legal) {
            variable += static_cast<char>(std::toupper(byte));
        } else if (legal_before) {
            variable += '_';
        }
        legal_before = legal;
    }
    return variable;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
    });
    return text;
}

/// "0.1", "128.0": as Java prints a double, which is what tasks have always seen.
std::string java_double(double value) {
    std::array<char, 32> buffer{};
    const auto result = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
    std::string text(buffer.data(), result.ptr);
    return text.find('.') == std::string::npos ? text + ".0" : text;
}

/// What all instances of a version see of their app.
Env static_env(const AppDefinition& app, const std::string& version) {
    Env env{{"MARATHON_APP_ID", app.id.value},
            {"MARATHON_APP_VERSION", version},
            {"MARATHON_APP_RESOURCE_CPUS", java_double(cpus_of(app.resources.milli_cpus))},
            {"MARATHON_APP_RESOURCE_MEM", java_double(mb_of(app.resources.mem_bytes))},
            {"MARATHON_APP_RESOURCE_DISK", java_double(mb_of(app.resources.disk_bytes))},
            {"MARATHON_APP_RESOURCE_GPUS", std::to_string(app.resources.gpus)},
            {"MARATHON_APP_ENFORCE_GROUP_ROLE", "false"}};
    if (app.container && !app.container->image.empty()) {
        env["MARATHON_APP_DOCKER_IMAGE"] = app.container->image;
    }
    std::string names;
    for (const auto& [key, value] : app.labels) {
        const bool fits = label_prefix.size() + key.size() < label_bytes_max;
        if (fits && value.size() < label_bytes_max) {
            const auto name = variable_of(key);
            names += (names.empty() ? "" : " ") + name;
            env[std::string(label_prefix) + name] = value;
        }
    }
    env["MARATHON_APP_LABELS"] = names;
    for (const auto& [name, value] : app.env) {
        env[name] = value;
    }
    return env;
}

bool published(const AppDefinition& app, const AppPortMapping& mapping) {
    return app.network_mode() != AppNetworkMode::Host && mapping.host_port.has_value() &&
           app.networks.front().name != "none";
}

void set_command(const AppDefinition& app, TaskSpec& spec) {
    if (app.cmd) {
        spec.command = CommandKind::Shell;
        spec.shell = *app.cmd;
    } else if (app.args) {
        spec.command = CommandKind::Args;
        spec.args = *app.args;
    }
}

void set_network(const AppDefinition& app, TaskSpec& spec) {
    const auto& network = app.networks.front();
    switch (network.mode) {
    case AppNetworkMode::Host:
        spec.network = NetworkMode::Host;
        for (const auto& definition : app.port_definitions) {
            spec.ports.push_back({0, definition.protocol, definition.name});
        }
        return;
    case AppNetworkMode::Bridge:
        spec.network = NetworkMode::Bridge;
        break;
    case AppNetworkMode::Container:
        spec.network = network.name == "none" ? NetworkMode::None : NetworkMode::User;
        spec.network_name = network.name == "none" ? "" : network.name;
        break;
    }
    for (const auto& mapping : app.container->port_mappings) {
        if (published(app, mapping)) {
            spec.ports.push_back({mapping.container_port, mapping.protocol, mapping.name});
        }
    }
}

Result<void> set_health_checks(const AppDefinition& app, TaskSpec& spec) {
    std::vector<std::size_t> with_host_port;
    const auto mappings = app.container ? app.container->port_mappings.size() : 0;
    for (std::size_t i = 0; i < mappings; ++i) {
        if (published(app, app.container->port_mappings[i])) {
            with_host_port.push_back(i);
        }
    }
    auto checks = health_checks_of(app, with_host_port);
    if (!checks) {
        return checks.error();
    }
    spec.health_checks = std::move(*checks);
    return {};
}

Result<void> set_container(const AppContainer& container, TaskSpec& spec) {
    spec.image = container.image;
    spec.force_pull = container.force_pull;
    spec.privileged = container.privileged;
    spec.docker_parameters = container.parameters;
    for (const auto& volume : container.volumes) {
        if (!volume.raw.empty()) {
            return Error(Code::InvalidInput,
                         "the volume " + volume.container_path + " is of the kind '" +
                             volume.raw.begin()->first +
                             "', which Methos does not have: use a volume with a hostPath");
        }
        spec.volumes.push_back({volume.host_path, volume.container_path, volume.read_only});
    }
    return {};
}

/// One port as its environment names it.
struct NamedPort {
    std::uint16_t requested; ///< as the definition has it; 0: any
    std::uint16_t effective; ///< what is listened on, seen from outside
    bool of_host;            ///< the host gave it
    std::string name;
};

std::vector<NamedPort> named_ports(const AppDefinition& app,
                                   const std::vector<std::uint16_t>& host_ports) {
    std::vector<NamedPort> ports;
    std::size_t next = 0;
    const auto host_port = [&]() -> std::uint16_t {
        return next < host_ports.size() ? host_ports[next++] : std::uint16_t{0};
    };
    if (app.network_mode() == AppNetworkMode::Host) {
        for (const auto& definition : app.port_definitions) {
            ports.push_back({definition.port, host_port(), true, definition.name});
        }
        return ports;
    }
    for (const auto& mapping : app.container->port_mappings) {
        const bool of_host = published(app, mapping);
        const auto effective = of_host ? host_port() : mapping.container_port;
        ports.push_back({mapping.container_port, effective, of_host, mapping.name});
    }
    return ports;
}

void add_ports(const std::vector<NamedPort>& ports, Env& env) {
    std::string all;
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const auto& port = ports[i];
        if (port.effective == 0) {
            continue; // neither published nor known: there is nothing to tell
        }
        const auto number = std::to_string(port.effective);
        env["PORT" + std::to_string(i)] = number;
        env["PORT_" + std::to_string(port.requested == 0 ? port.effective : port.requested)] =
            number;
        if (!port.name.empty()) {
            env["PORT_" + upper(port.name)] = number; // as Marathon has it
            env["PORT_" + variable_of(port.name)] = number;
        }
        if (port.of_host) {
            env.try_emplace("PORT", number);
            all += (all.empty() ? "" : ",") + number;
        }
    }
    if (!ports.empty()) {
        env["PORTS"] = all;
    }
}

} // namespace

Result<TaskSpec> make_task_spec(const AppDefinition& app,
                                const std::string& version,
                                const std::string& default_image) {
    TaskSpec spec;
    spec.framework = "services";
    spec.app = app.id.value;
    spec.version = version;
    if (app.container) {
        if (const auto done = set_container(*app.container, spec); !done) {
            return done.error();
        }
    }
    if (spec.image.empty()) {
        spec.image = default_image;
    }
    if (spec.image.empty()) {
        return Error(Code::InvalidInput,
                     app.id.value +
                         " has a command and no image: give it a container.docker.image, or start "
                         "the master with --default-image");
    }
    if (!app.env_secrets.empty()) {
        return Error(Code::InvalidInput,
                     "the variable " + app.env_secrets.begin()->first +
                         " asks for a secret, and Methos has no store of secrets: give it a value");
    }
    set_command(app, spec);
    set_network(app, spec);
    if (const auto done = set_health_checks(app, spec); !done) {
        return done.error();
    }
    if (app.fetch.size() > fetch_items_max) {
        return Error(Code::InvalidInput,
                     app.id.value + " has " + std::to_string(app.fetch.size()) +
                         " files to fetch, and " + std::to_string(fetch_items_max) +
                         " are the most that Methos fetches");
    }
    spec.fetch = app.fetch;
    spec.env = static_env(app, version);
    spec.labels = app.labels;
    spec.user = app.user;
    spec.resources = app.resources;
    if (app.task_kill_grace_period_seconds) {
        spec.kill_grace = std::chrono::seconds(*app.task_kill_grace_period_seconds);
    }
    spec.hash = hash_of(spec);
    return spec;
}

std::vector<std::uint16_t> wanted_host_ports(const AppDefinition& app) {
    std::vector<std::uint16_t> wanted;
    if (app.network_mode() == AppNetworkMode::Host) {
        for (const auto& definition : app.port_definitions) {
            wanted.push_back(app.require_ports ? definition.port : std::uint16_t{0});
        }
        return wanted;
    }
    for (const auto& mapping : app.container->port_mappings) {
        if (published(app, mapping)) {
            wanted.push_back(*mapping.host_port);
        }
    }
    return wanted;
}

std::map<std::string, std::string> instance_env(const AppDefinition& app,
                                                const TaskName& task,
                                                const std::string& hostname,
                                                const std::vector<std::uint16_t>& host_ports) {
    Env env{{"MESOS_TASK_ID", task.value}, {"HOST", hostname}};
    add_ports(named_ports(app, host_ports), env);
    for (const auto& [name, value] : app.env) {
        env.erase(name);
    }
    return env;
}

} // namespace methos::services
