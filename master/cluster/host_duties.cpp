// What operators do with hosts: cordon, drain, mark as gone, and take them back. A drain is level
// triggered: as long as a host has that duty, each turn moves on what is left there.
#include "master/cluster/cluster.hpp"

#include <algorithm>

namespace methos::cluster {

Result<Host*> Cluster::host_to_change(HostNumber number) {
    const auto found = hosts_.find(number);
    if (found == hosts_.end()) {
        return Error(Code::NotFound, "there is no such host");
    }
    if (found->second.duty == Duty::Gone) {
        return Error(Code::Conflict,
                     "host " + found->second.info.hostname +
                         " is marked as gone; it is forgotten "
                         "as soon as its tasks are ended");
    }
    return &found->second;
}

void Cluster::set_duty(Host& host, Duty duty, Step& step) {
    host.duty = duty;
    if (host.leaving()) {
        leaving_.insert(host.number);
    } else {
        leaving_.erase(host.number);
    }
    total_stale_ = true;
    if (duty == Duty::Active) {
        improved(host);
    } else {
        withdraw_offers(host);
        note_offerable(host);
    }
    save_host(host, step);
    step.note("host " + host.info.hostname + " is " + std::string(to_string(duty)));
    for (const auto& [name, member] : members_) {
        member.listener->host_leaving(host, step);
    }
}

Result<void> Cluster::cordon(HostNumber number, Step& step) {
    const auto host = host_to_change(number);
    if (!host) {
        return host.error();
    }
    if ((*host)->duty == Duty::Active) {
        set_duty(**host, Duty::Cordoned, step);
    }
    return {};
}

Result<void> Cluster::uncordon(HostNumber number, Step& step) {
    const auto host = host_to_change(number);
    if (!host) {
        return host.error();
    }
    if ((*host)->duty != Duty::Active) {
        set_duty(**host, Duty::Active, step);
    }
    return {};
}

Result<void> Cluster::drain(HostNumber number, const DrainTerms& terms, Step& step) {
    const auto host = host_to_change(number);
    if (!host) {
        return host.error();
    }
    (*host)->drain = terms;
    set_duty(**host, Duty::Draining, step);
    return {};
}

Result<void> Cluster::mark_gone(HostNumber number, Step& step) {
    const auto host = host_to_change(number);
    if (!host) {
        return host.error();
    }
    if (!(*host)->session.empty()) {
        return Error(Code::Conflict,
                     "the executor of host " + (*host)->info.hostname +
                         " is connected: drain it, or stop its executor first");
    }
    set_duty(**host, Duty::Gone, step);
    return {};
}

void Cluster::continue_drains(Step& step) {
    const auto leaving = leaving_;
    for (const auto number : leaving) {
        if (!step.has_room()) {
            step.more = true;
            return;
        }
        auto& host = hosts_.at(number);
        const bool more = host.duty == Duty::Gone ? end_gone(host, step) : drain_some(host, step);
        step.more = step.more || more;
    }
}

/// Returns whether the step was too full to go on.
bool Cluster::drain_some(Host& host, Step& step) {
    if (host.tasks.empty()) {
        set_duty(host, Duty::Drained, step);
        return false;
    }
    const auto& terms = host.drain;
    const bool overdue =
        terms.deadline.time_since_epoch().count() > 0 && terms.deadline <= step.now.wall;
    auto dying = std::count_if(host.tasks.begin(), host.tasks.end(), [this](TaskNumber number) {
        return tasks_.at(number).kill_wanted;
    });
    const auto listed = host.tasks; // listeners may change the host's list
    for (const auto number : listed) {
        const auto& task = tasks_.at(number);
        const auto member = members_.find(task.framework);
        const bool moves_itself = member != members_.end() && member->second.terms.moves_tasks;
        if (task.kill_wanted || (!overdue && (moves_itself || dying >= terms.at_once))) {
            continue;
        }
        if (!step.has_room()) {
            return true;
        }
        const auto grace = terms.grace_max < Duration::zero()
                               ? task.kill_grace
                               : std::min(task.kill_grace, terms.grace_max);
        kill(number, grace, Reason::HostDraining, step);
        ++dying;
    }
    return false;
}

bool Cluster::end_gone(Host& host, Step& step) {
    const auto listed = host.tasks;
    for (const auto number : listed) {
        if (!step.has_room()) {
            return true;
        }
        end_as(tasks_.at(number),
               TaskState::GoneByOperator,
               Reason::HostGone,
               "an operator marked host " + host.info.hostname + " as gone",
               step);
    }
    forget(host, step);
    return false;
}

void Cluster::forget(Host& host, Step& step) {
    if (!host.session.empty()) {
        end_session(host); // it joined again meanwhile; its next frame is answered by WELCOME
    }
    withdraw_offers(host);
    if (host.state != HostState::Lost) { // else it was said when it was lost
        if (step.watched) {
            step.publications.push_back(
                std::make_shared<HostChanged>(host.number, host.info.id, false));
        }
        for (const auto& [name, member] : members_) {
            member.listener->host_lost(host, step);
        }
    }
    step.note("host " + host.info.hostname + " is forgotten");
    step.erase(state::Table::Host, host.number.value);
    offerable_.erase(host.slot);
    filters_.forget_host(host.slot);
    slots_.at(host.slot) = nullptr;
    leaving_.erase(host.number);
    clearing_.erase(host.number);
    host_by_id_.erase(host.info.id.value);
    total_stale_ = true;
    hosts_.erase(host.number);
}

} // namespace methos::cluster
