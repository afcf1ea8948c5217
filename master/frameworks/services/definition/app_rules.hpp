// What an app that reads well may still get wrong: Marathon's rules, in Marathon's words where
// clients search for them. Pure; used by app_parse.
#pragma once

#include "master/frameworks/services/definition/api_error.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <string>

namespace methos::services {

/// Adds every violation; `prefix` begins its path.
void check_rules(const AppDefinition& app, const std::string& prefix, Violations& violations);

} // namespace methos::services
