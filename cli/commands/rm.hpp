// `methos rm APP`: removes an app and stops its instances.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

[[nodiscard]] int run_rm(Session& session, const std::string& app);

} // namespace methos::cli
