// Bus messages (bus.proto) to and from model values. Everything read from the bus passes here or
// through frames.hpp and is checked: sizes, ranges, enums, absolute paths. Pure.
#pragma once

#include "core/model/task.hpp"
#include "core/wire/frames.hpp"

namespace methos::wire {

constexpr std::int64_t milli_cpus_max = 1'000'000'000;           ///< a million cpus
constexpr std::int64_t amount_bytes_max = std::int64_t{1} << 50; ///< of memory or disk: 1 PiB
constexpr std::int64_t gpus_max = 10'000;

// to_wire writes every field of `out` that the value has one for; text that comes from outside
// (messages, host names, attributes) is made valid UTF-8 and cut to text_bytes_max, since a
// receiver refuses the whole frame otherwise. A spec's text is not changed: who accepts a spec
// checks it.
// from_wire checks one entity. Errors: Protocol, naming the field. The rest of the frame stays
// usable: a spec that is refused fails its own tasks only.

void to_wire(const HostInfo& info, Host& out);
/// `build` stays empty: HELLO carries it.
[[nodiscard]] Result<HostInfo> from_wire(const Host& in);
void to_wire(const methos::TaskSpec& spec, TaskSpec& out);
[[nodiscard]] Result<methos::TaskSpec> from_wire(const TaskSpec& in);
void to_wire(const methos::TaskLaunch& launch, TaskLaunch& out);
[[nodiscard]] Result<methos::TaskLaunch> from_wire(const TaskLaunch& in);
void to_wire(const methos::TaskStatus& status, TaskStatus& out);
/// `source` is StatusSource::Executor.
[[nodiscard]] Result<methos::TaskStatus> from_wire(const TaskStatus& in);
void to_wire(const methos::ImageProgress& progress, ImageProgress& out);
[[nodiscard]] Result<methos::ImageProgress> from_wire(const ImageProgress& in);

} // namespace methos::wire
