// Two coroutines of which the first to end, in whatever way, ends both.
#pragma once

#include "core/runtime/async.hpp"

namespace methos::executor {

/// Awaits until one has returned or thrown, cancels the other and waits for it; what the first has
/// thrown arrives here. (The bare operator would take an exception for "lost" and go on waiting.)
[[nodiscard]] awaitable<> race(awaitable<> one, awaitable<> other);

} // namespace methos::executor
