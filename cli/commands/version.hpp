// `methos version`: the client's version, and the master's where one answers.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

[[nodiscard]] std::string client_version();

/// A master that does not answer is told of, and is no failure.
[[nodiscard]] int run_version(Session& session);

} // namespace methos::cli
