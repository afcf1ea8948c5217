// Two ways in which many coroutines share one piece of work: SingleFlight (one does it, all get the
// result) and Broadcast (all are told that something changed). Loop thread only.
#pragma once

#include "core/runtime/async.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace methos::proxy {

/// Wakes every waiter at each notify(). A waiter remembers the version it has seen, so that nothing
/// is missed between looking and waiting.
class Broadcast {
  public:
    explicit Broadcast(const asio::any_io_executor& executor) : timer_(executor, MonoTime::max()) {}

    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

    void notify() {
        ++version_;
        timer_.cancel();
    }

    /// Returns once the version is no longer `seen`. Throws Failure(Cancelled).
    [[nodiscard]] awaitable<> wait_beyond(std::uint64_t seen) {
        while (version_ == seen) {
            boost::system::error_code ended;
            co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) {
                throw Failure(Code::Cancelled, "cancelled");
            }
        }
    }

  private:
    asio::steady_timer timer_;
    std::uint64_t version_ = 0;
};

/// Runs one piece of work per key at a time; whoever asks meanwhile waits for the same outcome. The
/// work belongs to the group, not to the caller that was first: a caller that leaves stops nothing.
template <class T>
class SingleFlight {
  public:
    using Work = std::function<awaitable<T>()>;

    /// The group must be stopped and joined before this object goes.
    explicit SingleFlight(TaskGroup& group) : group_(group) {}

    [[nodiscard]] awaitable<T> run(std::string key, Work work) {
        std::shared_ptr<Flight> flight;
        if (const auto found = flights_.find(key); found != flights_.end()) {
            flight = found->second;
        } else {
            flight = std::make_shared<Flight>(group_.executor());
            flights_.emplace(key, flight);
            auto child = fly(key, flight, std::move(work));
            // Work that never waits is done, and its entry gone, when spawn returns.
            group_.spawn("flight " + key, std::move(child));
        }
        co_await flight->landed.wait();
        if (flight->failure) {
            std::rethrow_exception(flight->failure);
        }
        co_return *flight->value;
    }

  private:
    struct Flight {
        explicit Flight(const asio::any_io_executor& executor) : landed(executor) {}

        Gate landed;
        std::optional<T> value;
        std::exception_ptr failure;
    };

    awaitable<> fly(std::string key, std::shared_ptr<Flight> flight, Work work) {
        try {
            auto running = work();
            flight->value = co_await std::move(running);
        } catch (...) {
            flight->failure = std::current_exception();
        }
        flights_.erase(key);
        flight->landed.open();
    }

    TaskGroup& group_;
    std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

} // namespace methos::proxy
