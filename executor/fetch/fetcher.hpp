// Fills the sandboxes of tasks: downloads what a spec names, unpacks archives, and finds the
// registry credentials that came along. One job per task; a few at once on a host, each file and
// each sandbox bounded in bytes, each job in time. What blocks (disk, unpacking) runs on a small
// pool of its own. Nothing is retried: the task fails, and its framework decides. Loop thread only.
#pragma once

#include "core/http/client.hpp"
#include "core/model/fetch_item.hpp"
#include "core/runtime/async.hpp"
#include "executor/fetch/fetch_plan.hpp"
#include "executor/fetch/sandboxes.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::executor {

constexpr std::uint64_t sandbox_files_max = 4; ///< a sandbox holds at most so often bytes_max

struct FetchOptions {
    std::string folder; ///< of all sandboxes; absolute
    FetchPolicy policy;
    std::uint64_t bytes_max = std::uint64_t{1} << 30U; ///< of one download
    Duration stall = std::chrono::seconds(60);         ///< without a byte; Mesos's
    Duration total = std::chrono::minutes(60);         ///< for all of a task's files
};

/// Called on the loop, never from inside fetch(). One of ready and failed ends it.
struct FetchWaiter {
    std::function<void(std::string progress)> progress;
    /// `docker_config` is the text of the sandbox's .dockercfg or .docker/config.json; empty
    /// without.
    std::function<void(std::string docker_config)> ready;
    std::function<void(std::string why)> failed;
};

class Fetcher {
  public:
    /// `client` must outlive it.
    Fetcher(const asio::any_io_executor& executor, http::Client& client, FetchOptions options);
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;
    ~Fetcher();

    /// Whether these could be fetched, as far as that can be said beforehand. Errors: as
    /// plan_fetch().
    [[nodiscard]] Result<void> check(const std::vector<FetchItem>& items) const;
    /// Makes and fills the sandbox; one that was filled already is ready at once.
    void fetch(const std::string& sandbox, std::vector<FetchItem> items, FetchWaiter waiter);
    /// Nobody waits for it any longer: downloads and unpacking end.
    void abandon(const std::string& sandbox);
    /// Its task is over.
    void remove(const std::string& sandbox);

    /// Removes what an earlier executor left for tasks that are none of these.
    void collect(const std::set<std::string>& kept) { sandboxes_.collect(kept); }

    /// Ends all jobs and returns when they have ended. Waiters hear nothing.
    [[nodiscard]] awaitable<> stop();

  private:
    struct Job;
    using JobPtr = std::shared_ptr<Job>;

    [[nodiscard]] awaitable<> run(JobPtr job);
    [[nodiscard]] awaitable<> fill(JobPtr job);
    [[nodiscard]] awaitable<> fetch_step(JobPtr job, std::size_t index);
    [[nodiscard]] awaitable<> download(JobPtr job, std::size_t index);
    [[nodiscard]] awaitable<> finish_step(JobPtr job, std::size_t index);
    [[nodiscard]] awaitable<> in_background(std::function<void()> work);
    void tell(Job& job, const std::string& text, bool at_once);

    http::Client& client_;
    FetchOptions options_;
    asio::thread_pool pool_;
    Sandboxes sandboxes_;
    Semaphore jobs_at_once_;
    Semaphore heavy_; ///< unpacking and copying: the pool's other thread is for downloads
    std::map<std::string, JobPtr> jobs_;
    std::set<std::string> filled_;
    TaskGroup group_; ///< last: its children use all of the above
};

} // namespace methos::executor
