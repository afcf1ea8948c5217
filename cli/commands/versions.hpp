// `methos versions`, what an app was, and `methos rollback`, which makes it so again.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

/// The newest first. For people also what each version ran.
[[nodiscard]] int run_versions(Session& session, const std::string& app);

/// Without a version: the one before the present one.
[[nodiscard]] int
run_rollback(Session& session, const std::string& app, const std::string& version);

} // namespace methos::cli
