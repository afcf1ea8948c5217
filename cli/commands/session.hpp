// What every command gets: the master, the terminal, and the options that all changing commands
// share. Made by program.cpp, lives for one command.
#pragma once

#include "cli/client/master.hpp"
#include "cli/output/terminal.hpp"

#include <string>

namespace methos::cli {

/// The exit codes of DESIGN section 8 that are no Code of the error table.
namespace exit_code {
constexpr int done = 0;
constexpr int failed = 1;
constexpr int not_placed = 3;
constexpr int waited_too_long = 124;
constexpr int interrupted = 130; ///< 128 + SIGINT, as shells count
} // namespace exit_code

struct WaitOptions {
    bool detach = false;
    Duration timeout = std::chrono::minutes(5);
    Duration poll_interval = std::chrono::milliseconds(250);
    /// How long nothing may change before "it cannot be placed" is believed.
    Duration settle_time = std::chrono::seconds(10);
};

struct Session {
    Master& master;
    Terminal& terminal;
    WaitOptions wait;
};

} // namespace methos::cli
