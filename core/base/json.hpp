// JSON text to values and back, for whoever reads or writes a document. It is here for the
// compiler's sake: nlohmann's parser and printer are templates that would otherwise be compiled in
// every file that names them. What a document means is its reader's affair. Pure.
#pragma once

#include "core/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace methos {

/// The document's value. Throws nlohmann::json::parse_error, which says what is wrong at which
/// byte.
[[nodiscard]] nlohmann::json parse_json(std::string_view text);

/// The same, but a discarded value when more than `depth_max` lists and objects stand in each
/// other.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, int depth_max);

/// The document's value, or a discarded one when `text` is no JSON.
[[nodiscard]] nlohmann::json try_parse_json(std::string_view text);

/// These two keep the order of an object's fields, and else are as those above.
[[nodiscard]] nlohmann::ordered_json parse_ordered_json(std::string_view text);
[[nodiscard]] nlohmann::ordered_json try_parse_ordered_json(std::string_view text);

/// The value as text: on one line, or in lines with `indent` blanks for each level. What is not
/// UTF-8 in it is replaced by U+FFFD.
[[nodiscard]] std::string dump_json(const nlohmann::json& value, int indent = -1);
[[nodiscard]] std::string dump_json(const nlohmann::ordered_json& value, int indent = -1);

/// The value as text on one line. Errors: InvalidInput when it holds a string that is not UTF-8.
[[nodiscard]] Result<std::string> dump_json_exactly(const nlohmann::json& value);

} // namespace methos
