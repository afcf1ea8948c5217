// Bus messages (bus.proto) to and from model values. Everything read from the bus passes here and
// is checked: sizes, ranges, enums, absolute paths. Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/model/task.hpp"
#include "core/wire/bus.pb.h"

#include <string>
#include <string_view>

namespace methos::wire {

constexpr std::uint32_t protocol_version = 1;
constexpr std::size_t list_length_max = 10'000;   ///< of any list in one frame
constexpr std::size_t text_bytes_max = 64 * 1024; ///< of any string in a frame, messages included

/// Parses and checks the outer form. Errors: Protocol.
[[nodiscard]] Result<Frame> parse_frame(std::string_view bytes);
[[nodiscard]] std::string serialize(const Frame& frame);

void to_wire(const HostInfo& info, Host& out);
[[nodiscard]] Result<HostInfo> from_wire(const Host& in);
void to_wire(const methos::TaskSpec& spec, TaskSpec& out);
[[nodiscard]] Result<methos::TaskSpec> from_wire(const TaskSpec& in);
void to_wire(const methos::TaskLaunch& launch, TaskLaunch& out);
[[nodiscard]] Result<methos::TaskLaunch> from_wire(const TaskLaunch& in);
void to_wire(const methos::TaskStatus& status, TaskStatus& out);
[[nodiscard]] Result<methos::TaskStatus> from_wire(const TaskStatus& in);

} // namespace methos::wire
