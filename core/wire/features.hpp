// What a peer can do beyond its protocol, as HELLO's `features` name it (docs/protocol.md).
#pragma once

#include <string_view>

namespace methos::wire {

/// Of a stream connection: StreamOpen.pull_image is understood.
inline constexpr std::string_view feature_pull_image = "pull_image";

} // namespace methos::wire
