#include "master/frameworks/services/definition/app_rules.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace methos::services {

namespace {

constexpr std::int64_t kill_grace_seconds_max = 365LL * 24 * 3600;
constexpr std::size_t env_bytes_max = 256 * 1024;

/// Collects violations under one prefix.
class Rules {
  public:
    Rules(const std::string& prefix, Violations& violations)
        : prefix_(prefix), violations_(violations) {}

    void expect(bool holds, const std::string& path, const std::string& message) {
        if (!holds) {
            violations_.add(prefix_ + path, message);
        }
    }

  private:
    const std::string& prefix_;
    Violations& violations_;
};

std::string indexed(const std::string& path, std::size_t index) {
    return path + "(" + std::to_string(index) + ")";
}

bool is_integer(const std::string& text) {
    std::int64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    return !text.empty() && result.ec == std::errc{} && result.ptr == end;
}

/// Below an app's path these are questions about it; "." and ".." were resolved before.
bool ends_in_reserved_word(const std::string& path) {
    const auto last = path.substr(path.rfind('/') + 1);
    return last == "restart" || last == "tasks" || last == "versions";
}

void check_identity(const AppDefinition& app, Rules& rules) {
    rules.expect(valid_app_path(app.id.value),
                 "/id",
                 "must fully match regular expression "
                 "'^(([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])\\.)*([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-"
                 "z0-9])|(\\.|\\.\\.)$'");
    rules.expect(!ends_in_reserved_word(app.id.value),
                 "/id",
                 "must not end with any of the following reserved keywords: restart, tasks, "
                 "versions, ., ..");
    for (std::size_t i = 0; i < app.dependencies.size(); ++i) {
        const auto& other = app.dependencies[i];
        rules.expect(
            valid_app_path(other.value), indexed("/dependencies", i), "is not a valid path");
        rules.expect(
            other != app.id, indexed("/dependencies", i), "an app cannot depend on itself");
    }
}

void check_command(const AppDefinition& app, Rules& rules) {
    const bool one = app.cmd.has_value() != app.args.has_value();
    const bool none_but_container =
        !app.cmd && !app.args && app.container && !app.container->image.empty();
    rules.expect(one || none_but_container,
                 "/",
                 "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.");
    rules.expect(!app.cmd || !app.cmd->empty(), "/cmd", "must not be empty");
}

void check_amounts(const AppDefinition& app, Rules& rules) {
    rules.expect(app.resources.milli_cpus >= 1, "/cpus", "got 0.0, expected 0.001 or more");
    rules.expect(app.backoff_seconds >= 0, "/backoffSeconds", "must be greater than or equal to 0");
    rules.expect(app.backoff_factor >= 1, "/backoffFactor", "must be greater than or equal to 1");
    rules.expect(app.max_launch_delay_seconds >= 0,
                 "/maxLaunchDelaySeconds",
                 "must be greater than or equal to 0");
    const auto share = [&](double value, const std::string& name) {
        rules.expect(value <= 1, "/upgradeStrategy/" + name, "is greater than 1");
        rules.expect(value >= 0, "/upgradeStrategy/" + name, "is less than 0");
    };
    share(app.upgrade_strategy.minimum_health_capacity, "minimumHealthCapacity");
    share(app.upgrade_strategy.maximum_over_capacity, "maximumOverCapacity");
    const auto& lost = app.unreachable_strategy;
    rules.expect(lost.inactive_after_seconds <= lost.expunge_after_seconds,
                 "/unreachableStrategy",
                 "inactiveAfterSeconds (" + std::to_string(lost.inactive_after_seconds) +
                     ") must be less or equal to expungeAfterSeconds, which is " +
                     std::to_string(lost.expunge_after_seconds));
    const auto grace = app.task_kill_grace_period_seconds.value_or(0);
    rules.expect(grace >= 0 && grace <= kill_grace_seconds_max,
                 "/taskKillGracePeriodSeconds",
                 "must be from 0 to " + std::to_string(kill_grace_seconds_max));
    const auto single = app.labels.find("MARATHON_SINGLE_INSTANCE_APP");
    rules.expect(single == app.labels.end() || single->second != "true" || app.instances <= 1,
                 "/",
                 "Single instance app may only have one instance");
}

void check_env(const AppDefinition& app, Rules& rules) {
    std::size_t bytes = 0;
    const auto name_is_legal = [&](const std::string& name) {
        rules.expect(!name.empty() && name.find('=') == std::string::npos &&
                         name.find('\0') == std::string::npos,
                     "/env/" + name,
                     "a name must not be empty, nor contain '=' or NUL");
    };
    for (const auto& [name, value] : app.env) {
        name_is_legal(name);
        bytes += name.size() + value.size();
    }
    for (const auto& [name, value] : app.env_secrets) {
        name_is_legal(name);
    }
    rules.expect(bytes <= env_bytes_max,
                 "/env",
                 "must not be larger than " + std::to_string(env_bytes_max) + " bytes in all");
}

void check_labels(const AppDefinition& app, Rules& rules) {
    for (const auto& [name, value] : app.labels) {
        rules.expect(!name.empty() && name.find('\0') == std::string::npos,
                     "/labels/" + name,
                     "a name must not be empty, nor contain NUL");
    }
}

void check_constraint(const std::vector<std::string>& constraint,
                      const std::string& path,
                      Rules& rules) {
    if (constraint.size() != 2 && constraint.size() != 3) {
        rules.expect(false, path, "Each constraint must have either 2 or 3 fields");
        return;
    }
    const auto& word = constraint[1];
    const bool has_value = constraint.size() == 3;
    const auto value = has_value ? constraint[2] : std::string();
    rules.expect(!constraint[0].empty(), path, "the field of a constraint must not be empty");
    if (word == "UNIQUE") {
        rules.expect(!has_value, path, "UNIQUE does not accept a value");
    } else if (word == "LIKE" || word == "UNLIKE") {
        rules.expect(has_value && !value.empty(),
                     path,
                     "LIKE and UNLIKE require a non-empty, regular expression value");
    } else if (word == "MAX_PER") {
        rules.expect(is_integer(value), path, "MAX_PER requires an integer value");
    } else if (word == "GROUP_BY") {
        rules.expect(!has_value || is_integer(value),
                     path,
                     "GROUP BY must define an integer value or else no value at all");
    } else if (word == "IS") {
        rules.expect(has_value, path, "IS requires a value");
    } else {
        rules.expect(word == "CLUSTER",
                     path,
                     "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, "
                     "MAX_PER, UNLIKE or IS");
    }
}

/// Names of ports: unique, and short enough to be part of a variable's name.
class PortNames {
  public:
    void
    check(const std::string& name, const std::string& list, const std::string& at, Rules& rules) {
        if (name.empty()) {
            return;
        }
        const bool legal = name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
                               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                      (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                           });
        rules.expect(
            legal, at + "/name", "must fully match regular expression '^[a-zA-Z0-9._-]+$'");
        rules.expect(seen_.insert(name).second, list, "Port names must be unique.");
    }

