// `methos restart`: every instance of an app anew, as its upgrade strategy says.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

[[nodiscard]] int run_restart(Session& session, const std::string& app);

} // namespace methos::cli
