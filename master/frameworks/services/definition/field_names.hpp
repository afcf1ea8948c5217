// The top-level fields that are kept and printed without being understood here.
#pragma once

#include <array>

namespace methos::services {

/// Marathon's, without effect in Methos (docs/compatibility.md).
constexpr std::array inert_fields{"secrets",
                                  "check",
                                  "readinessChecks",
                                  "residency",
                                  "resourceLimits",
                                  "executorResources",
                                  "executor",
                                  "tty",
                                  "storeUrls",
                                  "taskRateLimit"};

/// Methos's own: read by the parts that act on them, hidden from strict clients.
constexpr std::array extension_fields{
    "autoscale", "priority", "deadlineSeconds", "canary", "autoRollback", "hostConfig"};

} // namespace methos::services
