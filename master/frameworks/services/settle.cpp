// Keeping apps true: what is missing is asked for (placement.cpp), what is too much is killed, what
// is old is replaced as capacity allows, what ends is remembered.
#include "master/frameworks/services/services.hpp"

#include "core/base/units.hpp"

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

/// Whether the reason names a fault of the host, and says nothing of the app.
bool is_of_the_host(Reason reason) {
    return reason == Reason::Reconciliation || reason == Reason::HostGone ||
           reason == Reason::DockerDown;
}

std::size_t wanted_of(const App& app) {
    return app.deleting ? 0 : static_cast<std::size_t>(app.definition.instances);
}

/// Whether these are what the app wants; what is on a host that is drained is replaced as an old
/// version is.
bool stays(const App& app, const Instances::Group& group) {
    return group.spec == app.spec && !group.leaving;
}

} // namespace

std::size_t kept_while_replacing(const AppDefinition& definition) {
    const auto least = static_cast<double>(definition.instances) *
                       definition.upgrade_strategy.minimum_health_capacity;
    return static_cast<std::size_t>(std::ceil(least));
}

bool Services::still_counts(const App& app, HostNumber lost, Now now) const {
    const auto& strategy = app.definition.unreachable_strategy;
    const auto wait = std::chrono::seconds(
        std::clamp<std::int64_t>(strategy.inactive_after_seconds, 0, seconds_max));
    return strategy.disabled || now.mono < cluster_.find_host(lost)->lost_since + wait;
}

Services::Tally Services::tally(const App& app, Now now) const {
    Tally tally;
    for (const auto& [group, members] : app.instances.groups()) {
        if (is_active(group.standing)) {
            const bool current = stays(app, group);
            const auto running = is_running(group.standing) ? members.size() : 0U;
            (current ? tally.current : tally.old) += members.size();
            tally.running += running;
            tally.running_current += current ? running : 0U;
        } else if (group.standing == Standing::Unreachable &&
                   still_counts(app, group.away_on, now)) {
            tally.held += members.size();
        }
    }
    return tally;
}

void Services::kill_worst(App& app,
                          std::size_t count,
                          const std::function<bool(const Group&)>& among,
                          cluster::Step& step) {
    for (; count > 0; --count) {
        const auto victim = app.instances.worst(app.definition.kill_selection, among);
        if (!victim) {
            return;
        }
        if (!step.has_room()) {
            step.more = true;
            dirty_.insert(app.definition.id);
            return;
        }
        const auto spec = cluster_.find_spec(cluster_.find_task(*victim)->spec);
        cluster_.kill(*victim, spec->kill_grace, Reason::KilledByRequest, step);
    }
}