  private:
    std::set<std::string> seen_;
};

bool known_protocol(const std::string& protocol) {
    return protocol == "tcp" || protocol == "udp" || protocol == "udp,tcp" || protocol == "tcp,udp";
}

void check_port_definitions(const AppDefinition& app, Rules& rules) {
    PortNames names;
    std::set<std::uint16_t> ports;
    for (std::size_t i = 0; i < app.port_definitions.size(); ++i) {
        const auto& definition = app.port_definitions[i];
        const auto at = indexed("/portDefinitions", i);
        names.check(definition.name, "/portDefinitions", at, rules);
        rules.expect(definition.port == 0 || ports.insert(definition.port).second,
                     "/portDefinitions",
                     "Ports must be unique.");
        rules.expect(
            known_protocol(definition.protocol), at + "/protocol", "must be tcp, udp or udp,tcp");
    }
}

void check_port_mappings(const AppContainer& container, Rules& rules) {
    PortNames names;
    std::set<std::pair<std::uint16_t, std::string>> host_ports;
    const std::string list = "/container/portMappings";
    for (std::size_t i = 0; i < container.port_mappings.size(); ++i) {
        const auto& mapping = container.port_mappings[i];
        const auto at = indexed(list, i);
        names.check(mapping.name, list, at, rules);
        rules.expect(
            known_protocol(mapping.protocol), at + "/protocol", "must be tcp, udp or udp,tcp");
        rules.expect(mapping.host_port.value_or(0) == 0 ||
                         host_ports.insert({*mapping.host_port, mapping.protocol}).second,
                     list,
                     "Ports must be unique.");
    }
}

