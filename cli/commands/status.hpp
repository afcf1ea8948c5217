// `methos status APP`: one app with its instances and its last failure.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

[[nodiscard]] int run_status(Session& session, const std::string& app);

} // namespace methos::cli
