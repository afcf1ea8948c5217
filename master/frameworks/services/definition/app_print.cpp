#include "master/frameworks/services/definition/app_print.hpp"

#include "core/base/json.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace methos::services {

using nlohmann::json;

namespace {

constexpr double exact_integer_max = 9007199254740992.0; // 2^53

/// 1 rather than 1.0: some clients read cpus and mem as integers.
json number(double value) {
    if (std::trunc(value) == value && std::abs(value) < exact_integer_max) {
        return static_cast<std::int64_t>(value);
    }
    return value;
}

void add_raw(json& target, const RawFields& fields) {
    for (const auto& [name, text] : fields) {
        target[name] = parse_json(text);
    }
}

json parsed(const std::vector<std::string>& texts) {
    auto list = json::array();
    for (const auto& text : texts) {
        list.push_back(parse_json(text));
    }
    return list;
}

json fetch_json(const AppDefinition& app) {
    auto list = json::array();
    for (const auto& item : app.fetch) {
        json out{{"uri", item.uri},
                 {"extract", item.extract},
                 {"executable", item.executable},
                 {"cache", item.cache}};
        if (!item.output_file.empty()) {
            out["destPath"] = item.output_file;
        }
        list.push_back(std::move(out));
    }
    return list;
}

json to_json(const AppPortMapping& mapping) {
    json out{{"containerPort", mapping.container_port},
             {"protocol", mapping.protocol},
             {"servicePort", mapping.service_port},
             {"labels", mapping.labels}};
    if (mapping.host_port) {
        out["hostPort"] = *mapping.host_port;
    }
    if (!mapping.name.empty()) {
        out["name"] = mapping.name;
    }
    if (!mapping.network_names.empty()) {
        out["networkNames"] = mapping.network_names;
    }
    return out;
}

json to_json(const AppPortDefinition& definition) {
    json out{{"port", definition.port},
             {"protocol", definition.protocol},
             {"labels", definition.labels}};
    if (!definition.name.empty()) {
        out["name"] = definition.name;
    }
    return out;
}

json to_json(const AppVolume& volume) {
    json out{{"containerPath", volume.container_path}};
    if (!volume.host_path.empty()) {
        out["hostPath"] = volume.host_path;
    }
    if (!volume.raw.contains("secret")) {
        out["mode"] = volume.read_only ? "RO" : "RW";
    } else if (volume.read_only) {
        out["mode"] = "RO";
    }
    add_raw(out, volume.raw);
    return out;
}

json to_json(const AppContainer& container, AppNetworkMode mode) {
    json out{{"type", container.type == ContainerType::Docker ? "DOCKER" : "MESOS"}};
    out["volumes"] = json::array();
    for (const auto& volume : container.volumes) {
        out["volumes"].push_back(to_json(volume));
    }
    if (!container.image.empty()) {
        json docker{{"image", container.image},
                    {"forcePullImage", container.force_pull},
                    {"privileged", container.privileged}};
        docker["parameters"] = json::array();
        for (const auto& [key, value] : container.parameters) {
            docker["parameters"].push_back({{"key", key}, {"value", value}});
        }
        add_raw(docker, container.extras);
        out["docker"] = std::move(docker);
    }
    if (mode != AppNetworkMode::Host) {
        out["portMappings"] = json::array();
        for (const auto& mapping : container.port_mappings) {
            out["portMappings"].push_back(to_json(mapping));
        }
    }
    return out;
}

json to_json(const AppNetwork& network) {
    json out;
    switch (network.mode) {
    case AppNetworkMode::Host:
        out["mode"] = "host";
        break;
    case AppNetworkMode::Bridge:
        out["mode"] = "container/bridge";
        break;
    case AppNetworkMode::Container:
        out["mode"] = "container";
        out["name"] = network.name;
        break;
    }
    if (!network.labels.empty()) {
        out["labels"] = network.labels;
    }
    return out;
}

void add_network(json& out, const AppDefinition& app) {
    out["networks"] = json::array();
    for (const auto& network : app.networks) {
        out["networks"].push_back(to_json(network));
    }
    if (app.network_mode() == AppNetworkMode::Host) {
        out["portDefinitions"] = json::array();
        for (const auto& definition : app.port_definitions) {
            out["portDefinitions"].push_back(to_json(definition));
        }
    }
    if (app.container) {
        out["container"] = to_json(*app.container, app.network_mode());
    }
    out["requirePorts"] = app.require_ports;
}

void add_strategies(json& out, const AppDefinition& app) {
    out["upgradeStrategy"] = {
        {"minimumHealthCapacity", number(app.upgrade_strategy.minimum_health_capacity)},
        {"maximumOverCapacity", number(app.upgrade_strategy.maximum_over_capacity)}};
    const auto& lost = app.unreachable_strategy;
    if (lost.disabled) {
        out["unreachableStrategy"] = "disabled";
    } else {
        out["unreachableStrategy"] = {{"inactiveAfterSeconds", lost.inactive_after_seconds},
                                      {"expungeAfterSeconds", lost.expunge_after_seconds}};
    }
    out["killSelection"] =
        app.kill_selection == KillSelection::YoungestFirst ? "YOUNGEST_FIRST" : "OLDEST_FIRST";
    out["backoffSeconds"] = number(app.backoff_seconds);
    out["backoffFactor"] = number(app.backoff_factor);
    out["maxLaunchDelaySeconds"] = number(app.max_launch_delay_seconds);
    if (app.task_kill_grace_period_seconds) {
        out["taskKillGracePeriodSeconds"] = *app.task_kill_grace_period_seconds;
    }
}

void add_command(json& out, const AppDefinition& app) {
    if (app.cmd) {
        out["cmd"] = *app.cmd;
    }
    if (app.args) {
        out["args"] = *app.args;
    }
    out["env"] = app.env;
    add_raw(out["env"], app.env_secrets);
    if (!app.user.empty()) {
        out["user"] = app.user;
    }
}

} // namespace

json to_json(const AppDefinition& app, Extensions extensions) {
    json out{{"id", app.id.value},
             {"instances", app.instances},
             {"cpus", number(cpus_of(app.resources.milli_cpus))},
             {"mem", number(mb_of(app.resources.mem_bytes))},
             {"disk", number(mb_of(app.resources.disk_bytes))},
             {"gpus", app.resources.gpus},
             {"labels", app.labels},
             {"constraints", app.constraints},
             {"role", app.role},
             {"executor", ""},
             {"secrets", json::object()},
             {"readinessChecks", json::array()}};
    add_command(out, app);
    add_network(out, app);
    add_strategies(out, app);
    out["dependencies"] = json::array();
    for (const auto& other : app.dependencies) {
        out["dependencies"].push_back(other.value);
    }
    out["healthChecks"] = parsed(app.health_checks);
    out["fetch"] = fetch_json(app);
    if (app.accepted_resource_roles) {
        out["acceptedResourceRoles"] = *app.accepted_resource_roles;
    }
    add_raw(out, app.extras);
    if (extensions == Extensions::Shown) {
        add_raw(out, app.extensions);
    }
    return out;
}

std::string stored_text(const AppDefinition& app) {
    // nlohmann's objects are sorted by name, so the order is stable.
    return dump_json(to_json(app, Extensions::Shown));
}

Result<AppDefinition> parse_stored(const std::string& text) {
    ParseOptions options;
    options.stored = true;
    auto app = parse_app(text, options);
    if (!app) {
        return Error(Code::Internal, "a stored app cannot be read: " + app.error().body_json);
    }
    return std::move(*app);
}

} // namespace methos::services
