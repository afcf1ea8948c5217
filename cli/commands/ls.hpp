// `methos ls`: the apps, one line each.
#pragma once

#include "cli/commands/app_view.hpp"
#include "cli/commands/session.hpp"

#include <optional>
#include <string>

namespace methos::cli {

/// "Running", "Deploying", "Suspended", "Waiting" or "Delayed". Pure.
[[nodiscard]] std::string status_of(const AppView& app, const std::optional<WhyView>& why);

[[nodiscard]] Tone tone_of_status(const std::string& status);

[[nodiscard]] int run_ls(Session& session);

} // namespace methos::cli
