#include "master/shell/shell.hpp"

#include "core/base/units.hpp"
#include "core/observe/log.hpp"

namespace methos::master {

namespace {

constexpr Duration tick_interval = std::chrono::milliseconds(250);
constexpr Duration pause_noticed =
    std::chrono::milliseconds(500); ///< a longer gap of the loop is our own fault
constexpr Duration tidy_interval = std::chrono::seconds(10);
constexpr Duration probe_interval = std::chrono::seconds(2);
constexpr std::size_t releases_per_turn = 500; ///< messages and publications of a commit
constexpr std::size_t slices_per_commit = 8;   ///< of decisions; a commit costs a sync of the disk

/// In seconds; a turn of the loop should end within the third.
std::vector<double> turn_buckets() {
    return {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};
}

double seconds_since(std::chrono::steady_clock::time_point from) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

std::vector<state::Record> read_records(state::Store& store) {
    std::vector<state::Record> records;
    store.load([&records](state::Table table, std::uint64_t key, const std::string& value) {
        records.push_back({table, key, value});
    });
    return records;
}

/// What one commit is to make durable. A step over the caps is a mistake of the heart's, which
/// would be made again after each reload: it is told of and goes in parts, which the store makes
/// durable together all the same.
std::vector<state::Batch> batches_of(std::vector<cluster::Step>& steps) {
    std::vector<state::Batch> batches;
    for (auto& step : steps) {
        if (const auto within = state::check_caps(step.changes); !within) {
            log::error("a step is over the store's caps, which is a mistake of this program",
                       {{"error", within.error().message}});
            for (auto& change : step.changes) {
                batches.emplace_back(1, std::move(change));
            }
        } else if (!step.changes.empty()) {
            batches.push_back(std::move(step.changes));
        }
    }
    return batches;
}

} // namespace

struct Shell::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : done(executor) {}

    Gate done;
    std::optional<Error> error;
};

Shell::Shell(asio::any_io_executor executor,
             asio::thread_pool& pool,
             const Clock& clock,
             state::Store& store,
             heart::Options options,
             Metrics& metrics)
    : executor_(std::move(executor)), pool_(pool), clock_(clock), store_(store),
      options_(std::move(options)), work_(executor_),
      tasks_(executor_,
             [this](const std::string& child, const Error& error) {
                 log::failure(child + " ended", error);
                 child_failure_ = error;
                 stop();
             }),
      store_turn_(executor_, 1),
      commits_(metrics.counter("methos_master_commits_total", "Group commits of the store")),
      failed_commits_(metrics.counter("methos_master_failed_commits_total",
                                      "Group commits that the store refused")),
      commit_seconds_(
          metrics.histogram("methos_master_commit_seconds", "How long a group commit took")),
      decide_seconds_(metrics.histogram("methos_master_decide_seconds",
                                        "How long the loop was busy with one slice of decisions",
                                        {},
                                        turn_buckets())),
      loop_late_seconds_(metrics.histogram("methos_master_loop_late_seconds",
                                           "How late the loop came to its tick, for other work",
                                           {},
                                           turn_buckets())),
      hosts_gauge_(metrics.gauge("methos_master_hosts_up", "Hosts in state UP")),
      tasks_gauge_(metrics.gauge("methos_master_tasks", "Tasks that are not terminal")),
      removals_gauge_(metrics.gauge("methos_master_host_removals_held",
                                    "Overdue hosts that --host-removal-rate keeps")) {}

Shell::~Shell() = default;

void Shell::on_messages(Sender sender) {
    sender_ = std::move(sender);
}

void Shell::on_unread(std::function<std::optional<MonoTime>()> unread_since) {
    unread_since_ = std::move(unread_since);
}

void Shell::on_publications(Publisher publisher) {
    publishers_.push_back(std::move(publisher));
}

void Shell::on_reload(std::function<void()> hook) {
    reload_hooks_.push_back(std::move(hook));
}

