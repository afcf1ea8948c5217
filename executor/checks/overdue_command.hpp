// Ends a health check's command that hangs: the Engine has no call for it (docker-engine.md 1.6).
// Signals processes and reads /proc; when a command is overdue is the Prober's to say.
#pragma once

#include <cstdint>
#include <string>

namespace methos::executor {

enum class CommandEnd : std::uint8_t {
    Signalled,
    NotThere, ///< nothing was touched: /proc does not show it as the container's, or it has ended
    Refused,  ///< it runs on: the kernel does not let this process signal it
};

/// Kills the process `pid` and its process group, which is what an exec has for itself, so that no
/// child is left to be joined by the next probe's.
[[nodiscard]] CommandEnd
end_command(const std::string& container_id, std::int64_t pid, const std::string& proc_dir);

} // namespace methos::executor
