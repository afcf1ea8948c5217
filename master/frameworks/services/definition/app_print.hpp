// An AppDefinition as Marathon 1.5 and later print it: canonical fields, defaults included, old
// spellings gone. Pure.
#pragma once

#include "core/base/error.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace methos::services {

enum class Extensions : bool { Hidden, Shown };

/// Without version, versionInfo, counts and deployments: the caller adds what it knows. Extension
/// fields only on request: strict clients break on one unknown field.
[[nodiscard]] nlohmann::json to_json(const AppDefinition& app,
                                     Extensions extensions = Extensions::Hidden);

/// Everything, in one line with a stable order of fields: equal definitions, equal text.
[[nodiscard]] std::string stored_text(const AppDefinition& app);

/// Reads what stored_text wrote. Errors: Internal, naming what is wrong with it.
[[nodiscard]] Result<AppDefinition> parse_stored(const std::string& text);

} // namespace methos::services
