// Deadlines for any awaitable. Separate from async.hpp because few need them.
#pragma once

#include "core/runtime/async.hpp"

#include <memory>
#include <string>
#include <utility>

namespace methos {

[[noreturn]] void throw_timeout(const std::string& what, Duration limit);

namespace detail {

/// The operation's end as a value. A race takes an exception for "lost" and would go on waiting
/// for the other side; a value ends it at once.
template <class T>
awaitable<> run_into(awaitable<T> operation, std::shared_ptr<WorkOutcome<T>> outcome) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(operation);
        } else {
            outcome->value.emplace(co_await std::move(operation));
        }
    } catch (...) {
        outcome->exception = std::current_exception();
    }
}

/// Whether `operation`, which must not throw, ended before `limit`; if not, it has been cancelled
/// and awaited. Not a template: the operators of a race are slow to compile.
[[nodiscard]] awaitable<bool> ends_within(awaitable<> operation, Duration limit);

} // namespace detail

/// Awaits `operation`; after `limit` cancels it, waits for it to end, and throws Failure(Timeout)
/// naming `what`. The operation must honour cancellation. Its own exceptions arrive as they are.
template <class T>
[[nodiscard]] awaitable<T> with_timeout(awaitable<T> operation, Duration limit, std::string what) {
    auto outcome = std::make_shared<detail::WorkOutcome<T>>();
    auto guarded = detail::run_into(std::move(operation), outcome);
    if (!co_await detail::ends_within(std::move(guarded), limit)) {
        throw_timeout(what, limit);
    }
    if (outcome->exception) {
        std::rethrow_exception(outcome->exception);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::move(*outcome->value);
    }
}

} // namespace methos
