#include "executor/tasks/host_paths.hpp"

#include "core/observe/log.hpp"
#include "core/runtime/timeout.hpp"

#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace methos::executor {

namespace {

constexpr std::size_t looks_max = 4;

Error no_answer(const std::string& path) {
    return Error(Code::Timeout,
                 "host path " + path + " does not answer; is it on a network file system?");
}

} // namespace

/// One path on its way. Only the loop sees it; the thread has copies.
struct HostPaths::Look {
    Look(const asio::any_io_executor& executor, Policy policy_, std::string path_)
        : policy(std::move(policy_)), path(std::move(path_)), ended(executor) {}

    Policy policy;
    std::string path;
    Semaphore::Permit turn; ///< until the thread has ended
    bool begun = false;
    std::optional<Result<std::string>> answer;
    Gate ended;
};

/// How an answer comes back, unless nobody is there any more.
struct HostPaths::Mailbox {
    std::mutex mutex; ///< so that the loop is not gone in the middle of a post
    HostPaths* owner = nullptr;
    asio::any_io_executor loop;
};

HostPaths::HostPaths(const asio::any_io_executor& executor, HostPathOptions options)
    : executor_(executor), options_(std::move(options)), turns_(executor, looks_max),
      mailbox_(std::make_shared<Mailbox>()) {
    mailbox_->owner = this;
    mailbox_->loop = executor;
}

HostPaths::~HostPaths() {
    const std::lock_guard guard(mailbox_->mutex);
    mailbox_->owner = nullptr;
    mailbox_->loop = asio::any_io_executor();
}

awaitable<Result<std::string>> HostPaths::resolve(Policy policy, std::string path) {
    if (stuck_.contains(path)) {
        co_return no_answer(path);
    }
    const auto look = std::make_shared<Look>(executor_, std::move(policy), path);
    try {
        auto asking = ask(look);
        co_await with_timeout(std::move(asking), options_.limit, "the look at a host path");
    } catch (const Failure& failure) {
        if (failure.error().code != Code::Timeout) {
            throw;
        }
    }
    if (look->answer) {
        co_return std::move(*look->answer);
    }
    log::warning("a host path does not answer", {{"path", path}});
    if (look->begun) {
        stuck_.insert(path);
    }
    co_return no_answer(path);
}

awaitable<> HostPaths::ask(LookPtr look) {
    look->turn = co_await turns_.acquire();
    begin(look);
    co_await look->ended.wait();
}

void HostPaths::begin(const LookPtr& look) {
    const auto number = ++numbers_;
    auto work = [mailbox = mailbox_,
                 see = options_.look,
                 policy = look->policy,
                 path = look->path,
                 number]() noexcept {
        auto answer = see(policy, path);
        const std::lock_guard guard(mailbox->mutex);
        if (mailbox->owner == nullptr) {
            return;
        }
        asio::post(mailbox->loop, [mailbox, number, answer = std::move(answer)]() mutable {
            if (mailbox->owner != nullptr) { // it may have gone since
                mailbox->owner->take(number, std::move(answer));
            }
        });
    };
    look->begun = true;
    looks_.emplace(number, look);
    try {
        // Joining one that hangs would make it two.
        std::thread(std::move(work)).detach();
    } catch (const std::system_error& error) {
        take(number,
             Error(Code::ResourceExhausted,
                   "no thread to look at host path " + look->path + ": " + error.what()));
    }
}

void HostPaths::take(std::uint64_t number, Result<std::string> answer) {
    const auto found = looks_.find(number);
    const auto look = found->second;
    looks_.erase(found);
    stuck_.erase(look->path);
    look->answer = std::move(answer);
    look->turn = Semaphore::Permit();
    look->ended.open();
}

} // namespace methos::executor
