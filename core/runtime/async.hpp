// The small set of asynchronous tools everything is built from: awaitable, deadlines, wake-ups,
// task groups, and work that may block. One loop thread per process owns all state; nothing here is
// thread-safe but run_blocking.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace methos {

namespace asio = boost::asio;
template <class T = void>
using awaitable = asio::awaitable<T>;

/// Waits. Cancellable.
[[nodiscard]] awaitable<> sleep_for(Duration duration);

/// A wake-up that is remembered: a notify() that finds nobody waiting makes the next wait return at
/// once. Several notifies before one wait count as one. One or many waiters; all are woken.
/// It must outlive its waiters, but for those that are destroyed unfinished with their loop.
class Signal {
  public:
    explicit Signal(const asio::any_io_executor& executor);
    void notify();
    /// Returns after the next notify, or at once when one came since the last wait.
    [[nodiscard]] awaitable<> wait();
    /// As wait, but gives up after `limit`; true when notified.
    [[nodiscard]] awaitable<bool> wait_for(Duration limit);

  private:
    asio::any_io_executor executor_;
    std::list<asio::steady_timer*> waiters_; ///< each lives in the frame of its wait
    bool notified_ = false;
};

/// A once-only gate: open() releases all waiters, present and future.
class Gate {
  public:
    explicit Gate(const asio::any_io_executor& executor);
    void open();

    [[nodiscard]] bool is_open() const noexcept { return open_; }

    [[nodiscard]] awaitable<> wait();

  private:
    asio::steady_timer timer_;
    bool open_ = false;
};

/// At most `limit` holders at a time; waiters are served in order. `co_await acquire()` gives a
/// Permit that releases in its destructor. It must outlive its permits and its waiters.
class Semaphore {
  public:
    class Permit {
      public:
        Permit() = default;

        explicit Permit(Semaphore* owner) : owner_(owner) {}

        Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}

        Permit& operator=(Permit&& other) noexcept;
        Permit(const Permit&) = delete;
        Permit& operator=(const Permit&) = delete;
        ~Permit();

      private:
        Semaphore* owner_ = nullptr;
    };

    Semaphore(const asio::any_io_executor& executor, std::size_t limit);
    [[nodiscard]] awaitable<Permit> acquire();

    [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

  private:
    friend class Permit;
    void release();
    asio::any_io_executor executor_;
    std::size_t free_;
    std::list<asio::steady_timer*> waiters_;
};

/// Children of one owner. Every child runs until it ends or stop() cancels it; an exception of a
/// child goes to `on_error` (Code::Cancelled does not). The group must outlive its children: stop()
/// then join() before it is destroyed; the destructor asserts that.
class TaskGroup {
  public:
    using ErrorHandler = std::function<void(const std::string& child, const Error& error)>;

    TaskGroup(asio::any_io_executor executor, ErrorHandler on_error);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    void spawn(std::string name, awaitable<> child);
    /// Cancels every child (terminal cancellation). Children spawned later are cancelled at once.
    void stop();
    /// Returns when no child is left.
    [[nodiscard]] awaitable<> join();
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] const asio::any_io_executor& executor() const noexcept;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Runs `work` on the pool and returns its result on the loop. Cancellation does not interrupt
/// `work` and does not lose its result: the next await ends with Cancelled. Exceptions of `work`
/// arrive here.
template <class T>
[[nodiscard]] awaitable<T> run_blocking(asio::thread_pool& pool, std::function<T()> work);

extern template awaitable<void> run_blocking(asio::thread_pool&, std::function<void()>);

} // namespace methos

#include "core/runtime/async_inline.hpp"
