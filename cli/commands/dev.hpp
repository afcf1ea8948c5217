// `methos dev`: a whole one-host cluster in the foreground: proxy, master and executor as children,
// their logs on one terminal, ended together.
#pragma once

#include "cli/client/target.hpp"
#include "cli/output/terminal.hpp"

#include <string>

namespace methos::cli {

struct DevOptions {
    std::string data_dir; ///< empty: $XDG_DATA_HOME/methos/dev, ~/.local/share/methos/dev
    std::string http;     ///< HOST:PORT; empty: 127.0.0.1:8080, or a free port where it is taken
    std::string bus;      ///< likewise, 5051
    std::string registry; ///< likewise, 5000
    std::string docker = "unix:///var/run/docker.sock";
};

/// Runs until SIGINT or SIGTERM (0) or until one of the three ends (1). While it runs, the context
/// "dev" leads to its master, and is the current one when there is no other.
[[nodiscard]] int
run_dev(const Environment& environment, Terminal& terminal, const DevOptions& options);

} // namespace methos::cli
