// From an app's health checks, as they are kept, to those of its TaskSpec. Used by app_task only.
// Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/model/health_check.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <vector>

namespace methos::services {

/// `published` are the app's port mappings that get a host port, by their index in the definition;
/// only these count in a launch's ports.
/// Errors: InvalidInput, for what cannot be asked: a network check of a task without a network, an
/// HTTP path with blanks, more checks than an executor takes.
[[nodiscard]] Result<std::vector<HealthCheck>>
health_checks_of(const AppDefinition& app, const std::vector<std::size_t>& published);

} // namespace methos::services
