// Who is subscribed: first subscriptions, failover, changes of a framework, and its end.
#include "master/frameworks/external/external.hpp"
#include "master/frameworks/external/framework_seat.hpp"
#include "master/frameworks/external/publish.hpp"
#include "master/frameworks/external/stored.hpp"

#include "core/base/units.hpp"

#include <algorithm>
#include <array>

namespace methos::external {

namespace {

using Kind = cluster::FrameworkChanged::Kind;

/// Names that tasks of our own carry, and that no foreign framework may take.
bool is_reserved(const FrameworkId& id) {
    static constexpr std::array<std::string_view, 3> reserved{"services", "jobs", "external"};
    return std::find(reserved.begin(), reserved.end(), id.value) != reserved.end();
}

cluster::FrameworkTerms terms_of(const ForeignFramework& framework) {
    cluster::FrameworkTerms terms;
    terms.roles = framework.info.roles;
    terms.suppressed = framework.suppressed_roles;
    terms.classic = true;
    return terms;
}

} // namespace

std::variant<Subscription, Refusal>
External::subscribe(const Subscribe& call, const std::string& principal, cluster::Step& step) {
    const auto& owner = principal.empty() ? call.info.principal : principal;
    auto found = frameworks_.find(call.info.id);
    if (found != frameworks_.end() && found->second.over_for_good()) {
        return Refusal{403, "Framework has been removed"};
    }
    if (found != frameworks_.end() && found->second.owner != owner) {
        return Refusal{
            403, "Framework ID '" + call.info.id.value + "' was subscribed by another principal"};
    }
    if (is_reserved(call.info.id)) {
        return Refusal{403, "Framework ID '" + call.info.id.value + "' is Methos's own"};
    }
    if (found == frameworks_.end()) {
        if (frameworks_.size() >= limits_.frameworks_max + limits_.completed_frameworks_max) {
            return Refusal{503,
                           "there are " + std::to_string(frameworks_.size()) +
                               " frameworks already, which is the most this master takes"};
        }
        found = make_framework(call, owner, step);
        tell_watchers(found->second, Kind::Added, step);
    } else {
        tell_watchers(found->second, Kind::Updated, step);
    }
    auto& framework = found->second;
    connect(framework, call, step);
    return Subscription{framework.info.id, framework.stream};
}

std::map<FrameworkId, ForeignFramework>::iterator
External::make_framework(const Subscribe& call, const std::string& owner, cluster::Step& step) {
    ForeignFramework framework;
    framework.key = next_framework_key_++;
    framework.info = call.info;
    if (framework.info.id.empty()) {
        framework.info.id = FrameworkId(cluster_.new_uuid(step));
    }
    framework.owner = owner;
    framework.registered_at = step.now.wall;
    const auto id = framework.info.id;
    const auto made = frameworks_.emplace(id, std::move(framework)).first;
    seat_at_table(made->second);
    return made;
}

void External::seat_at_table(ForeignFramework& framework) {
    framework.seat = std::make_shared<FrameworkSeat>(*this, framework.info.id);
    cluster_.add_framework(*framework.seat, terms_of(framework));
    cluster_.set_active(framework.info.id.value, false);
}

void External::connect(ForeignFramework& framework, const Subscribe& call, cluster::Step& step) {
    if (framework.subscribed()) {
        publish(framework, ErrorEvent{"Framework failed over"}, step);
        by_stream_.erase(framework.stream);
    }
    absent_.erase({framework.give_up_at, framework.info.id});
    // Mesos does not let a framework change these by subscribing anew.
    auto info = call.info;
    info.id = framework.info.id;
    info.user = framework.info.user;
    info.principal = framework.info.principal;
    info.checkpoint = framework.info.checkpoint;
    info.failover_timeout = std::min(info.failover_timeout, limits_.failover_timeout_max);
    framework.info = std::move(info);
    framework.suppressed_roles = {call.suppressed_roles.begin(), call.suppressed_roles.end()};
    framework.state = FrameworkState::Connected;
    framework.stream = StreamNumber(next_stream_++);
    framework.subscribed_at = step.now.wall;
    by_stream_.emplace(framework.stream, framework.info.id);

    // What its other self was offered and has declined means nothing to this one.
    const auto& name = framework.info.id.value;
    cluster_.set_active(name, false);
    cluster_.set_terms(name, terms_of(framework), step);
    cluster_.set_active(name, true);
    cluster_.revive(name, {});
    publish(framework, Subscribed{framework.info.id}, step);
    for (auto& [id, task] : framework.tasks) {
        if (!task.pending.empty()) {
            task.retry_after = Duration::zero();
            schedule(task, step.now.mono);
        }
    }
    save(framework, step);
    step.note("framework " + label_of(framework) + " subscribed");
}

void External::disconnected(StreamNumber stream, cluster::Step& step) {
    const auto found = by_stream_.find(stream);
    if (found == by_stream_.end()) {
        return; // taken over, or torn down
    }
    auto& framework = frameworks_.at(found->second);
    by_stream_.erase(found);
    framework.stream = StreamNumber();
    framework.state = FrameworkState::Disconnected;
    cluster_.set_active(framework.info.id.value, false);
    expect_back(framework, framework.info.failover_timeout, step.now);
    tell_watchers(framework, Kind::Updated, step);
    step.note("framework " + label_of(framework) + " disconnected; it may come back within " +
              format_duration(framework.info.failover_timeout));
}

void External::expect_back(ForeignFramework& framework, Duration within, Now now) {
    framework.give_up_at = now.mono + within;
    absent_.emplace(framework.give_up_at, framework.info.id);
}

void External::end_the_absent(cluster::Step& step) {
    while (!absent_.empty() && absent_.begin()->first <= step.now.mono) {
        if (!step.has_room()) {
            step.more = true;
            return;
        }
        auto& framework = frameworks_.at(absent_.begin()->second);
        end(framework, "it did not come back in time", step);
    }
}

std::optional<Refusal> External::update_framework(ForeignFramework& framework,
                                                  const UpdateFramework& call,
                                                  cluster::Step& step) {
    const std::array<std::pair<const char*, bool>, 3> fixed{
        std::pair("user", call.info.user != framework.info.user),
        std::pair("principal", call.info.principal != framework.info.principal),
        std::pair("checkpoint", call.info.checkpoint != framework.info.checkpoint)};
    for (const auto& [field, differs] : fixed) {
        if (differs) {
            return Refusal{400,
                           "Updating 'FrameworkInfo." + std::string(field) + "' is unsupported"};
        }
    }
    framework.info = call.info;
    framework.info.failover_timeout =
        std::min(framework.info.failover_timeout, limits_.failover_timeout_max);
    framework.suppressed_roles = {call.suppressed_roles.begin(), call.suppressed_roles.end()};
    cluster_.set_terms(framework.info.id.value, terms_of(framework), step);
    save(framework, step);
    tell_watchers(framework, Kind::Updated, step);
    return std::nullopt;
}

void External::set_terms(const ForeignFramework& framework, cluster::Step& step) {
    cluster_.set_terms(framework.info.id.value, terms_of(framework), step);
}

std::optional<Refusal> External::tear_down(const FrameworkId& id, cluster::Step& step) {
    const auto found = frameworks_.find(id);
    if (found == frameworks_.end() || found->second.over_for_good()) {
        return Refusal{404, "No framework found with specified ID"};
    }
    end(found->second, "an operator tore it down", step);
    return std::nullopt;
}

void External::end(ForeignFramework& framework, const std::string& why, cluster::Step& step) {
    publish(framework, Closed(), step);
    by_stream_.erase(framework.stream);
    absent_.erase({framework.give_up_at, framework.info.id});
    drop_launches(framework, step.now);
    cluster_.set_active(framework.info.id.value, false);
    framework.stream = StreamNumber();
    framework.state = FrameworkState::Ending;
    framework.ended_at = step.now.wall;
    ending_.insert(framework.info.id);
    save(framework, step);
    step.note("framework " + label_of(framework) + " ends: " + why + "; it has " +
              std::to_string(framework.ids.size()) + " tasks, which are killed");
    step.more = true;
}

void External::go_on_ending(cluster::Step& step) {
    const auto ending = ending_; // completing one takes it out
    for (const auto& id : ending) {
        if (!step.has_room()) { // completing one writes it, and may erase an older one
            step.more = true;
            return;
        }
        auto& framework = frameworks_.at(id);
        if (!framework.kills_issued && !issue_kills(framework, step)) {
            step.more = true;
            return;
        }
        if (framework.tasks.empty()) {
            complete(framework, step);
        }
    }
}

bool External::issue_kills(ForeignFramework& framework, cluster::Step& step) {
    auto next = framework.tasks.upper_bound(framework.kills_issued_to);
    while (next != framework.tasks.end()) {
        if (!step.has_room()) {
            return false;
        }
        auto& mine = (next++)->second;
        framework.kills_issued_to = mine.id;
        const auto* task = cluster_.find_task(mine.number);
        if (task == nullptr) {
            forget(framework, mine, step);
            continue;
        }
        drop_pending(framework, mine, step);
        if (!task->kill_wanted) {
            cluster_.kill(task->number, task->kill_grace, Reason::KilledByRequest, step);
        }
    }
    framework.kills_issued = true;
    return true;
}

void External::complete(ForeignFramework& framework, cluster::Step& step) {
    const auto id = framework.info.id;
    ending_.erase(id);
    framework.state = FrameworkState::Completed;
    cluster_.remove_framework(id.value);
    framework.seat.reset();
    save(framework, step);
    tell_watchers(framework, Kind::Removed, step);
    forget_oldest_completed(step);
}

void External::forget_oldest_completed(cluster::Step& step) {
    std::size_t completed = 0;
    auto oldest = frameworks_.end();
    for (auto next = frameworks_.begin(); next != frameworks_.end(); ++next) {
        if (next->second.state != FrameworkState::Completed) {
            continue;
        }
        ++completed;
        if (oldest == frameworks_.end() || next->second.ended_at < oldest->second.ended_at) {
            oldest = next;
        }
    }
    if (completed > limits_.completed_frameworks_max) {
        step.erase(state::Table::Framework, oldest->second.key);
        over_tasks_ -= oldest->second.over.size();
        frameworks_.erase(oldest);
    }
}

void External::save(const ForeignFramework& framework, cluster::Step& step) {
    step.put(state::Table::Framework, framework.key, stored_framework(framework));
}

} // namespace methos::external
