// Keeping apps true: what is missing is asked for (placement.cpp), what is too much is killed, what
// is old is replaced as capacity allows, what ends is remembered.
#include "master/frameworks/services/services.hpp"

#include <algorithm>
#include <cmath>

namespace methos::services {

namespace {

constexpr std::int64_t seconds_max = 366 * 24 * 3600; ///< longer waits are taken for this one

/// A definition's seconds as a duration that can be added to a time.
Duration bounded_seconds(double value) {
    const auto bounded = std::clamp(value, 0.0, static_cast<double>(seconds_max));
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bounded));
}

/// Better first: running, not unhealthy, then by age. The last ones are killed.
bool better(const cluster::Task* a, const cluster::Task* b, KillSelection selection) {
    const bool a_runs = a->running();
    const bool b_runs = b->running();
    if (a_runs != b_runs) {
        return a_runs;
    }
    const bool a_ill = a->healthy == false;
    const bool b_ill = b->healthy == false;
    if (a_ill != b_ill) {
        return b_ill;
    }
    const auto a_age = std::pair(
        a->started_at.time_since_epoch().count() > 0 ? a->started_at : a->staged_at, a->number);
    const auto b_age = std::pair(
        b->started_at.time_since_epoch().count() > 0 ? b->started_at : b->staged_at, b->number);
    return selection == KillSelection::YoungestFirst ? a_age < b_age : b_age < a_age;
}

std::size_t wanted_of(const App& app) {
    return app.deleting ? 0 : static_cast<std::size_t>(app.definition.instances);
}

} // namespace

std::size_t kept_while_replacing(const AppDefinition& definition) {
    const auto least = static_cast<double>(definition.instances) *
                       definition.upgrade_strategy.minimum_health_capacity;
    return static_cast<std::size_t>(std::ceil(least));
}

bool Services::still_counts(const App& app, const cluster::Task& unreachable, Now now) const {
    const auto& strategy = app.definition.unreachable_strategy;
    if (unreachable.kill_wanted || is_terminal(unreachable.reported)) {
        return false;
    }
    const auto wait = std::chrono::seconds(
        std::clamp<std::int64_t>(strategy.inactive_after_seconds, 0, seconds_max));
    const auto* host = cluster_.find_host(unreachable.host);
    return strategy.disabled || now.mono < host->lost_since + wait;
}

Services::Census Services::census(const App& app, Now now) const {
    Census census;
    for (const auto number : app.tasks) {
        const auto* task = cluster_.find_task(number);
        if (task->active()) {
            // What is on a host that is drained is replaced as an old version is.
            const bool stays = task->spec == app.spec && !cluster_.find_host(task->host)->leaving();
            (stays ? census.current : census.old).push_back(task);
            census.running += task->running() ? 1U : 0U;
        } else if (task->unreachable && still_counts(app, *task, now)) {
            ++census.held;
        }
    }
    return census;
}

void Services::kill_worst(App& app,
                          std::vector<const cluster::Task*> candidates,
                          std::size_t count,
                          cluster::Step& step) {
    const auto selection = app.definition.kill_selection;
    std::sort(candidates.begin(),
              candidates.end(),
              [selection](const cluster::Task* a, const cluster::Task* b) {
                  return better(a, b, selection);
              });
    while (count > 0 && !candidates.empty()) {
        if (!step.has_room()) {
            step.more = true;
            dirty_.insert(app.definition.id);
            return;
        }
        const auto* victim = candidates.back();
        candidates.pop_back();
        --count;
        cluster_.kill(victim->number,
                      cluster_.find_spec(victim->spec)->kill_grace,
                      Reason::KilledByRequest,
                      step);
    }
}

bool Services::settle(App& app, const Census& there, cluster::Step& step) {
    const auto wanted = wanted_of(app);
    const auto current = there.current.size() + there.held;
    if (app.deleting) {
        std::vector<const cluster::Task*> all;
        for (const auto number : app.tasks) {
            const auto* task = cluster_.find_task(number);
            if (!task->kill_wanted) {
                all.push_back(task);
            }
        }
        kill_worst(app, all, all.size(), step);
        return false;
    }
    if (current > wanted) {
        kill_worst(app, there.current, current - wanted, step);
    }
    if (!there.old.empty()) {
        // Old instances go as new ones run: never fewer than the upgrade strategy says.
        const auto keep = kept_while_replacing(app.definition);
        std::vector<const cluster::Task*> idle;
        std::vector<const cluster::Task*> running;
        for (const auto* task : there.old) {
            (task->running() ? running : idle).push_back(task);
        }
        kill_worst(app, idle, idle.size(), step);
        kill_worst(app, running, there.running > keep ? there.running - keep : 0, step);
    }
    const auto running_current = static_cast<std::size_t>(
        std::count_if(there.current.begin(), there.current.end(), [](const auto* task) {
            return task->running();
        }));
    return there.old.empty() && current == wanted && running_current + there.held == wanted;
}

