#include "executor/checks/check_label.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace methos::executor {

namespace {

using nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::array<std::pair<ProbeKind, const char*>, 4> kinds{
    std::pair{ProbeKind::Http, "http"},
    std::pair{ProbeKind::Https, "https"},
    std::pair{ProbeKind::Tcp, "tcp"},
    std::pair{ProbeKind::Command, "command"}};

std::int64_t ms_of(Duration time) {
    return duration_cast<milliseconds>(time).count();
}

Duration time_of(const json& row, const char* name, Duration least = Duration::zero()) {
    return std::clamp<Duration>(
        milliseconds(row.at(name).get<std::int64_t>()), least, health_time_max);
}

json row_of(const HealthCheck& check) {
    const auto* kind = std::find_if(kinds.begin(), kinds.end(), [&check](const auto& entry) {
        return entry.first == check.kind;
    });
    json row = {{"kind", kind->second},
                {"delayMs", ms_of(check.delay)},
                {"graceMs", ms_of(check.grace)},
                {"intervalMs", ms_of(check.interval)},
                {"timeoutMs", ms_of(check.timeout)},
                {"failuresMax", check.failures_max}};
    if (check.kind == ProbeKind::Command) {
        row["command"] = check.command;
        row["env"] = check.env;
        return row;
    }
    row["port"] = check.port;
    row["ipv6"] = check.ipv6;
    row["path"] = check.path;
    row["ignore1xx"] = check.ignore_1xx;
    return row;
}

HealthCheck check_of(const json& row) {
    const auto kind = row.at("kind").get<std::string>();
    const auto* known = std::find_if(
        kinds.begin(), kinds.end(), [&kind](const auto& entry) { return entry.second == kind; });
    if (known == kinds.end()) {
        throw Failure(Code::Protocol, "a health check of the unknown kind '" + kind + "'");
    }
    HealthCheck check;
    check.kind = known->first;
    check.delay = time_of(row, "delayMs");
    check.grace = time_of(row, "graceMs");
    check.interval = time_of(row, "intervalMs", health_interval_min);
    check.timeout = time_of(row, "timeoutMs");
    check.failures_max = row.at("failuresMax").get<std::uint32_t>();
    if (check.kind == ProbeKind::Command) {
        check.command = row.at("command").get<std::vector<std::string>>();
        check.env = row.at("env").get<std::map<std::string, std::string>>();
        return check;
    }
    check.port = row.at("port").get<std::uint16_t>();
    check.ipv6 = row.at("ipv6").get<bool>();
    check.path = row.at("path").get<std::string>();
    check.ignore_1xx = row.at("ignore1xx").get<bool>();
    return check;
}

Result<std::uint16_t>
port_of(const HealthCheck& check, const TaskSpec& spec, const TaskLaunch& launch) {
    if (spec.network == NetworkMode::None) {
        return Error(Code::InvalidInput,
                     "a task without a network can only have health checks of commands");
    }
    if (check.port != 0) {
        return check.port;
    }
    const std::size_t index = check.port_index.value_or(0);
    if (index >= launch.host_ports.size()) {
        return Error(Code::InvalidInput,
                     "a health check asks for port index " + std::to_string(index) +
                         ", and the task has " + std::to_string(launch.host_ports.size()) +
                         " ports");
    }
    const bool own_number = spec.network != NetworkMode::Host && index < spec.ports.size() &&
                            spec.ports[index].container_port != 0;
    return own_number ? spec.ports[index].container_port : launch.host_ports[index];
}

} // namespace

Result<SettledChecks> settle_checks(const TaskSpec& spec, const TaskLaunch& launch) {
    SettledChecks settled{spec.health_checks, spec.network == NetworkMode::Host};
    for (auto& check : settled.checks) {
        if (!asks_network(check.kind)) {
            continue;
        }
        const auto port = port_of(check, spec, launch);
        if (!port) {
            return port.error();
        }
        check.port = *port;
        check.port_index.reset();
    }
    return settled;
}

std::string health_label(const SettledChecks& settled) {
    auto rows = json::array();
    for (const auto& check : settled.checks) {
        rows.push_back(row_of(check));
    }
    const json label = {{"hostNetwork", settled.host_network}, {"checks", std::move(rows)}};
    return dump_json(label);
}

Result<SettledChecks> parse_health_label(const std::string& label) {
    SettledChecks settled;
    try {
        const auto root = parse_json(label);
        settled.host_network = root.at("hostNetwork").get<bool>();
        for (const auto& row : root.at("checks")) {
            settled.checks.push_back(check_of(row));
        }
    } catch (const std::exception&) {
        return Error(Code::Protocol,
                     "the label of its health checks is not readable: " +
                         error_of_current_exception().to_string());
    }
    return settled;
}

} // namespace methos::executor
