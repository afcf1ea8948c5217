// Marathon's placement constraints: which hosts an app's next instance may go to. Pure.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/services/definition/api_error.hpp"

#include <string>
#include <vector>

namespace methos::services {

struct App;

/// What this build cannot honour, so that nobody's constraint is silently ignored.
[[nodiscard]] Violations
check_constraints(const std::vector<std::vector<std::string>>& constraints);

/// The fields that an app's constraints are about, in their order: what its Instances count.
[[nodiscard]] std::vector<std::string>
constrained_fields(const std::vector<std::vector<std::string>>& constraints);

/// Whether one more instance may run on `host`, given where the others are.
[[nodiscard]] bool admits(const App& app, const cluster::Host& host);

} // namespace methos::services
