#include "executor/tasks/exit_message.hpp"

#include <csignal>

namespace methos::executor {

namespace {

std::string signal_name(int number) {
    switch (number) {
    case SIGHUP:
        return "SIGHUP";
    case SIGINT:
        return "SIGINT";
    case SIGQUIT:
        return "SIGQUIT";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGKILL:
        return "SIGKILL";
    case SIGSEGV:
        return "SIGSEGV";
    case SIGPIPE:
        return "SIGPIPE";
    case SIGTERM:
        return "SIGTERM";
    default:
        return "signal " + std::to_string(number);
    }
}

} // namespace

std::string describe_exit(int exit_code, bool oom_killed) {
    const auto code = std::to_string(exit_code);
    if (is_oom_exit(exit_code, oom_killed)) {
        return "ran out of memory (exit code " + code + ")";
    }
    constexpr int signal_base = 128; // a shell's and the Engine's convention
    constexpr int signal_last = 64;
    const bool by_signal = exit_code > signal_base && exit_code <= signal_base + signal_last;
    const auto how =
        by_signal ? "ended by " + signal_name(exit_code - signal_base) + " (exit code " + code + ")"
                  : "exited with code " + code;
    return oom_killed && exit_code != 0 ? how + "; one of its processes had run out of memory"
                                        : how;
}

bool is_oom_exit(int exit_code, bool oom_killed) {
    return oom_killed && exit_code == 128 + SIGKILL;
}

bool is_stop_signal_exit(int exit_code) {
    return exit_code == 137 || exit_code == 143; // 128 + SIGKILL, 128 + SIGTERM
}

bool is_port_conflict(std::string_view engine_error) {
    if (engine_error.find("exec: \"") != std::string_view::npos) {
        return false; // it quotes the task's command, which may be called anything
    }
    return engine_error.find("port is already allocated") != std::string_view::npos ||
           engine_error.find("address already in use") != std::string_view::npos;
}

} // namespace methos::executor
