#include "master/frameworks/services/constraints.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/services.hpp"

#include <algorithm>
#include <optional>

namespace methos::services {

namespace {

std::optional<std::string> value_on(const cluster::Host& host, const std::string& field) {
    if (field == "hostname" || field == "@hostname") {
        return host.info.hostname;
    }
    const auto name = field == "@region" ? "region" : field == "@zone" ? "zone" : field;
    const auto found = host.info.attributes.find(name);
    return found == host.info.attributes.end() ? std::nullopt : std::optional(found->second);
}

/// The values of `field` where the app's active instances are, one per instance.
std::vector<std::string>
values_in_use(const App& app, const std::string& field, const cluster::Cluster& cluster) {
    std::vector<std::string> values;
    for (const auto number : app.tasks) {
        const auto* task = cluster.find_task(number);
        if (!task->active()) {
            continue;
        }
        if (const auto value = value_on(*cluster.find_host(task->host), field)) {
            values.push_back(*value);
        }
    }
    return values;
}

bool admits_one(const std::vector<std::string>& constraint,
                const App& app,
                const cluster::Host& host,
                const cluster::Cluster& cluster) {
    const auto& field = constraint.at(0);
    const auto& op = constraint.at(1);
    const auto wanted = constraint.size() > 2 ? constraint.at(2) : std::string();
    const auto value = value_on(host, field);
    if (!value) {
        return false;
    }
    if (op == "IS" || (op == "CLUSTER" && !wanted.empty())) {
        return *value == wanted;
    }
    const auto used = values_in_use(app, field, cluster);
    if (op == "UNIQUE") {
        return std::find(used.begin(), used.end(), *value) == used.end();
    }
    if (op == "CLUSTER") {
        return used.empty() || used.front() == *value;
    }
    const auto most = parse_int(wanted, 0, 1'000'000); // MAX_PER; checked when the app was accepted
    return most && std::count(used.begin(), used.end(), *value) < *most;
}

} // namespace

Violations check_constraints(const std::vector<std::vector<std::string>>& constraints) {
    Violations violations;
    for (std::size_t i = 0; i < constraints.size(); ++i) {
        const auto path = "/constraints(" + std::to_string(i) + ")";
        const auto& op = constraints[i].at(1);
        const bool known = op == "UNIQUE" || op == "CLUSTER" || op == "IS" || op == "MAX_PER";
        if (!known) {
            violations.add(path, op + " is not supported yet; UNIQUE, CLUSTER, MAX_PER and IS are");
        } else if (op == "MAX_PER" &&
                   (constraints[i].size() < 3 || !parse_int(constraints[i][2], 0, 1'000'000))) {
            violations.add(path, "MAX_PER requires an integer value");
        }
    }
    return violations;
}

bool admits(const App& app, const cluster::Host& host, const cluster::Cluster& cluster) {
    return std::all_of(
        app.definition.constraints.begin(),
        app.definition.constraints.end(),
        [&](const auto& constraint) { return admits_one(constraint, app, host, cluster); });
}

} // namespace methos::services
