// Reading JSON of which every field may be absent, null or of another type. For this folder's .cpp
// files only (it brings the JSON library in).
#pragma once

#include "executor/docker/values.hpp"

#include <nlohmann/json.hpp> // lint: includes because only this folder's .cpp files include it

#include <string>
#include <vector>

namespace methos::docker::json_access {

using Json = nlohmann::json;

/// The field, or a null when `object` is no object or has no such field.
[[nodiscard]] const Json& field(const Json& object, const char* key);
/// Empty unless it is a string.
[[nodiscard]] std::string text(const Json& object, const char* key);
/// 0 unless it is a number that fits (a fraction is cut off).
[[nodiscard]] std::int64_t number(const Json& object, const char* key);
/// Whether it is a whole number.
[[nodiscard]] bool has_number(const Json& object, const char* key);
/// False unless it is true.
[[nodiscard]] bool flag(const Json& object, const char* key);
/// The strings of an array; a single string counts as an array of one (Entrypoint of old images).
[[nodiscard]] std::vector<std::string> texts(const Json& object, const char* key);
/// The names of an object's fields.
[[nodiscard]] std::vector<std::string> keys(const Json& object, const char* key);
/// The fields of an object that are strings.
[[nodiscard]] Labels labels(const Json& object, const char* key);
/// 0 unless it is a time.
[[nodiscard]] UnixNanos time(const Json& object, const char* key);

/// Parses a whole document. Throws Failure(Protocol) naming `what` and the place of the mistake.
[[nodiscard]] Json parse(const std::string& document, const std::string& what);

} // namespace methos::docker::json_access
