// `methos run IMAGE [-- ARGS]`: makes a service of an image.
#pragma once

#include "cli/commands/session.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace methos::cli {

struct RunOptions {
    std::string image;
    std::vector<std::string> args; ///< to the image's entrypoint
    std::string name;              ///< empty: after the image
    std::int64_t instances = 1;
    std::vector<std::string> ports; ///< "8080:80/udp", "80"
    std::vector<std::string> env;   ///< "K=V"
    std::vector<std::string> labels;
    double cpus = 0.1;
    double mem_mb = 128;
    std::string command; ///< run by /bin/sh -c in place of the entrypoint
    std::string network; ///< "host", "bridge", or empty: bridge when there are ports
    bool one_off = false;
};

/// The app definition that the options ask for. Pure.
/// Errors: InvalidInput naming the option and a correct form; Unimplemented for `--rm`.
[[nodiscard]] Result<nlohmann::json> plan_run(const RunOptions& options);

[[nodiscard]] int run_run(Session& session, const RunOptions& options);

} // namespace methos::cli
