// What must hold between any two steps, whatever happened: no host oversubscribed, nothing offered
// or used twice, everything found by the names it goes by. Tests and the simulation ask after every
// step; a broken one ends the process with its name.
#include "master/cluster/invariants.hpp"

#include "master/cluster/cluster.hpp"

#include <cstdio>
#include <cstdlib>

namespace methos::cluster {

void invariant_broken(const std::string& what) {
    std::fprintf(stderr, "invariant broken: %s\n", what.c_str());
    std::abort();
}

namespace {

/// Takes ports out of those that are still free. Ends the process when one is not.
void take(PortSet& left, const PortSet& ports, const Host& host) {
    for (const auto range : ports.ranges()) {
        for (unsigned port = range.first; port <= range.last; ++port) {
            if (!left.erase(static_cast<std::uint16_t>(port))) {
                invariant_broken("port " + std::to_string(port) + " of host " + host.info.id.value +
                                 " is offered while it is in use");
            }
        }
    }
}

} // namespace

void Cluster::check_host(const Host& host) const {
    const auto& id = host.info.id.value;
    Resources used;
    PortSet taken;
    auto left = host.info.resources.ports;
    for (const auto number : host.tasks) {
        const auto* task = find_task(number);
        if (task == nullptr || task->host != host.number || is_terminal(task->reported)) {
            invariant_broken("host " + id + " holds a task that is gone, elsewhere or over");
        }
        used += specs_.at(task->spec)->resources;
        const std::set<std::uint16_t> ports(task->host_ports.begin(), task->host_ports.end());
        for (const auto port : ports) {
            if (taken.contains(port) || host.free_ports.contains(port)) {
                invariant_broken("port " + std::to_string(port) + " is given twice on " + id);
            }
            taken.insert(port);
            left.erase(port);
        }
    }
    Resources offered;
    for (const auto number : host.offers) {
        const auto& offer = offers_.at(number);
        offered += offer.resources;
        take(left, offer.ports, host);
    }
    for (const auto& [number, claim] : claims_) {
        if (claim.host == host.number) {
            offered += claim.resources;
            take(left, claim.ports, host);
        }
    }
    if (!(left == host.free_ports)) {
        invariant_broken("the free ports of host " + id +
                         " are not those its tasks and offers leave");
    }
    if (!(offered == host.offered)) {
        invariant_broken("the offered resources of host " + id + " are not those of its offers");
    }
    if (!(used == host.used)) {
        invariant_broken("the used resources of host " + id + " are not those of its tasks");
    }
}

void Cluster::check_task(const Task& task) const {
    const auto* host = find_host(task.host);
    if (host == nullptr || !host->tasks.contains(task.number) || !specs_.contains(task.spec)) {
        invariant_broken("task " + task.name.value + " is not on its host's list, or has no spec");
    }
    const auto named = task_by_name_.find(task.name.value);
    if (named == task_by_name_.end() || named->second != task.number) {
        invariant_broken("task " + task.name.value + " cannot be found by its name");
    }
}

/// Whoever is to be killed is told again until it is over.
void Cluster::check_kills() const {
    const std::set<std::pair<MonoTime, TaskNumber>> due(kills_.begin(), kills_.end());
    for (const auto& [number, task] : tasks_) {
        if (task.kill_wanted && !due.contains({task.kill_sent_at, number})) {
            invariant_broken("task " + task.name.value + " is to be killed, and that is forgotten");
        }
    }
}

/// Each framework is charged for what it has: its tasks that can be reached, its offers and claims.
void Cluster::check_charges() const {
    std::map<std::pair<std::string, std::string>, Resources> due;
    for (const auto& [number, task] : tasks_) {
        if (!task.unreachable) {
            due[{task.framework, task.role}] += specs_.at(task.spec)->resources;
        }
    }
    for (const auto& [number, offer] : offers_) {
        due[{offer.framework, offer.role}] += offer.resources;
    }
    for (const auto& [number, claim] : claims_) {
        due[{claim.framework, claim.role}] += claim.resources;
    }
    for (const auto client : shares_.clients()) {
        const auto& framework = shares_.framework_of(client);
        if (!(shares_.charged(client) == due[{framework, shares_.role_of(client)}])) {
            invariant_broken("framework " + framework + " is not charged for what it has");
        }
    }
}

void Cluster::check_invariants() const {
    for (const auto& [number, host] : hosts_) {
        check_host(host);
    }
    for (const auto& [number, task] : tasks_) {
        check_task(task);
    }
    if (task_by_name_.size() != tasks_.size()) {
        invariant_broken("a name is left of a task that is gone");
    }
    check_kills();
    check_charges();
    for (const auto& [name, member] : members_) {
        member.listener->check_invariants();
    }
}

} // namespace methos::cluster
