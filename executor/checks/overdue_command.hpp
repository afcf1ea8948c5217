// Ends a health check's command that hangs: the Engine has no call for it (docker-engine.md 1.6).
// Signals processes and reads /proc; when a command is overdue is the Prober's to say.
#pragma once

#include <cstdint>
#include <string>

namespace methos::executor {

/// Kills the process `pid` and its process group, which is what an exec has for itself, so that no
/// child is left to be joined by the next probe's. False, and nothing is touched, when /proc does
/// not show it as the container's.
bool end_command(const std::string& container_id, std::int64_t pid, const std::string& proc_dir);

} // namespace methos::executor
