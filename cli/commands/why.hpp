// `methos why APP`: in plain sentences, why instances are not running.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

[[nodiscard]] int run_why(Session& session, const std::string& app);

} // namespace methos::cli
