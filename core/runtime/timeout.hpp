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

namespace detail {

/// The operation's end as a value. The race below takes an exception for "lost" and would go on
/// waiting for the timer; a value ends it at once.
template <class T>
awaitable<WorkOutcome<T>> outcome_of(awaitable<T> operation) {
    WorkOutcome<T> outcome;
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(operation);
        } else {
            outcome.value.emplace(co_await std::move(operation));
        }
    } catch (...) {
        outcome.exception = std::current_exception();
    }
    co_return outcome;
}

} // namespace detail

/// Awaits `operation`; after `limit` cancels it, waits for it to end, and throws Failure(Timeout)
/// naming `what`. The operation must honour cancellation. Its own exceptions arrive as they are.
template <class T>
[[nodiscard]] awaitable<T> with_timeout(awaitable<T> operation, Duration limit, std::string what) {
    using namespace asio::experimental::awaitable_operators;
    auto guarded = detail::outcome_of(std::move(operation));
    auto timer = sleep_for(limit);
    auto race = std::move(guarded) || std::move(timer);
    auto winner = co_await std::move(race);
    if (winner.index() == 1) {
        throw_timeout(what, limit);
    }
    auto& outcome = std::get<0>(winner);
    if (outcome.exception) {
        std::rethrow_exception(outcome.exception);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::move(*outcome.value);
    }
}

} // namespace methos
