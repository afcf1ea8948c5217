// The command line as a function: arguments in, exit code out. Reads the flags, chooses the master,
// calls the command, and turns every failure into one sentence and a code of DESIGN section 8.
// Knows no process: main.cpp gives it the real surroundings, tests their own.
#pragma once

#include "cli/client/master.hpp"
#include "cli/commands/session.hpp"
#include "cli/output/terminal.hpp"

#include <istream>
#include <string>
#include <vector>

namespace methos::cli {

struct Surroundings {
    Environment environment;
    std::istream& in;
    Terminal terminal;
    Interrupts interrupts = Interrupts::Watch;
    WaitOptions wait = WaitOptions(); ///< --detach and --timeout come from the flags
    Duration answer_limit = std::chrono::seconds(10);
};

/// `arguments` without the program's name.
[[nodiscard]] int run_program(std::vector<std::string> arguments, Surroundings& surroundings);

/// The exit code that a failure of this kind has.
[[nodiscard]] int exit_code_of(Code code);

} // namespace methos::cli
