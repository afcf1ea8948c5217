#include "core/runtime/async.hpp"
#include "core/runtime/timeout.hpp"

#include "core/base/units.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>

namespace methos {

namespace {

/// A timer wait that reports whether it was cut short by a re-arm (notify) or by cancellation of
/// the coroutine.
awaitable<> wait_until_rearmed(asio::steady_timer& timer) {
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw Failure(Code::Cancelled, "cancelled");
    }
}

} // namespace

awaitable<> sleep_for(Duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(duration);
    co_await wait_until_rearmed(timer);
}

void throw_timeout(const std::string& what, Duration limit) {
    throw Failure(Code::Timeout, what + " took longer than " + format_duration(limit));
}

Signal::Signal(const asio::any_io_executor& executor) : timer_(executor, MonoTime::max()) {}

void Signal::notify() {
    notified_ = true;
    timer_.cancel();
}

awaitable<> Signal::wait() {
    while (!notified_) {
        timer_.expires_at(MonoTime::max());
        co_await wait_until_rearmed(timer_);
    }
    notified_ = false;
}

awaitable<bool> Signal::wait_for(Duration limit) {
    if (!notified_) {
        timer_.expires_after(limit);
        co_await wait_until_rearmed(timer_);
    }
    co_return std::exchange(notified_, false);
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
    asio::steady_timer timer(executor_, MonoTime::max());
    const auto place = waiters_.insert(waiters_.end(), &timer);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const bool granted =
        timer.expiry() == MonoTime::min(); // release() already took us off the list
    if (!granted) {
        waiters_.erase(place);
        throw Failure(Code::Cancelled, "cancelled");
    }
    Permit permit(this);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw Failure(Code::Cancelled, "cancelled");
    }
    co_return permit;
}

void Semaphore::release() {
    if (waiters_.empty()) {
        ++free_;
        return;
    }
    auto* next = waiters_.front();
    waiters_.pop_front();
    next->expires_at(MonoTime::min()); // both the grant and the wake-up
}

struct TaskGroup::State {
    explicit State(asio::any_io_executor executor_, ErrorHandler handler)
        : executor(std::move(executor_)), on_error(std::move(handler)), idle(executor) {}

    asio::any_io_executor executor;
    ErrorHandler on_error;
    Signal idle;
    std::list<asio::cancellation_signal> children;
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
            state->children.erase(place);
            if (exception) {
                const auto error = error_of(exception);
                const bool cancelled = error.code == Code::Cancelled;
                if (!cancelled) {
                    state->on_error(name, error);
                }
            }
            if (state->children.empty()) {
                state->idle.notify();
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
    // A child may end, and leave the list, while its own signal is being emitted.
    for (auto it = state_->children.begin(); it != state_->children.end();) {
        auto& child = *it++;
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
