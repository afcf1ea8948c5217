// The file that `methos deploy` reads: one app or a list of apps, in JSON or YAML. Only what the
// CLI itself needs is checked (a usable id); everything else is the master's to judge.
#pragma once

#include "core/base/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <istream>
#include <string>
#include <vector>

namespace methos::cli {

/// An app as it will be sent.
struct AppDocument {
    std::string id;   ///< absolute: "/demo"
    std::string body; ///< JSON with that id
};

constexpr std::size_t app_file_bytes_max = 1024 * 1024;

/// Reads the file, or `standard_input` when `path` is "-".
/// Errors: NotFound, Forbidden, InvalidInput (a folder, over 1 MiB).
[[nodiscard]] Result<std::string> read_app_file(const std::string& path,
                                                std::istream& standard_input);

/// `name` is for messages and tells the language (".json" is JSON only).
/// Errors: InvalidInput naming file and place.
[[nodiscard]] Result<std::vector<AppDocument>> parse_app_file(const std::string& name,
                                                              const std::string& text);

} // namespace methos::cli
