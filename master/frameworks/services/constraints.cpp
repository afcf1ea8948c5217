#include "master/frameworks/services/constraints.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/services.hpp"

#include <algorithm>
#include <optional>

namespace methos::services {

namespace {

using Counts = std::map<std::string, std::size_t>;

/// The value that most instances have; of equals the first.
const std::string& commonest(const Counts& counts) {
    return std::max_element(counts.begin(),
                            counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
}

/// `used`: how many instances are where the constraint's field has each value.
bool admits_one(const std::vector<std::string>& constraint,
                const cluster::Host& host,
                const Counts& used) {
    const auto& op = constraint.at(1);
    const auto wanted = constraint.size() > 2 ? constraint.at(2) : std::string();
    const auto value = value_on(host, constraint.at(0));
    if (!value) {
        return false;
    }
    if (op == "IS" || (op == "CLUSTER" && !wanted.empty())) {
        return *value == wanted;
    }
    if (op == "CLUSTER") {
        return used.empty() || commonest(used) == *value;
    }
    const auto there = used.find(*value);
    if (op == "UNIQUE") {
        return there == used.end();
    }
    const auto most = parse_int(wanted, 0, 1'000'000); // MAX_PER; checked when the app was accepted
    return most && (there == used.end() ? 0 : static_cast<std::int64_t>(there->second)) < *most;
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

std::vector<std::string>
constrained_fields(const std::vector<std::vector<std::string>>& constraints) {
    std::vector<std::string> fields;
    for (const auto& constraint : constraints) {
        fields.push_back(constraint.at(0));
    }
    return fields;
}

bool admits(const App& app, const cluster::Host& host) {
    const auto& constraints = app.definition.constraints;
    for (std::size_t i = 0; i < constraints.size(); ++i) {
        if (!admits_one(constraints[i], host, app.instances.values(i))) {
            return false;
        }
    }
    return true;
}

} // namespace methos::services
