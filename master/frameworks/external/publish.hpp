// How something reaches a foreign framework: on its stream, after the commit, if it is subscribed.
// Used by class External only.
#pragma once

#include "master/frameworks/external/foreign_framework.hpp"

namespace methos::external {

/// Nothing when the framework is not subscribed.
void publish(const ForeignFramework& framework, EventBody body, cluster::Step& step);

/// For steps that are watched: the framework is new, came back, left, or is over.
void tell_watchers(const ForeignFramework& framework,
                   cluster::FrameworkChanged::Kind kind,
                   cluster::Step& step);

/// "web" (b6ff1234-...): for the log.
[[nodiscard]] std::string label_of(const ForeignFramework& framework);

/// Whether a state is one of those that only PARTITION_AWARE frameworks know.
[[nodiscard]] bool is_partition_state(TaskState state);

} // namespace methos::external