void Services::end_orphans(cluster::Step& step) {
    while (!orphans_.empty() && step.has_room()) {
        const auto* task = cluster_.find_task(*orphans_.begin());
        orphans_.erase(orphans_.begin());
        if (task != nullptr && !task->kill_wanted) {
            cluster_.kill(task->number, task->kill_grace, Reason::Reconciliation, step);
        }
    }
    step.more = step.more || !orphans_.empty();
}

void Services::decide(cluster::Step& step) {
    end_orphans(step);
    const auto dirty = std::exchange(dirty_, {});
    for (const auto& id : dirty) {
        const auto found = apps_.find(id);
        if (found == apps_.end()) {
            continue;
        }
        if (!step.has_room()) {
            dirty_.insert(id);
            step.more = true;
            continue;
        }
        auto& app = found->second;
        auto there = census(app, step.now);
        const auto revision = app.revision;
        const bool settled = settle(app, there, step);
        if (app.revision != revision) {
            there = census(app, step.now); // some were killed
        }
        refresh_demand(app, there);
        if (app.deleting) {
            // Unreachable instances are killed when their host returns; the app need not wait for
            // that.
            const bool gone =
                std::all_of(app.tasks.begin(), app.tasks.end(), [this](TaskNumber number) {
                    return cluster_.find_task(number)->unreachable &&
                           cluster_.find_task(number)->kill_wanted;
                });
            if (gone) {
                const auto spec = app.spec;
                step.erase(state::Table::App, app.key);
                step.erase(state::Table::AppEnd, app.key);
                drop_spec_when_unused(app, spec, step);
                demands_.erase(id);
                apps_.erase(found);
            }
            continue;
        }
        if (settled && !app.deployment.empty()) {
            app.deployment.clear();
            save(app, step);
        }
        if (there.held > 0) {
            dirty_.insert(id);
        }
    }
}

void Services::delay_next(App& app, Now now) {
    const auto longest = bounded_seconds(app.definition.max_launch_delay_seconds);
    if (now.mono < app.backoff_until) {
        return; // of a batch that failed together, the first has set the delay
    }
    if (app.failed_at != MonoTime::min() && app.failed_at + longest < now.mono) {
        app.backoff = Duration::zero();
    }
    app.backoff = app.backoff == Duration::zero()
                      ? bounded_seconds(app.definition.backoff_seconds)
                      : bounded_seconds(std::chrono::duration<double>(app.backoff).count() *
                                        app.definition.backoff_factor);
    app.backoff = std::min(app.backoff, longest);
    app.failed_at = now.mono;
    app.backoff_until = now.mono + app.backoff;
}

void Services::task_changed(const cluster::Task& task, TaskState /*before*/, cluster::Step& step) {
    auto* app = app_of(task);
    if (app == nullptr) {
        if (is_terminal(task.reported)) {
            App none;
            none.spec = SpecNumber();
            drop_spec_when_unused(none, task.spec, step);
        }
        return;
    }
    dirty_.insert(app->definition.id);
    if (!task.active()) {
        ++app->revision;
    }
    if (!is_terminal(task.reported)) {
        return;
    }
    remove_task(*app, task);
    const auto* host = cluster_.find_host(task.host);
    LastEnd end;
    end.task = task.name.value;
    end.host = task.host;
    end.hostname = host == nullptr ? "" : host->info.hostname;
    end.state = task.reported;
    end.message = task.message;
    end.time = step.now.wall;
    end.version = cluster_.find_spec(task.spec)->version;
    app->last_end = std::move(end);
    const bool was_ill = task.reason == Reason::HealthCheckFailed; // killed by its executor
    const bool by_itself = !task.kill_wanted && (task.reported != TaskState::Killed || was_ill);
    if (by_itself && task.reason != Reason::Reconciliation && task.reason != Reason::HostGone) {
        delay_next(*app, step.now); // what its host lost is not the app's fault
    }
    if (by_itself && task.reported != TaskState::Finished) {
        app->last_failure = app->last_end;
    }
    save_ends(*app, step);
    drop_spec_when_unused(*app, task.spec, step);
}

void Services::host_leaving(const cluster::Host& host, cluster::Step& /*step*/) {
    for (const auto number : host.tasks) {
        if (auto* app = app_of(*cluster_.find_task(number)); app != nullptr) {
            dirty_.insert(app->definition.id);
        }
    }
}

void Services::drop_spec_when_unused(const App& app, SpecNumber spec, cluster::Step& step) {
    if (spec.empty() || (spec == app.spec && apps_.contains(app.definition.id) && !app.deleting)) {
        return;
    }
    if (!cluster_.uses(spec)) {
        cluster_.drop_spec(spec, step);
    }
}

} // namespace methos::services
