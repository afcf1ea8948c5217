// Whose turn it is. Every client (a framework in a role) that could get something takes part; the
// one that is owed most gets its next piece - a task placed, or a host offered - until nothing
// fits. What was looked for in vain is not looked for again before something got better.
#include "master/cluster/allocation_cycle.hpp"

#include <algorithm>

namespace methos::cluster {

namespace {

constexpr Duration sweep_interval = std::chrono::seconds(5);
constexpr std::size_t improvements_max = 8192;

bool has_ports(const PortSet& ports, const Demand& demand) {
    const auto fixed_free = std::all_of(demand.fixed_ports.begin(),
                                        demand.fixed_ports.end(),
                                        [&](std::uint16_t port) { return ports.contains(port); });
    return fixed_free && ports.count() >= demand.port_count; // a number counts once
}

bool accepts_role(const Demand& demand, const std::string& role) {
    if (demand.roles.empty()) {
        return role == "*" || role == demand.role;
    }
    return std::find(demand.roles.begin(), demand.roles.end(), role) != demand.roles.end();
}

} // namespace

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

Unfit Cluster::unfit(const Host& host, const Demand& demand) const {
    return unfit_with(host, host.free(), host.free_ports, demand);
}

Unfit Cluster::unfit_with(const Host& host,
                          const Resources& free,
                          const PortSet& ports,
                          const Demand& demand) const {
    if (host.state != HostState::Up || !host.inventoried) {
        return Unfit::NotUp;
    }
    if (host.duty != Duty::Active) {
        return Unfit::Drain;
    }
    if (!host.info.trouble.empty()) {
        return Unfit::Trouble;
    }
    if (!accepts_role(demand, host.info.role)) {
        return demand.roles.empty() ? Unfit::Reservation : Unfit::Role;
    }
    const auto& cleared = host.cleared_for;
    if (!cleared.demand.empty() && cleared.demand != demand.key &&
        demand.priority < cleared.priority) {
        return Unfit::Reservation;
    }
    if (demand.admits && !demand.admits(host)) {
        return Unfit::Constraint;
    }
    if (const auto missing = lacking(free, demand.resources); missing != Unfit::None) {
        return missing;
    }
    return has_ports(ports, demand) ? Unfit::None : Unfit::Ports;
}

std::map<Unfit, std::size_t> Cluster::explain(const Demand& demand) const {
    std::map<Unfit, std::size_t> reasons;
    const bool within_quota = shares_.headroom(demand.role).contains(demand.resources);
    for (const auto& [number, host] : hosts_) {
        const auto reason = unfit(host, demand);
        ++reasons[reason == Unfit::None && !within_quota ? Unfit::Quota : reason];
    }
    return reasons;
}

bool Cluster::offerable(const Host& host) const {
    const auto free = host.free();
    return host.state == HostState::Up && host.inventoried && host.duty == Duty::Active &&
           host.info.trouble.empty() && host.cleared_for.demand.empty() &&
           (free.milli_cpus >= policy_.offer_milli_cpus_min ||
            free.mem_bytes >= policy_.offer_mem_bytes_min);
}

/// Something got better on the host: who found nothing may look at it again.
void Cluster::improved(Host& host) {
    ++generation_;
    if (improvements_.size() == improvements_max) {
        improvements_.clear();
        improvements_from_ = generation_;
    }
    improvements_.emplace_back(generation_, host.slot);
    filters_.host_has(host.slot, host.free());
    note_offerable(host);
}

void Cluster::note_offerable(Host& host) {
    if (offerable(host)) {
        offerable_.insert(host.slot);
    } else {
        offerable_.erase(host.slot);
    }
}

void Cluster::refresh_total() {
    if (!total_stale_) {
        return;
    }
    Resources total;
    for (const auto& [number, host] : hosts_) {
        if (host.state != HostState::Lost && host.duty == Duty::Active) {
            total += host.info.resources.scalars;
        }
    }
    shares_.set_total(total);
    total_stale_ = false;
}

/// The safety net: whatever an event should have told is found by looking at everything now and
/// then.
void Cluster::sweep(Now now) {
    if (filters_.expire(now.mono)) {
        ++generation_;
    }
    for (const auto number : std::set<HostNumber>(clearing_)) {
        if (auto& host = hosts_.at(number); host.cleared_for.until <= now.mono) {
            end_clearing(host);
        }
    }
    if (swept_at_ != MonoTime::min() && now.mono < swept_at_ + sweep_interval) {
        return;
    }
    swept_at_ = now.mono;
    forget_clients();
    for (auto& [number, host] : hosts_) {
        note_offerable(host);
    }
    improvements_.clear();
    improvements_from_ = ++generation_;
    total_stale_ = true;
}

/// Frameworks come and go, and so do the roles they name. A client goes when its framework does not
/// take part in its role any more and nothing of it is left, however late the last of that ended.
void Cluster::forget_clients() {
    for (const auto client : shares_.clients()) {
        if (!(shares_.charged(client) == Resources())) {
            continue;
        }
        const auto member = members_.find(shares_.framework_of(client));
        if (member != members_.end()) {
            const auto& roles = member->second.terms.roles;
            if (std::find(roles.begin(), roles.end(), shares_.role_of(client)) != roles.end()) {
                continue;
            }
        }
        filters_.clear_client(client);
        nothing_found_.erase(client);
        shares_.forget(client);
    }
}

void Cluster::end_clearing(Host& host) {
    host.cleared_for = {};
    clearing_.erase(host.number);
    improved(host);
}

void Cluster::open_turns(Cycle& cycle, Now now) {
    for (auto& [name, member] : members_) {
        if (!member.active) {
            continue;
        }
        if (member.terms.classic) {
            for (const auto& role : member.terms.roles) {
                const auto client = shares_.client_of(name, role);
                const auto nothing = nothing_found_.find(client);
                const bool may_find =
                    nothing == nothing_found_.end() || nothing->second != generation_;
                if (may_find && !member.terms.suppressed.contains(role)) {
                    shares_.open(client);
                }
            }
            continue;
        }
        std::vector<Demand*> demands;
        member.listener->collect_demands(now, demands);
        for (auto* demand : demands) {
            if (demand->count > 0 && !is_settled(*demand)) {
                const auto client = shares_.client_of(name, demand->role);
                cycle.demands[client].push_back(demand);
                shares_.open(client);
            }
        }
    }
    for (auto& [client, demands] : cycle.demands) {
        std::stable_sort(demands.begin(), demands.end(), [](const Demand* a, const Demand* b) {
            return a->priority > b->priority;
        });
    }
}

void Cluster::allocate(Step& step) {
    tell_withdrawn(step);
    expire_offers(step);
    if (holds_replacements(step.now)) {
        return;
    }
    sweep(step.now);
    refresh_total();
    Cycle cycle;
    open_turns(cycle, step.now);
    auto client = shares_.next();
    for (; client && cycle.budget > 0 && step.has_room(); client = shares_.next()) {
        const bool wants_more = cycle.demands.contains(*client) ? place_some(*client, cycle, step)
                                                                : offer_one(*client, cycle, step);
        if (!wants_more) {
            shares_.close(*client);
        }
    }
    step.more = step.more || client.has_value();
    for (; client; client = shares_.next()) {
        shares_.close(*client);
    }
    tell_offers(cycle, step);
}

} // namespace methos::cluster
