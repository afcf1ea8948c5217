// YAML as people write app definitions, to JSON and back, by YAML 1.2's core schema: `yes` and `on`
// are text, `true` and `null` are not, quotes always make text. Bounded in size, depth and the
// number of values, since aliases can make a short file endless. Pure; the only place that includes
// yaml-cpp.
#pragma once

#include "core/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace methos::cli {

/// Every document of a YAML text (parts between `---` lines; empty ones are left out).
/// Scalars below a top-level `env` or `labels` keep their text, since those values are text by
/// definition: `DEBUG: 1` there is "1".
/// Errors: InvalidInput with line and column: syntax, a key given twice, a key that is no scalar,
/// .inf and .nan, more than 64 levels or 100,000 values.
[[nodiscard]] Result<std::vector<nlohmann::json>> parse_yaml(const std::string& text);

/// A JSON value as YAML that parse_yaml reads back as the same value.
[[nodiscard]] std::string to_yaml(const nlohmann::ordered_json& value);

} // namespace methos::cli