cluster::Step Shell::new_step() const {
    cluster::Step step(clock_.now());
    step.watched = watchers_ > 0;
    return step;
}

awaitable<std::unique_ptr<heart::Heart>> Shell::load() {
    std::function<std::vector<state::Record>()> work = [this] { return read_records(store_); };
    auto turn = co_await store_turn_.acquire();
    const auto records = co_await run_blocking(pool_, std::move(work));
    auto heart = std::make_unique<heart::Heart>(options_);
    for (const auto& record : records) {
        heart->load(record.table, record.key, record.value);
    }
    heart->loaded();
    co_return heart;
}

awaitable<> Shell::start(std::function<void()> on_new_cluster) {
    last_tick_ = clock_.now().mono;
    heart_ = co_await load();
    const bool is_new = heart_->cluster().id().empty();
    if (is_new && on_new_cluster) {
        on_new_cluster();
    }
    cluster::Step step(clock_.now());
    heart_->begin(step, random_hex(16));
    const std::vector<state::Batch> batches(1, step.changes);
    std::function<void()> work = [this, &batches] { store_.commit(batches); };
    auto turn = co_await store_turn_.acquire();
    std::optional<Error> failure;
    try {
        co_await run_blocking(pool_, std::move(work));
    } catch (const Failure& refused) {
        failure = refused.error();
    }
    if (failure && failure->code == Code::ResourceExhausted && !is_new) {
        // Reading goes on; nobody joins, and so nobody sees the new epoch, before the store takes
        // it.
        refuse(*failure);
    } else if (failure) {
        throw Failure(*failure);
    }
}

void Shell::refuse(const Error& error) {
    log::failure("the store refuses writes", error);
    refusal_ = "the master cannot make changes durable and refuses them: " + error.message;
}

void Shell::heard(SessionNumber session) {
    heart_->heard(session, clock_.now());
}

void Shell::push(cluster::Step step) {
    decide_wanted_ = decide_wanted_ || step.more;
    pending_.steps.push_back(std::move(step));
    work_.notify();
}

bool Shell::apply(const std::function<void(heart::Heart&, cluster::Step&)>& event) {
    if (!refusal_.empty()) {
        return false;
    }
    auto step = new_step();
    event(*heart_, step);
    step.more = true;
    push(std::move(step));
    return true;
}

awaitable<> Shell::wait_for_commit() {
    auto waiter = std::make_shared<Waiter>(executor_);
    pending_.waiters.push_back(waiter);
    work_.notify();
    co_await waiter->done.wait();
    if (waiter->error) {
        throw Failure(*waiter->error);
    }
}

awaitable<> Shell::change(std::function<void(heart::Heart&, cluster::Step&)> event) {
    if (!apply(event)) {
        throw Failure(Code::ResourceExhausted, refusal_);
    }
    co_await wait_for_commit();
}

awaitable<> Shell::committed() {
    if (committing_ || !pending_.empty()) {
        co_await wait_for_commit();
    }
}

bool Shell::may_decide() const {
    return decide_wanted_ && !stopping_ && refusal_.empty();
}

/// Slices of decisions for one commit, with turns of the loop's other work between them.
awaitable<> Shell::decide() {
    bool more = decide_slice();
    for (std::size_t slice = 1; more && slice < slices_per_commit; ++slice) {
        co_await sleep_for(Duration::zero());
        more = may_decide() && decide_slice();
    }
}

/// Whether there is more to decide than fits into a slice.
bool Shell::decide_slice() {
    decide_wanted_ = false;
    if (held_up()) {
        return false; // the tick asks again, when the bus has had its turn
    }
    const auto began = std::chrono::steady_clock::now();
    heart_->unread_since(unread_since_ ? unread_since_() : std::nullopt);
    auto step = new_step();
    heart_->decide(step);
    decide_seconds_.observe(seconds_since(began));
    const bool more = step.more;
    if (!step.changes.empty() || !step.messages.empty() || !step.publications.empty() ||
        !step.notices.empty() || more) {
        push(std::move(step));
    }
    return more;
}

