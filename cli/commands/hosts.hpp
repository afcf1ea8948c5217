// `methos hosts [HOST]`: the machines, what they have and what is used of it.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

/// `host` empty: all of them.
[[nodiscard]] int run_hosts(Session& session, const std::string& host);

} // namespace methos::cli
