// A JSON document of outside origin, parsed within bounds: size, nesting, number of values, and no
// field twice in one object. Used by this folder's readers and by master/api for operator calls.
#pragma once

#include "core/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace methos::external {

/// Errors: InvalidInput, "Failed to parse body into JSON: ...".
[[nodiscard]] Result<nlohmann::json> parse_document(const std::string& body);

} // namespace methos::external
