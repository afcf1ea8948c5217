// `methos images pull`: has hosts fetch an image ahead of the tasks that will need it.
#pragma once

#include "cli/commands/session.hpp"

#include <string>
#include <vector>

namespace methos::cli {

struct ImagesPullOptions {
    std::string image;
    std::vector<std::string> hosts; ///< ids, starts of ids or hostnames; or "all" alone
    bool force = false;             ///< ask its registry though the image is there
};

/// One line per host as each is done; with `-o json` the master's records as they come. Fails when
/// a host could not fetch it. An interrupt ends those pulls that no task waits for.
[[nodiscard]] int run_images_pull(Session& session, const ImagesPullOptions& options);

} // namespace methos::cli
