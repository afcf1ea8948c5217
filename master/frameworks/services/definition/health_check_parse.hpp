// The health checks of an app definition: checked, and kept as JSON with Marathon's defaults filled
// in. Used by app_parse only.
#pragma once

#include "master/frameworks/services/definition/app_definition.hpp"
#include "master/frameworks/services/definition/json_fields.hpp"

namespace methos::services {

/// Reads `healthChecks`; the app's ports have been read.
void read_health_checks(const JsonFields& fields, AppDefinition& app);

} // namespace methos::services
