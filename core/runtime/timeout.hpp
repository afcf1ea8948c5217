// Deadlines for any awaitable. Separate from async.hpp because the operators it needs are slow to
// compile.
#pragma once

#include "core/runtime/async.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <string>
#include <utility>
#include <variant>

namespace methos {

[[noreturn]] void throw_timeout(const std::string& what, Duration limit);

/// Awaits `operation`; after `limit` cancels it, waits for it to end, and throws Failure(Timeout)
/// naming `what`. The operation must honour cancellation.
template <class T>
[[nodiscard]] awaitable<T> with_timeout(awaitable<T> operation, Duration limit, std::string what) {
    using namespace asio::experimental::awaitable_operators;
    auto timer = sleep_for(limit);
    auto race = std::move(operation) || std::move(timer);
    auto outcome = co_await std::move(race);
    if (outcome.index() == 1) {
        throw_timeout(what, limit);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::get<0>(std::move(outcome));
    }
}

} // namespace methos
