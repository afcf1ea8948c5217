// `methos deploy FILE`: makes the cluster run what the file says, one app or several.
#pragma once

#include "cli/commands/session.hpp"

#include <istream>
#include <string>

namespace methos::cli {

/// Each app is created when it is new, and replaced by the file's definition otherwise; then all
/// are followed. The first app that is refused ends it, and the message says which were accepted
/// before. `file` may be "-" for `standard_input`.
[[nodiscard]] int
run_deploy(Session& session, const std::string& file, std::istream& standard_input);

} // namespace methos::cli
