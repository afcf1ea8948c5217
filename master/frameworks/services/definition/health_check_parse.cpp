#include "master/frameworks/services/definition/health_check_parse.hpp"

#include "core/base/json.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace methos::services {

using nlohmann::json;

namespace {

constexpr std::int64_t seconds_max = 7LL * 24 * 3600;

bool is_http(std::string_view protocol) {
    return protocol.find("HTTP") != std::string_view::npos;
}

std::string read_protocol(const JsonFields& check) {
    constexpr std::array known{
        "HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"};
    std::string protocol = "HTTP";
    check.read("protocol", protocol);
    if (std::find(known.begin(), known.end(), protocol) == known.end()) {
        check.mistyped("protocol",
                       "error.unknown.enum.literal (HTTP, HTTPS, TCP, COMMAND, MESOS_HTTP, "
                       "MESOS_HTTPS, MESOS_TCP)");
    }
    return protocol;
}

/// Which port a check asks: by number, or by its place among the app's ports.
void read_port(const JsonFields& check,
               const std::string& path,
               std::size_t ports,
               json& normalised) {
    if (check.has("port")) {
        std::uint16_t port = 0;
        check.read_port("port", port);
        normalised["port"] = port;
        if (!check.has("portIndex")) {
            return;
        }
    }
    std::int64_t index = 0;
    check.read("portIndex", index);
    normalised["portIndex"] = index;
    if (!check.has("port") && index >= static_cast<std::int64_t>(ports)) {
        check.problems().invalid.add(path,
                                     "Health check port indices must address an element of the "
                                     "ports array or container port mappings.");
    }
}

void read_command(const JsonFields& check, json& normalised) {
    const auto* field = check.find("command");
    if (field == nullptr) {
        check.mistyped("command", "error.path.missing");
        return;
    }
    const JsonFields command(*field, check.path_of("command"), check.problems());
    std::string value;
    command.require("value", value);
    normalised["command"] = {{"value", value}};
}

json read_health_check(const json& item,
                       const std::string& path,
                       std::size_t ports,
                       Problems& problems) {
    const JsonFields check(item, path, problems);
    json normalised;
    const auto protocol = read_protocol(check);
    normalised["protocol"] = protocol;
    const auto number = [&](const char* name, std::int64_t value) {
        check.read(name, value, 0, seconds_max);
        normalised[name] = value;
    };
    number("gracePeriodSeconds", 300);
    number("intervalSeconds", 60);
    number("timeoutSeconds", 20);
    number("maxConsecutiveFailures", 3);
    number("delaySeconds", 15);
    if (protocol == "COMMAND") {
        read_command(check, normalised);
        return normalised;
    }
    read_port(check, path, ports, normalised);
    std::string ip_protocol = "IPv4";
    check.read("ipProtocol", ip_protocol);
    normalised["ipProtocol"] = ip_protocol;
    if (is_http(protocol)) {
        std::string http_path = "/";
        check.read("path", http_path);
        normalised["path"] = http_path;
        bool ignore = false;
        check.read("ignoreHttp1xx", ignore);
        normalised["ignoreHttp1xx"] = ignore;
    }
    return normalised;
}

} // namespace

void read_health_checks(const JsonFields& fields, AppDefinition& app) {
    const auto ports = app.network_mode() == AppNetworkMode::Host ? app.port_definitions.size()
                       : app.container ? app.container->port_mappings.size()
                                       : 0;
    fields.each("healthChecks", [&](const json& item, const std::string& path) {
        const auto check = read_health_check(item, path, ports, fields.problems());
        app.health_checks.push_back(dump_json(check));
    });
}

} // namespace methos::services