void check_networks(const AppDefinition& app, Rules& rules) {
    rules.expect(app.networks.size() == 1, "/networks", "only one network is supported per app");
    for (std::size_t i = 0; i < app.networks.size(); ++i) {
        const auto& network = app.networks[i];
        const auto at = indexed("/networks", i) + "/name";
        if (network.mode == AppNetworkMode::Container) {
            rules.expect(!network.name.empty(), at, "a container network needs a name");
        } else {
            rules.expect(network.name.empty(), at, "is only allowed for container networks");
        }
    }
    if (app.network_mode() == AppNetworkMode::Host) {
        rules.expect(!app.container || app.container->port_mappings.empty(),
                     "/container/portMappings",
                     "portMappings are not allowed with host-networking");
        check_port_definitions(app, rules);
    } else {
        rules.expect(app.port_definitions.empty(),
                     "/portDefinitions",
                     "portDefinitions are only allowed with host-networking");
        check_port_mappings(*app.container, rules);
    }
}

void check_container(const AppContainer& container, Rules& rules) {
    rules.expect(container.image.size() <= 1024 &&
                     container.image.find_first_of(" \t\r\n") == std::string::npos,
                 "/container/docker/image",
                 "must not contain blanks, nor be longer than 1024 characters");
    rules.expect(container.type == ContainerType::Mesos || !container.image.empty(),
                 "/container/docker/image",
                 "must not be empty");
    for (std::size_t i = 0; i < container.parameters.size(); ++i) {
        rules.expect(!container.parameters[i].first.empty(),
                     indexed("/container/docker/parameters", i) + "/key",
                     "must not be empty");
    }
    for (std::size_t i = 0; i < container.volumes.size(); ++i) {
        const auto& volume = container.volumes[i];
        const auto at = indexed("/container/volumes", i);
        rules.expect(!volume.container_path.empty() &&
                         (!volume.raw.empty() || volume.container_path.front() == '/'),
                     at + "/containerPath",
                     "must be an absolute path");
        rules.expect(volume.container_path.find(':') == std::string::npos,
                     at + "/containerPath",
                     "must not contain a colon");
        rules.expect(!volume.raw.empty() || (!volume.host_path.empty() &&
                                             volume.host_path.find(':') == std::string::npos),
                     at + "/hostPath",
                     "must be given, without a colon in it");
    }
}

} // namespace

void check_rules(const AppDefinition& app, const std::string& prefix, Violations& violations) {
    Rules rules(prefix, violations);
    check_identity(app, rules);
    check_command(app, rules);
    check_amounts(app, rules);
    check_env(app, rules);
    check_labels(app, rules);
    for (std::size_t i = 0; i < app.constraints.size(); ++i) {
        check_constraint(app.constraints[i], indexed("/constraints", i), rules);
    }
    if (app.container) {
        check_container(*app.container, rules);
    }
    check_networks(app, rules);
}

} // namespace methos::services
