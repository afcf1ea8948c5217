#include "master/frameworks/services/definition/health_check_task.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace methos::services {

using nlohmann::json;

namespace {

ProbeKind kind_of(const std::string& protocol) {
    if (protocol == "COMMAND") {
        return ProbeKind::Command;
    }
    if (protocol.ends_with("TCP")) {
        return ProbeKind::Tcp;
    }
    return protocol.ends_with("HTTPS") ? ProbeKind::Https : ProbeKind::Http;
}

bool has_no_network(const AppDefinition& app) {
    return app.network_mode() == AppNetworkMode::Container && app.networks.front().name == "none";
}

/// Marathon's own checks come from outside and name a port as the host has it; those that it hands
/// to Mesos (MESOS_...) come from inside. We always ask inside.
std::uint16_t
inside_port(const AppDefinition& app, const std::string& protocol, std::uint16_t port) {
    if (app.network_mode() != AppNetworkMode::Bridge || protocol.starts_with("MESOS_")) {
        return port;
    }
    const auto& mappings = app.container->port_mappings;
    const auto found =
        std::find_if(mappings.begin(), mappings.end(), [port](const AppPortMapping& mapping) {
            return mapping.host_port == port && mapping.container_port != 0;
        });
    return found == mappings.end() ? port : found->container_port;
}

/// False when the app has no such port.
bool set_port(const json& row,
              const std::string& protocol,
              const AppDefinition& app,
              const std::vector<std::size_t>& published,
              HealthCheck& check) {
    const auto port = row.value("port", std::uint16_t{0});
    if (port != 0) {
        check.port = inside_port(app, protocol, port);
        return true;
    }
    const bool on_host = app.network_mode() == AppNetworkMode::Host;
    const auto ports = on_host ? app.port_definitions.size() : app.container->port_mappings.size();
    const auto place = row.value("portIndex", std::int64_t{0});
    if (place < 0 || place >= static_cast<std::int64_t>(ports)) {
        return false;
    }
    const auto index = static_cast<std::size_t>(place);
    if (on_host) {
        check.port_index = static_cast<std::uint32_t>(index);
        return true;
    }
    const auto found = std::find(published.begin(), published.end(), index);
    if (found != published.end()) {
        check.port_index = static_cast<std::uint32_t>(found - published.begin());
    } else {
        check.port = app.container->port_mappings[index].container_port;
    }
    return true;
}

Duration seconds_of(const json& row, const char* name) {
    return std::chrono::seconds(row.at(name).get<std::int64_t>());
}

bool has_blanks(const std::string& path) {
    return std::any_of(path.begin(), path.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    });
}

Result<HealthCheck> health_check_of(const json& row,
                                    const AppDefinition& app,
                                    const std::vector<std::size_t>& published) {
    const auto protocol = row.at("protocol").get<std::string>();
    HealthCheck check;
    check.kind = kind_of(protocol);
    check.delay = seconds_of(row, "delaySeconds");
    check.grace = seconds_of(row, "gracePeriodSeconds");
    check.interval = std::max<Duration>(seconds_of(row, "intervalSeconds"), health_interval_min);
    check.timeout = seconds_of(row, "timeoutSeconds");
    check.failures_max = row.at("maxConsecutiveFailures").get<std::uint32_t>();
    if (check.kind == ProbeKind::Command) {
        const auto shell = row.at("command").at("value").get<std::string>();
        check.command = {"/bin/sh", "-c", shell};
        return check;
    }
    if (has_no_network(app)) {
        return Error(Code::InvalidInput,
                     app.id.value + " has no network, and a health check by " + protocol +
                         ": give it one by COMMAND");
    }
    check.ipv6 = row.at("ipProtocol").get<std::string>() == "IPv6";
    if (!set_port(row, protocol, app, published, check)) {
        return Error(Code::InvalidInput,
                     app.id.value + " has a health check of a port that it does not have");
    }
    if (check.kind == ProbeKind::Tcp) {
        return check;
    }
    check.path = row.at("path").get<std::string>();
    if (!check.path.starts_with('/')) {
        check.path.insert(0, "/"); // as Marathon does
    }
    if (has_blanks(check.path)) {
        return Error(Code::InvalidInput,
                     app.id.value + " has a health check with blanks in its path '" + check.path +
                         "': write them as %20");
    }
    check.ignore_1xx = row.at("ignoreHttp1xx").get<bool>();
    return check;
}

} // namespace

Result<std::vector<HealthCheck>> health_checks_of(const AppDefinition& app,
                                                  const std::vector<std::size_t>& published) {
    if (app.health_checks.size() > health_checks_max) {
        return Error(Code::InvalidInput,
                     app.id.value + " has " + std::to_string(app.health_checks.size()) +
                         " health checks, and " + std::to_string(health_checks_max) +
                         " are the most that Methos runs");
    }
    std::vector<HealthCheck> checks;
    for (const auto& text : app.health_checks) {
        auto check = health_check_of(parse_json(text), app, published);
        if (!check) {
            return check.error();
        }
        checks.push_back(std::move(*check));
    }
    return checks;
}

} // namespace methos::services
