// Brings images to this host: one pull per image however many tasks wait, through the registry
// proxy where there is one, re-tagged to the name the user wrote. Owns its pulls; the last waiter
// that leaves cancels one. Tells progress at most once a second, and who comes late at once.
// Failures are not remembered. Loop thread only.
#pragma once

#include "core/base/backoff.hpp"
#include "core/model/image_progress.hpp"
#include "core/model/image_reference.hpp"
#include "core/model/task.hpp"
#include "core/runtime/async.hpp"
#include "executor/docker/engine.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace methos::executor {

/// What becomes of images, for who keeps their book. Either may be missing.
struct ImageObserver {
    /// An image was pulled and is about to get these names; `is_new`: it was not on this host
    /// before.
    std::function<void(const std::string& id, const std::vector<std::string>& names, bool is_new)>
        brought;
    /// A task gets it.
    std::function<void(const std::string& id)> used;
};

struct PullerOptions {
    std::string proxy;    ///< "127.0.0.1:5000" as dockerd reaches it; empty: straight pulls
    bool fallback = true; ///< straight to the upstream when the proxy cannot
    int attempts_max = 5;
    Duration limit =
        std::chrono::minutes(60); ///< of all tries together, outages of Docker included
    BackoffPolicy backoff{std::chrono::seconds(1), std::chrono::seconds(30), 2.0, 0.2};
    docker::PullLimits limits;
    std::string docker_config; ///< file with this host's credentials, read for each pull; or empty
    ImageObserver observer;
};

/// Called on the loop, never from inside ensure(). One of ready and failed ends it.
struct ImageWaiter {
    /// In words, and in figures once there are any.
    std::function<void(std::string text, std::optional<ImageProgress> figures)> progress;
    std::function<void(std::string image_id)> ready;
    std::function<void(Reason reason, std::string message)> failed;
};

class ImagePuller {
  public:
    /// `engine` must outlive it.
    ImagePuller(const asio::any_io_executor& executor,
                docker::Engine& engine,
                PullerOptions options);
    ImagePuller(const ImagePuller&) = delete;
    ImagePuller& operator=(const ImagePuller&) = delete;
    ~ImagePuller();

    /// `who` waits for the image; `force` asks the registry though the image is here. A
    /// `docker_config` (text, see RegistryCredentials) is asked before the host's own. Credentials
    /// go to the image's registry only, and not through the proxy.
    void ensure(const std::string& who,
                const std::string& image,
                bool force,
                ImageWaiter waiter,
                std::string docker_config = std::string());
    /// `who` waits no longer.
    void abandon(const std::string& who);

    /// Cancels all pulls and returns when they have ended. Waiters hear nothing.
    [[nodiscard]] awaitable<> stop();

  private:
    struct Pull;
    using PullPtr = std::shared_ptr<Pull>;

    [[nodiscard]] awaitable<> run(PullPtr pull);
    [[nodiscard]] awaitable<> bring(PullPtr pull);
    [[nodiscard]] awaitable<> bring_in_turn(PullPtr pull);
    [[nodiscard]] awaitable<bool> is_here(PullPtr pull);
    /// Whether its last answer is one that asking again does not change.
    [[nodiscard]] static bool gave_up_for_good(const Pull& pull);
    [[nodiscard]] awaitable<bool> attempt(PullPtr pull);
    [[nodiscard]] awaitable<bool> pull_from(PullPtr pull, std::string repository, bool retag);
    [[nodiscard]] awaitable<bool> name_it(PullPtr pull, std::string id, std::string pulled_as);
    [[nodiscard]] std::optional<docker::RegistryAuth> credentials_of(const Pull& pull) const;
    [[nodiscard]] std::shared_ptr<Semaphore> turn_of(const ImageReference& reference);
    void tell(const PullPtr& pull, std::string text);
    void tell_all(Pull& pull);
    [[nodiscard]] awaitable<> tell_later(PullPtr pull);
    [[nodiscard]] awaitable<> tell_newcomer(PullPtr pull, std::string who);
    void finish(const PullPtr& pull);

    docker::Engine& engine_;
    PullerOptions options_;
    std::map<std::string, PullPtr> pulls_;   ///< by image, force and the task's own credentials
    std::map<std::string, PullPtr> waiting_; ///< by who
    std::map<std::string, std::weak_ptr<Semaphore>> turns_; ///< by image, however it is written
    TaskGroup group_;
};

} // namespace methos::executor
