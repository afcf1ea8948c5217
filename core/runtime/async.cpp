#include "core/runtime/async.hpp"
#include "core/runtime/timeout.hpp"

#include "core/base/units.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>

namespace methos {

namespace {

/// Waits for the timer to expire or to be cut short by whoever re-arms it; throws when the
/// coroutine is cancelled.
awaitable<> wait_until_rearmed(asio::steady_timer& timer) {
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw Failure(Code::Cancelled, "cancelled");
    }
}

/// One waiter's place in a list: a timer in the waiter's frame that is woken by being set to the
/// past. Leaves the list by itself, however the frame ends.
class Place {
  public:
    Place(std::list<asio::steady_timer*>& list,
          const asio::any_io_executor& executor,
          MonoTime until)
        : timer(executor, until), list_(list), place_(list.insert(list.end(), &timer)) {}

    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    ~Place() {
        if (!woken()) {
            list_.erase(place_);
        }
    }

    /// Whether wake_front has been called for this place.
    [[nodiscard]] bool woken() const { return timer.expiry() == MonoTime::min(); }

    static void wake_front(std::list<asio::steady_timer*>& list) {
        auto* next = list.front();
        list.pop_front();
        next->expires_at(MonoTime::min()); // both the mark and the wake-up
    }

    asio::steady_timer timer;

  private:
    std::list<asio::steady_timer*>& list_;
    std::list<asio::steady_timer*>::iterator place_;
};

} // namespace

awaitable<> sleep_for(Duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(duration);
    co_await wait_until_rearmed(timer);
}

void throw_timeout(const std::string& what, Duration limit) {
    throw Failure(Code::Timeout, what + " took longer than " + format_duration(limit));
}

awaitable<bool> detail::ends_within(awaitable<> operation, Duration limit) {
    using namespace asio::experimental::awaitable_operators;
    auto timer = sleep_for(limit);
    auto race = std::move(operation) || std::move(timer);
    const auto winner = co_await std::move(race);
    co_return winner.index() == 0;
}

Signal::Signal(const asio::any_io_executor& executor) : executor_(executor) {}

void Signal::notify() {
    if (waiters_.empty()) {
        notified_ = true;
    }
    while (!waiters_.empty()) {
        Place::wake_front(waiters_);
    }
}

awaitable<> Signal::wait() {
    (void)co_await wait_for(Duration::max());
}

awaitable<bool> Signal::wait_for(Duration limit) {
    if (std::exchange(notified_, false)) {
        co_return true;
    }
    const auto now = std::chrono::steady_clock::now();
    Place place(waiters_, executor_, limit > MonoTime::max() - now ? MonoTime::max() : now + limit);
    boost::system::error_code ignored;
    co_await place.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        if (place.woken() && waiters_.empty()) {
            notified_ = true; // nobody else may have seen it
        }
        throw Failure(Code::Cancelled, "cancelled");
    }
    co_return place.woken();
}

Gate::Gate(const asio::any_io_executor& executor) : timer_(executor, MonoTime::max()) {}

void Gate::open() {
    open_ = true;
    timer_.cancel();
}

awaitable<> Gate::wait() {
    while (!open_) {
        co_await wait_until_rearmed(timer_);
    }
}

Semaphore::Permit& Semaphore::Permit::operator=(Permit&& other) noexcept {
    if (this != &other) {
        if (owner_ != nullptr) {
            owner_->release();
        }
        owner_ = std::exchange(other.owner_, nullptr);
    }
    return *this;
}

Semaphore::Permit::~Permit() {
    if (owner_ != nullptr) {
        owner_->release();
    }
}

Semaphore::Semaphore(const asio::any_io_executor& executor, std::size_t limit)
    : executor_(executor), free_(limit) {}

awaitable<Semaphore::Permit> Semaphore::acquire() {
    if (free_ > 0 && waiters_.empty()) {
        --free_;
        co_return Permit(this);
    }
    Place place(waiters_, executor_, MonoTime::max());
    boost::system::error_code ignored;
    co_await place.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    Permit permit(place.woken() ? this : nullptr); // given back when we are cancelled all the same
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none || !place.woken()) {
        throw Failure(Code::Cancelled, "cancelled");
    }
    co_return permit;
}

void Semaphore::release() {
    if (waiters_.empty()) {
        ++free_;
    } else {
        Place::wake_front(waiters_); // the permit passes to that waiter
    }
}

struct TaskGroup::State {
    explicit State(asio::any_io_executor executor_, ErrorHandler handler)
        : executor(std::move(executor_)), on_error(std::move(handler)), idle(executor) {}

    using Children = std::list<asio::cancellation_signal>;

    void forget(Children::iterator child) {
        children.erase(child);
        if (children.empty()) {
            idle.notify();
        }
    }

    asio::any_io_executor executor;
    ErrorHandler on_error;
    Signal idle;
    Children children;
    bool stopping = false;
};

TaskGroup::TaskGroup(asio::any_io_executor executor, ErrorHandler on_error)
    : state_(std::make_shared<State>(std::move(executor), std::move(on_error))) {}

TaskGroup::~TaskGroup() {
    assert(state_->children.empty() && "stop() and join() a TaskGroup before it is destroyed");
}

void TaskGroup::spawn(std::string name, awaitable<> child) {
    const auto place = state_->children.emplace(state_->children.end());
    auto done =
        [state = state_, place, name = std::move(name)](const std::exception_ptr& exception) {
            // Later, because the frame that calls us, or stop(), may still use the child's signal.
            asio::post(state->executor, [state, place] { state->forget(place); });
            if (exception) {
                const auto error = error_of(exception);
                const bool cancelled = error.code == Code::Cancelled;
                if (!cancelled) {
                    state->on_error(name, error);
                }
            }
        };
    asio::co_spawn(state_->executor,
                   std::move(child),
                   asio::bind_cancellation_slot(place->slot(), std::move(done)));
    if (state_->stopping) {
        place->emit(asio::cancellation_type::terminal);
    }
}

void TaskGroup::stop() {
    state_->stopping = true;
    const auto state = state_; // a child's end may destroy the group's owner
    for (auto& child : state->children) {
        child.emit(asio::cancellation_type::terminal);
    }
}

awaitable<> TaskGroup::join() {
    while (!state_->children.empty()) {
        co_await state_->idle.wait();
    }
}

std::size_t TaskGroup::size() const noexcept {
    return state_->children.size();
}

const asio::any_io_executor& TaskGroup::executor() const noexcept {
    return state_->executor;
}

template awaitable<void> run_blocking(asio::thread_pool&, std::function<void()>);

} // namespace methos
