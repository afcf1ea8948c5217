// The thin shell around the heart in methos-master: it turns frames, calls and time into the
// heart's events, commits what each step changed, and only then sends messages and lets answers go.
// Owns the heart and the commit loop; one loop thread. It decides nothing.
#pragma once

#include "core/observe/metrics.hpp"
#include "core/runtime/async.hpp"
#include "master/heart/heart.hpp"
#include "master/state/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace methos::master {

class Shell {
  public:
    /// What carries a committed step's messages to the executors.
    using Sender = std::function<void(std::vector<cluster::Message> messages)>;
    /// What hands committed publications to subscribers.
    using Publications = std::vector<std::shared_ptr<const cluster::Publication>>;
    using Publisher = std::function<void(const Publications& publications)>;

    Shell(asio::any_io_executor executor,
          asio::thread_pool& pool,
          const Clock& clock,
          state::Store& store,
          heart::Options options,
          Metrics& metrics);
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;
    ~Shell();

    /// Loads the store and begins a new epoch, durably. Throws when it cannot. Call before run().
    /// `on_new_cluster` is called before a store that holds no cluster becomes a new one, and
    /// refuses that by throwing.
    [[nodiscard]] awaitable<> start(std::function<void()> on_new_cluster = {});
    void on_messages(Sender sender);
    /// Asked before each decision: Cluster::unread_since.
    void on_unread(std::function<std::optional<MonoTime>()> unread_since);
    /// May be called by several; each gets everything, in order, after the commit. Must not throw.
    void on_publications(Publisher publisher);
    /// Called when the heart has been read anew from the store: the new one knows of no subscriber.
    void on_reload(std::function<void()> hook);

    /// Commits, ticks and allocates until stop().
    [[nodiscard]] awaitable<> run();
    /// Lets what is pending be committed, then ends run().
    void stop();

    [[nodiscard]] const heart::Heart& heart() const { return *heart_; }

    [[nodiscard]] Now now() const { return clock_.now(); }

    /// Lets `event` change the heart now; what it says is sent after the commit.
    /// While the store refuses writes (disk full) the event is not applied and false is returned.
    bool apply(const std::function<void(heart::Heart&, cluster::Step&)>& event);

    /// A sign of life of a session; changes nothing durable, so it counts while writes are refused,
    /// too.
    void heard(SessionNumber session);

    /// As apply, and returns when the change is durable. Throws ResourceExhausted or Unavailable
    /// when it is not: nothing has changed then.
    [[nodiscard]] awaitable<> change(std::function<void(heart::Heart&, cluster::Step&)> event);

    /// Returns when everything that the heart has decided until now is durable: an answer made
    /// before the call may be sent after it.
    [[nodiscard]] awaitable<> committed();

    /// Between the two, every change of a task or a host is published (Step::watched). They nest.
    void watch() { ++watchers_; }

    void unwatch() { --watchers_; }

    /// Runs work that blocks on the store, in its turn: a commit waits for it meanwhile.
    [[nodiscard]] awaitable<> on_store(std::function<void(state::Store&)> work);

    /// Why writes are refused; empty while they are not.
    [[nodiscard]] const std::string& refusal() const { return refusal_; }

  private:
    struct Waiter;

    struct Pending {
        std::vector<cluster::Step> steps;
        std::vector<std::shared_ptr<Waiter>> waiters;

        [[nodiscard]] bool empty() const { return steps.empty() && waiters.empty(); }
    };

    [[nodiscard]] awaitable<> commit_loop();
    void fail_waiters(Pending& pending, const Error& error);
    [[nodiscard]] bool held_up();
    [[nodiscard]] awaitable<> try_to_resume();
    [[nodiscard]] cluster::Step new_step() const;
    void push(cluster::Step step);
    [[nodiscard]] awaitable<> wait_for_commit();
    [[nodiscard]] bool may_decide() const;
    [[nodiscard]] awaitable<> decide();
    [[nodiscard]] bool decide_slice();
    [[nodiscard]] awaitable<> commit_pending();
    [[nodiscard]] awaitable<> release(Pending committed);
    void hand_over(std::vector<cluster::Message> messages, const Publications& publications);
    [[nodiscard]] awaitable<> recover(Error error);
    void refuse(const Error& error);
    [[nodiscard]] awaitable<std::unique_ptr<heart::Heart>> load();
    [[nodiscard]] awaitable<bool> probe();
    [[nodiscard]] awaitable<> tick_loop();
    [[nodiscard]] awaitable<> tidy_loop();

    asio::any_io_executor executor_;
    asio::thread_pool& pool_;
    const Clock& clock_;
    state::Store& store_;
    heart::Options options_;
    std::unique_ptr<heart::Heart> heart_;
    Sender sender_;
    std::function<std::optional<MonoTime>()> unread_since_;
    std::vector<Publisher> publishers_;
    std::vector<std::function<void()>> reload_hooks_;
    std::size_t watchers_ = 0;

    Pending pending_;
    bool committing_ = false;
    bool decide_wanted_ = false;
    bool stopping_ = false;
    std::string refusal_;
    std::optional<Error> child_failure_;
    MonoTime last_tick_; ///< when the loop was last seen turning
    Signal work_;
    TaskGroup tasks_;
    Semaphore store_turn_; ///< one blocking call on the store at a time

    Metrics::Counter commits_;
    Metrics::Counter failed_commits_;
    Metrics::Histogram commit_seconds_;
    Metrics::Histogram decide_seconds_;
    Metrics::Histogram loop_late_seconds_;
    Metrics::Gauge hosts_gauge_;
    Metrics::Gauge tasks_gauge_;
    Metrics::Gauge removals_gauge_;
};

} // namespace methos::master
