// Templates of async.hpp. Included by it only.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace methos {

namespace detail {

/// What a piece of work left behind: its exception, or its value.
template <class T>
struct WorkOutcome {
    std::exception_ptr exception;
    std::optional<T> value;
};

template <>
struct WorkOutcome<void> {
    std::exception_ptr exception;
};

template <class T>
void run_work(std::function<T()>& work, WorkOutcome<T>& outcome) noexcept {
    try {
        if constexpr (std::is_void_v<T>) {
            work();
        } else {
            outcome.value.emplace(work());
        }
    } catch (...) {
        outcome.exception = std::current_exception();
    }
    work = nullptr; // what it holds dies on the pool, as it lived
}

/// Posts the work to the pool and its end back to the loop. A plain function, so that no lambda
/// with captures shares an expression with co_await (STYLE: GCC 12).
template <class T>
awaitable<> post_work(asio::thread_pool& pool,
                      std::function<T()> work,
                      std::shared_ptr<WorkOutcome<T>> outcome) {
    auto initiate = [&pool](auto handler, std::function<T()> job, auto result) {
        auto loop = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(pool,
                   [handler = std::move(handler),
                    job = std::move(job),
                    result = std::move(result),
                    loop = std::move(loop)]() mutable {
                       run_work(job, *result);
                       result.reset();
                       asio::post(loop.get_executor(), std::move(handler));
                   });
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        std::move(initiate), asio::use_awaitable, std::move(work), std::move(outcome));
}

} // namespace detail

template <class T>
awaitable<T> run_blocking(asio::thread_pool& pool, std::function<T()> work) {
    auto outcome = std::make_shared<detail::WorkOutcome<T>>();
    co_await detail::post_work<T>(pool, std::move(work), outcome);
    if (outcome->exception) {
        std::rethrow_exception(outcome->exception);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::move(*outcome->value);
    }
}

} // namespace methos
