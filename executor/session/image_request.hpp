// Fetches an image that an operator wants on this host ahead of its tasks, through the same puller
// as theirs: one pull for all who wait. Knows the words of the bus, not its connection. Loop thread
// only.
#pragma once

#include "core/runtime/async.hpp"
#include "core/wire/frames.hpp"
#include "executor/images/puller.hpp"

#include <functional>
#include <string>

namespace methos::executor {

struct ImageRequest {
    std::string who; ///< waits in the puller; no other may be called so at the same time
    std::string image;
    bool force = false;
};

/// Called on the loop: progress, and at the end a report with the image's id.
using ReportPull = std::function<void(const wire::PullReport&)>;

/// Returns when the image is here. Throws Failure with the reason why it will not be. Cancelled: it
/// waits no longer, which ends a pull that nobody else waits for.
[[nodiscard]] awaitable<> bring_image(ImagePuller& images, ImageRequest request, ReportPull report);

} // namespace methos::executor
