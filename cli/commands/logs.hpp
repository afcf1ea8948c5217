// `methos logs APP|TASK`: what the instances print.
#pragma once

#include "cli/commands/session.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace methos::cli {

struct LogsOptions {
    std::string name; ///< an app, the id of a task, or the short name that `status` shows
    bool follow = false;
    std::optional<std::int64_t> tail; ///< lines per instance; none: all
    std::string since;                ///< "10m", or an ISO 8601 instant
    bool timestamps = false;
    bool previous = false; ///< of the last instance that ended
};

/// The path and query that ask for the logs. Pure.
/// Errors: InvalidInput when `since` is neither a duration nor an instant.
[[nodiscard]] Result<std::string> plan_logs(const LogsOptions& options);

/// What the instances wrote to stderr goes to stderr. Lines of several instances carry the
/// instance's short name. With `-o json` the records are printed as they come.
[[nodiscard]] int run_logs(Session& session, const LogsOptions& options);

} // namespace methos::cli
