#include "executor/race.hpp"
#include "core/runtime/timeout.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace methos::executor {

awaitable<> race(awaitable<> one, awaitable<> other) {
    using namespace asio::experimental::awaitable_operators;
    auto first = std::make_shared<detail::WorkOutcome<void>>();
    auto second = std::make_shared<detail::WorkOutcome<void>>();
    auto running = detail::run_into(std::move(one), first);
    auto beside = detail::run_into(std::move(other), second);
    auto both = std::move(running) || std::move(beside);
    const auto winner = co_await std::move(both);
    const auto exception = winner.index() == 0 ? first->exception : second->exception;
    if (exception) {
        std::rethrow_exception(exception);
    }
}

} // namespace methos::executor
