// `methos scale APP N`: changes how many instances are wanted.
#pragma once

#include "cli/commands/session.hpp"

#include <cstdint>
#include <string>

namespace methos::cli {

[[nodiscard]] int run_scale(Session& session, const std::string& app, std::int64_t instances);

} // namespace methos::cli
