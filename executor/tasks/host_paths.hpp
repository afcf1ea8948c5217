// Looks at host paths for the policy while the loop goes on: who looks at a network file system
// whose server is gone waits for minutes or for ever. Each look is a thread of its own, a few at
// most, which nobody joins: one that hangs is lost until its file system answers. Owned by the
// TaskRunner. What is allowed is policy.hpp's to say. Loop thread only, but for the looks.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/tasks/policy.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace methos::executor {

struct HostPathOptions {
    /// Runs on threads that may outlive the HostPaths: it holds what it needs.
    std::function<Result<std::string>(const Policy&, const std::string& path)> look =
        resolve_host_path;
    Duration limit = std::chrono::seconds(5); ///< for one path, the wait for its turn included
};

class HostPaths {
  public:
    HostPaths(const asio::any_io_executor& executor, HostPathOptions options);
    HostPaths(const HostPaths&) = delete;
    HostPaths& operator=(const HostPaths&) = delete;
    /// Leaves looks that hang to themselves. Nobody may await resolve() any more.
    ~HostPaths();

    /// The path to mount, as resolve_host_path() gives it. Errors: its own; Timeout: nothing came
    /// in time, or an earlier look at that path still hangs; ResourceExhausted: no thread.
    [[nodiscard]] awaitable<Result<std::string>> resolve(Policy policy, std::string path);

  private:
    struct Look;
    struct Mailbox;
    using LookPtr = std::shared_ptr<Look>;

    [[nodiscard]] awaitable<> ask(LookPtr look);
    void begin(const LookPtr& look);
    void take(std::uint64_t number, Result<std::string> answer);

    asio::any_io_executor executor_;
    HostPathOptions options_;
    Semaphore turns_;
    std::map<std::uint64_t, LookPtr> looks_; ///< under way
    std::set<std::string> stuck_;            ///< paths of those that took too long
    std::uint64_t numbers_ = 0;
    std::shared_ptr<Mailbox> mailbox_; ///< what threads know of this
};

} // namespace methos::executor
