// The heart's apps, tasks and hosts as JSON documents: Marathon's shapes, and our own with more in
// them. Pure.
#pragma once

#include "master/heart/heart.hpp"

#include <nlohmann/json_fwd.hpp>

namespace methos::master {

/// Whose clients read it: Marathon's break on one unknown field.
enum class Dialect { Marathon, Methos };

/// What of an app is printed besides its definition and counts.
struct AppParts {
    bool tasks = false;
    bool last_failure = false;
};

[[nodiscard]] nlohmann::json
print_app(const services::App& app, const heart::Heart& heart, AppParts parts, Dialect dialect);
/// An app's `versionInfo`.
[[nodiscard]] nlohmann::json print_version_info(WallTime last_scaling_at,
                                                WallTime last_config_change_at);
[[nodiscard]] nlohmann::json print_task(const cluster::Task& task,
                                        const services::App& app,
                                        const heart::Heart& heart,
                                        Dialect dialect);
[[nodiscard]] nlohmann::json
print_tasks(const services::App& app, const heart::Heart& heart, Dialect dialect);
/// {bytesDone, bytesTotal, percent, layersDone, layersTotal}
[[nodiscard]] nlohmann::json print_image_progress(const ImageProgress& progress);
[[nodiscard]] nlohmann::json print_host(const cluster::Host& host);

/// GET /methos/v1/why: what an app waits for, in numbers and in one sentence per group.
[[nodiscard]] nlohmann::json
print_why(const services::App& app, const heart::Heart& heart, Now now);

/// Compact text; bytes that are not UTF-8 (from a container's message) are replaced.
[[nodiscard]] std::string to_text(const nlohmann::json& document);

} // namespace methos::master
