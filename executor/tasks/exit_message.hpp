// What an exit code and an Engine error mean, in words for people and as questions for the
// lifecycle. Pure.
#pragma once

#include <string>
#include <string_view>

namespace methos::executor {

/// "exited with code 3", "ran out of memory (exit code 137)", "ended by SIGTERM (exit code 143)".
[[nodiscard]] std::string describe_exit(int exit_code, bool oom_killed);

/// Whether that was the kernel's doing. `oom_killed` alone only says that some process of the
/// container was killed for memory, at any time: the main one may live on and end otherwise.
[[nodiscard]] bool is_oom_exit(int exit_code, bool oom_killed);

/// What dockerd says of a container that ended while there was no dockerd, and whose shim is gone
/// too: after a power loss.
constexpr int exit_code_unknown = 255;

/// Whether the code is that of a container stopped from outside: 137 (SIGKILL) or 143 (SIGTERM).
[[nodiscard]] bool is_stop_signal_exit(int exit_code);

/// Whether the Engine's error text says that a host port is taken.
[[nodiscard]] bool is_port_conflict(std::string_view engine_error);

} // namespace methos::executor