bool Shell::held_up() {
    const auto now = clock_.now().mono;
    const auto gap = now - last_tick_ - tick_interval;
    if (gap <= pause_noticed) {
        return false;
    }
    // We slept, not the hosts: nobody is called silent for it.
    log::warning("the loop was held up", {{"for", format_duration(gap)}});
    heart_->paused(gap);
    last_tick_ = now;
    return true;
}

awaitable<> Shell::run() {
    tasks_.spawn("the tick", tick_loop());
    tasks_.spawn("tidying the store", tidy_loop());
    std::exception_ptr failure;
    try {
        co_await commit_loop();
    } catch (...) {
        failure = std::current_exception();
    }
    fail_waiters(pending_, Error(Code::Unavailable, "the master is stopping"));
    tasks_.stop();
    co_await tasks_.join();
    if (failure) {
        std::rethrow_exception(failure);
    }
    if (child_failure_) {
        throw Failure(*child_failure_);
    }
}

awaitable<> Shell::commit_loop() {
    while (!stopping_ || !pending_.empty()) {
        const bool decides = may_decide();
        if (pending_.empty() && !decides) {
            co_await work_.wait();
            continue;
        }
        if (decides) {
            co_await decide();
        }
        if (!pending_.empty()) {
            co_await commit_pending();
        }
    }
}

void Shell::fail_waiters(Pending& pending, const Error& error) {
    for (const auto& waiter : pending.waiters) {
        waiter->error = error;
        waiter->done.open();
    }
    pending = Pending();
}

void Shell::stop() {
    stopping_ = true;
    decide_wanted_ = false;
    work_.notify();
}

awaitable<> Shell::commit_pending() {
    auto batch = std::exchange(pending_, Pending());
    const auto changes = batches_of(batch.steps);
    std::optional<Error> failure;
    if (!changes.empty()) {
        committing_ = true;
        const auto began = std::chrono::steady_clock::now();
        try {
            std::function<void()> work = [this, &changes] { store_.commit(changes); };
            auto turn = co_await store_turn_.acquire();
            co_await run_blocking(pool_, std::move(work));
        } catch (...) {
            failure = error_of_current_exception();
        }
        committing_ = false;
        commits_.increment();
        commit_seconds_.observe(seconds_since(began));
    }
    if (!failure) {
        committing_ = true; // whoever reads meanwhile answers after what is let go before
        co_await release(std::move(batch));
        committing_ = false;
        co_return;
    }
    failed_commits_.increment();
    // What was decided meanwhile stands on what was refused: it goes with it.
    auto& late = pending_.waiters;
    batch.waiters.insert(batch.waiters.end(), late.begin(), late.end());
    pending_ = Pending();
    if (failure->code == Code::InvalidInput) {
        // One record is over the caps by itself. Nothing is wrong with the store.
        failure =
            Error(Code::Internal, "a change is larger than the store takes: " + failure->message);
    } else if (failure->code != Code::ResourceExhausted) {
        // The store cannot be trusted any more. Whoever starts us again finds what is durable.
        fail_waiters(batch, *failure);
        throw Failure(std::move(*failure).with_context("while making changes durable"));
    }
    const auto refused = *failure;
    std::exception_ptr lost;
    committing_ = true; // whoever reads meanwhile waits: what it read is about to be undone
    try {
        co_await recover(refused);
    } catch (...) {
        lost = std::current_exception();
    }
    committing_ = false;
    fail_waiters(batch, refused);
    fail_waiters(pending_, Error(Code::Unavailable, "the state was read again; ask again"));
    if (lost) {
        std::rethrow_exception(lost);
    }
}

