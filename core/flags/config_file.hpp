// Reads the TOML file of --config: one level of keys, each a flag's name, with the value or values
// that the flag would have got. Knows no flags; daemon_flags.cpp does. The only place that includes
// toml++.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <vector>

namespace methos {

/// One key of the file.
struct ConfigEntry {
    std::string key;
    std::vector<std::string> values; ///< of an array; one where it is none
    bool is_array = false;
    std::string place; ///< "FILE:12", for errors
};

/// In the order of the keys. Errors: InvalidInput with file, line and what is wrong, in printable
/// text.
[[nodiscard]] Result<std::vector<ConfigEntry>> read_config_file(const std::string& path);

} // namespace methos
