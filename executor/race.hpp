// Two coroutines of which the first to end, in whatever way, ends both. Include in .cpp files only:
// the operators are slow to compile.
#pragma once

#include "core/runtime/timeout.hpp"

namespace methos::executor {

/// Awaits until one has returned or thrown, cancels the other and waits for it; what the first has
/// thrown arrives here. (The bare operator would take an exception for "lost" and go on waiting.)
[[nodiscard]] inline awaitable<> race(awaitable<> one, awaitable<> other) {
    using namespace asio::experimental::awaitable_operators;
    auto first = detail::outcome_of(std::move(one));
    auto second = detail::outcome_of(std::move(other));
    auto both = std::move(first) || std::move(second);
    auto winner = co_await std::move(both);
    const auto exception =
        winner.index() == 0 ? std::get<0>(winner).exception : std::get<1>(winner).exception;
    if (exception) {
        std::rethrow_exception(exception);
    }
}

} // namespace methos::executor
