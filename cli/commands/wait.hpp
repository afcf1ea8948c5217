// Follows a change until it is done: looks at the app every quarter of a second, shows progress,
// and gives the exit code. A master that restarts meanwhile is waited for.
#pragma once

#include "cli/commands/change_watch.hpp"
#include "cli/commands/session.hpp"

#include <string>
#include <vector>

namespace methos::cli {

/// Follows the apps one after another, all within the session's one timeout, and prints for people
/// how each ended. Returns the first exit code that is not 0: 1 failing or vanished, 3 not placed,
/// 124 too long, 130 interrupted. With `--detach` returns 0 at once.
[[nodiscard]] int follow_change(Session& session, const std::vector<std::string>& ids, Goal goal);

} // namespace methos::cli
