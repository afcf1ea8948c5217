// Templates of async.hpp. Included by it only.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace methos {

namespace detail {

/// A coroutine that runs `work` wherever it is spawned.
template <class T>
awaitable<T> call_work(std::function<T()> work) {
    co_return work();
}

}  // namespace detail

template <class T>
awaitable<T> run_blocking(asio::thread_pool& pool, std::function<T()> work) {
    auto child = detail::call_work<T>(std::move(work));
    co_return co_await asio::co_spawn(pool.get_executor(), std::move(child), asio::use_awaitable);
}

}  // namespace methos
