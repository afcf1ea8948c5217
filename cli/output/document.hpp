// What `-o json`, `-o yaml` and `-o name` print: the API's own document, unchanged or in YAML, or
// the ids in it.
#pragma once

#include "cli/output/terminal.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace methos::cli {

/// Prints `body` byte for byte (plus a newline where it has none) for Form::Json, in YAML for
/// Form::Yaml, and `names` one a line for Form::Name. Throws Failure(Protocol) when YAML is asked
/// for and the body is no JSON.
void print_document(Terminal& terminal,
                    const std::string& body,
                    const std::vector<std::string>& names);

} // namespace methos::cli