/// Kills what is too much, too old, or of an app that is being deleted.
bool Services::settle(App& app, cluster::Step& step) {
    if (app.deleting) {
        const auto lives = [](const Group& group) { return group.standing < Standing::Ending; };
        kill_worst(app, app.tasks.size(), lives, step);
        return false;
    }
    const auto wanted = wanted_of(app);
    const auto there = tally(app, step.now);
    const auto current = there.current + there.held;
    if (current > wanted) {
        // The worst are those of lost hosts that still count: they end when their host returns.
        const auto counts = [&](const Group& group) {
            return group.standing == Standing::Unreachable
                       ? still_counts(app, group.away_on, step.now)
                       : is_active(group.standing) && stays(app, group);
        };
        kill_worst(app, current - wanted, counts, step);
    }
    if (there.old > 0) {
        // Old instances go as new ones run: never fewer than the upgrade strategy says.
        const auto is_old = [&app](const Group& group, bool running) {
            return is_active(group.standing) && is_running(group.standing) == running &&
                   !stays(app, group);
        };
        const auto keep = kept_while_replacing(app.definition);
        const auto running = tally(app, step.now).running;
        kill_worst(
            app, there.old, [&](const Group& group) { return is_old(group, false); }, step);
        kill_worst(
            app,
            running > keep ? running - keep : 0,
            [&](const Group& group) { return is_old(group, true); },
            step);
    }
    return there.old == 0 && current == wanted && there.running_current + there.held == wanted;
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
        const bool settled = settle(app, step);
        expunge(app, step);
        trim_history(id, step);
        const auto there = tally(app, step.now);
        refresh_demand(app, there, step.now);
        if (app.deleting) {
            delete_when_empty(app, step);
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

/// Forgets instances that have been unreachable for as long as the app says. 0, the default, is
/// never: then the better one stays when the host returns.
void Services::expunge(App& app, cluster::Step& step) {
    const auto& strategy = app.definition.unreachable_strategy;
    if (app.deleting || strategy.disabled || strategy.expunge_after_seconds <= 0) {
        return;
    }
    const auto wait = std::chrono::seconds(std::min(strategy.expunge_after_seconds, seconds_max));
    const auto overdue = [&](const Group& group) {
        return group.standing == Standing::Unreachable &&
               cluster_.find_host(group.away_on)->lost_since + wait <= step.now.mono;
    };
    while (const auto number = app.instances.worst(KillSelection::OldestFirst, overdue)) {
        if (!step.has_room()) {
            step.more = true;
            break;
        }
        const auto* host = cluster_.find_host(cluster_.find_task(*number)->host);
        cluster_.give_up(*number,
                         "host " + host->info.hostname + " has been lost for " +
                             format_duration(wait) + " (expungeAfterSeconds)",
                         step);
    }
    const auto is_unreachable = [](const Group& group) {
        return group.standing == Standing::Unreachable;
    };
    if (app.instances.count(is_unreachable) > 0) {
        dirty_.insert(app.definition.id);
    }
}

/// Unreachable instances are killed when their host returns; the app need not wait for that.
void Services::delete_when_empty(App& app, cluster::Step& step) {
    const auto waits_for = [](const Group& group) {
        return group.standing != Standing::EndingAway;
    };
    if (app.instances.count(waits_for) > 0) {
        return;
    }
    if (!step.has_room() || !history_.forget(app.definition.id, step)) {
        step.more = true;
        dirty_.insert(app.definition.id);
        return;
    }
    step.erase(state::Table::App, app.key);
    step.erase(state::Table::AppEnd, app.key);
    drop_spec_when_unused(app, app.spec, step);
    const auto id = app.definition.id;
    demands_.erase(id);
    apps_.erase(id);
}

bool Services::reset_delay(const AppId& id) {
    if (!demands_.contains(id)) {
        return false;
    }
    auto& app = apps_.at(id);
    app.backoff = Duration::zero();
    app.backoff_until = MonoTime::min();
    return true;
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
    if (app == nullptr || !app->tasks.contains(task.number)) {
        if (is_terminal(task.reported)) { // of no app, or of an earlier one of this name
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
        app->instances.note(task, *cluster_.find_host(task.host));
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
    const bool host_in_trouble = host != nullptr && !host->info.trouble.empty();
    if (by_itself && !is_of_the_host(task.reason) && !host_in_trouble) {
        delay_next(*app, step.now);
    }
    if (by_itself && task.reported != TaskState::Finished) {
        app->last_failure = app->last_end;
    }
    save_ends(*app, step);
    drop_spec_when_unused(*app, task.spec, step);
}

void Services::host_leaving(const cluster::Host& host, cluster::Step& /*step*/) {
    for (const auto number : host.tasks) {
        const auto* task = cluster_.find_task(number);
        if (auto* app = app_of(*task); app != nullptr && app->tasks.contains(number)) {
            app->instances.note(*task, host);
            dirty_.insert(app->definition.id);
        }
    }
}

void Services::host_changed(const cluster::Host& host) {
    for (auto& [id, app] : apps_) {
        if (!app.definition.constraints.empty() && app.instances.on(host.number) > 0) {
            app.instances.host_changed(host);
            ++app.revision;
            dirty_.insert(id);
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
