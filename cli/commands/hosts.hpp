// `methos hosts [HOST]`: the machines, what they have and what is used of it; and what operators do
// with them: inspect, cordon, uncordon, drain, gone.
#pragma once

#include "cli/client/names.hpp"
#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

/// Every host's id and hostname, as the master lists them.
[[nodiscard]] std::vector<HostName> list_host_names(Session& session);

/// `host` empty: all of them.
[[nodiscard]] int run_hosts(Session& session, const std::string& host);

/// One host and the tasks on it.
[[nodiscard]] int run_host_inspect(Session& session, const std::string& host);

/// `verb`: "cordon", "uncordon" or "gone".
[[nodiscard]] int
run_host_change(Session& session, const std::string& verb, const std::string& host);

struct DrainOptions {
    std::string grace; ///< "30s": the longest a task may take to end; empty: as its definition says
    std::string deadline; ///< "10m" from now: then everything is killed; empty: never
    int at_once = 10;
};

/// Waits until nothing is left there. Exit codes: 124 when that takes longer than --timeout.
[[nodiscard]] int
run_host_drain(Session& session, const std::string& host, const DrainOptions& options);

} // namespace methos::cli
