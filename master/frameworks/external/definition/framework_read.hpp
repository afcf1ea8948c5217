// FrameworkInfo's JSON, and what may be a role. Used by call_read only.
#pragma once

#include "master/frameworks/external/definition/message_fields.hpp"
#include "master/frameworks/external/messages.hpp"

#include <string>
#include <vector>

namespace methos::external {

[[nodiscard]] FrameworkInfo read_framework_info(const MessageFields& fields);

/// Why this cannot be subscribed with; empty when it can. In Mesos's words.
[[nodiscard]] std::string why_unusable(const FrameworkInfo& info,
                                       const std::vector<std::string>& suppressed_roles);

/// Why this cannot be the id of anything; empty when it can. Mesos's rules for every id.
[[nodiscard]] std::string why_no_id(const std::string& text);

} // namespace methos::external
