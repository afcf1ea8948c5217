// Offers and the first allocator: demand meets hosts, one task per offer, the least loaded host
// first. An offer holds what it promises until its framework has answered; built-in frameworks
// answer at once.
#include "master/cluster/cluster.hpp"

#include <algorithm>

namespace methos::cluster {

namespace {

bool has_ports(const Host& host, const Demand& demand) {
    const auto fixed_free =
        std::all_of(demand.fixed_ports.begin(), demand.fixed_ports.end(), [&](std::uint16_t port) {
            return host.free_ports.contains(port);
        });
    return fixed_free && host.free_ports.count() >= demand.port_count; // a number counts once
}

/// Which resource is missing first, in the order of the reject funnel.
Unfit lacking(const Resources& free, const Resources& need) {
    if (need.milli_cpus > free.milli_cpus) {
        return Unfit::Cpus;
    }
    if (need.mem_bytes > free.mem_bytes) {
        return Unfit::Mem;
    }
    if (need.disk_bytes > free.disk_bytes) {
        return Unfit::Disk;
    }
    return need.gpus > free.gpus ? Unfit::Gpus : Unfit::None;
}

} // namespace

Unfit Cluster::unfit(const Host& host, const Demand& demand) const {
    if (host.state != HostState::Up || !host.inventoried) {
        return Unfit::NotUp;
    }
    if (!demand.roles.empty() &&
        std::find(demand.roles.begin(), demand.roles.end(), host.info.role) == demand.roles.end()) {
        return Unfit::Role;
    }
    if (demand.admits && !demand.admits(host)) {
        return Unfit::Constraint;
    }
    if (const auto missing = lacking(host.free(), demand.resources); missing != Unfit::None) {
        return missing;
    }
    return has_ports(host, demand) ? Unfit::None : Unfit::Ports;
}

std::map<Unfit, std::size_t> Cluster::explain(const Demand& demand) const {
    std::map<Unfit, std::size_t> reasons;
    for (const auto& [number, host] : hosts_) {
        ++reasons[unfit(host, demand)];
    }
    return reasons;
}

Host* Cluster::best_host(const Demand& demand) {
    Host* best = nullptr;
    std::pair<std::size_t, std::int64_t> best_rank;
    for (auto& [number, host] : hosts_) {
        if (unfit(host, demand) != Unfit::None) {
            continue;
        }
        // Spread: fewest of its own kind first, then the host with the most free CPU.
        const auto own = demand.load_on ? demand.load_on(host) : std::size_t{0};
        const std::pair<std::size_t, std::int64_t> rank{own, -host.free().milli_cpus};
        if (best == nullptr || rank < best_rank) {
            best = &host;
            best_rank = rank;
        }
    }
    return best;
}

void Cluster::allocate(Step& step) {
    if (holds_replacements(step.now)) {
        return;
    }
    for (auto* framework : frameworks_) {
        for (const auto& demand : framework->demands(step.now)) {
            for (std::size_t i = 0; i < demand.count; ++i) {
                if (!step.has_room()) {
                    step.more = true;
                    return;
                }
                auto* host = best_host(demand);
                if (host == nullptr) {
                    break;
                }
                Offer offer;
                offer.number = OfferNumber(next_number(step));
                offer.host = host->number;
                offer.framework = framework->name();
                offer.resources = host->free();
                if (!launch(offer, *host, *framework, demand, step)) {
                    break; // the framework saw a reason that the demand does not tell
                }
            }
        }
    }
}

bool Cluster::launch(
    const Offer& offer, Host& host, Framework& framework, const Demand& demand, Step& step) {
    offers_.emplace(offer.number, offer);
    host.offered += offer.resources;
    const auto task_number = TaskNumber(next_number(step));
    auto accepted = framework.offered(offer, host, demand, task_number);
    host.offered -= offer.resources;
    offers_.erase(offer.number);
    if (!accepted) {
        return false;
    }

    Task task;
    task.number = task_number;
    task.name = std::move(accepted->name);
    task.framework = framework.name();
    task.spec = accepted->spec->number;
    task.host = host.number;
    task.host_ports = std::move(accepted->host_ports);
    task.env = std::move(accepted->env);
    task.request = std::move(accepted->request);
    task.staged_at = task.changed_at = step.now.wall;
    task.launched_in = host.session;
    task.kill_grace = accepted->spec->kill_grace;

    host.used += accepted->spec->resources;
    for (const auto port : task.host_ports) {
        host.free_ports.erase(port);
    }
    host.tasks.insert(task.number);
    const bool spec_is_there = !host.sent_specs.insert(task.spec).second;
    save_task(task, step);
    SendLaunch message;
    message.spec = spec_is_there ? nullptr : accepted->spec;
    message.launch = TaskLaunch{
        task.number, task.name, task.spec, task.attempt, task.host_ports, task.env, task.request};
    step.send(host.session, std::move(message));

    task_by_name_[task.name.value] = task.number;
    const auto& stored = tasks_.emplace(task.number, std::move(task)).first->second;
    framework.launched(stored, step);
    return true;
}

} // namespace methos::cluster