/// In slices, so that a large commit does not keep the loop from the bus: what is released is
/// durable, whatever happens between two of them.
awaitable<> Shell::release(Pending committed) {
    std::vector<cluster::Message> messages;
    Publications publications;
    for (auto& step : committed.steps) {
        for (const auto& notice : step.notices) {
            if (notice.warning) {
                log::warning(notice.text);
            } else {
                log::info(notice.text);
            }
        }
        std::move(step.messages.begin(), step.messages.end(), std::back_inserter(messages));
        std::move(
            step.publications.begin(), step.publications.end(), std::back_inserter(publications));
        if (messages.size() + publications.size() >= releases_per_turn) {
            hand_over(std::exchange(messages, {}), std::exchange(publications, {}));
            co_await sleep_for(Duration::zero());
        }
    }
    hand_over(std::move(messages), publications);
    for (const auto& waiter : committed.waiters) {
        waiter->done.open();
    }
}

void Shell::hand_over(std::vector<cluster::Message> messages, const Publications& publications) {
    if (sender_ && !messages.empty()) {
        sender_(std::move(messages));
    }
    if (!publications.empty()) {
        for (const auto& publish : publishers_) {
            publish(publications);
        }
    }
}

awaitable<> Shell::recover(Error error) {
    refuse(error);
    auto fresh = co_await load();
    fresh->adopt_sessions(*heart_);
    heart_ = std::move(fresh);
    decide_wanted_ = false;
    for (const auto& hook : reload_hooks_) {
        hook();
    }
}

awaitable<bool> Shell::probe() {
    cluster::Step step(clock_.now());
    heart_->probe(step);
    const std::vector<state::Batch> batches(1, step.changes);
    try {
        std::function<void()> work = [this, &batches] { store_.commit(batches); };
        auto turn = co_await store_turn_.acquire();
        co_await run_blocking(pool_, std::move(work));
    } catch (const Failure& failure) {
        log::limited(
            "probe", "the store still refuses writes", {{"error", failure.error().message}});
        co_return false;
    }
    co_return true;
}

awaitable<> Shell::tick_loop() {
    for (;;) {
        if (!refusal_.empty()) {
            co_await sleep_for(probe_interval);
            co_await try_to_resume();
            last_tick_ = clock_.now().mono;
            continue;
        }
        const auto due = clock_.now().mono + tick_interval;
        co_await sleep_for(tick_interval);
        loop_late_seconds_.observe(std::chrono::duration<double>(clock_.now().mono - due).count());
        if (held_up()) {
            continue;
        }
        last_tick_ = clock_.now().mono;
        decide_wanted_ = true;
        work_.notify();
        const auto counts = heart_->counts();
        hosts_gauge_.set(static_cast<double>(counts.hosts_up));
        tasks_gauge_.set(static_cast<double>(counts.tasks));
        removals_gauge_.set(static_cast<double>(counts.removals_held));
    }
}

awaitable<> Shell::try_to_resume() {
    const bool writable = co_await probe();
    if (writable) {
        log::info("the store takes writes again");
        refusal_.clear();
        heart_->resume(clock_.now());
        decide_wanted_ = true;
        work_.notify();
    }
}

awaitable<> Shell::on_store(std::function<void(state::Store&)> work) {
    std::function<void()> job = [this, work = std::move(work)] { work(store_); };
    auto turn = co_await store_turn_.acquire();
    co_await run_blocking(pool_, std::move(job));
}

awaitable<> Shell::tidy_loop() {
    for (;;) {
        co_await sleep_for(tidy_interval);
        bool more = refusal_.empty();
        while (more) {
            std::function<bool()> work = [this] { return store_.tidy(); };
            auto turn = co_await store_turn_.acquire();
            try {
                more = co_await run_blocking(pool_, std::move(work));
            } catch (const Failure& failure) {
                log::failure("the store could not be tidied; tried again later", failure.error());
                more = false;
            }
        }
    }
}

} // namespace methos::master
