// Demand to hosts: for each demand a heap of the hosts that could take its next task, the best
// first, made once per slice of work and kept true by asking again when a host is taken from it.
#include "master/cluster/allocation_cycle.hpp"

#include <algorithm>

namespace methos::cluster {

namespace {

/// So many tasks in a row while others wait: each turn looks at all hosts, so where there are many
/// of them it is made worth it, and where there are few nobody gets all of it in one turn.
constexpr std::size_t batch_max = 16;
constexpr std::size_t hosts_per_batched_task = 64;
constexpr std::size_t victims_max = 16; ///< that one task may replace; also what fits into a step
/// Longer than a kill may take; then the room is anybody's.
constexpr Duration clearing_max = std::chrono::minutes(5);

} // namespace

/// Whether looking again would find what was found last time: nothing.
bool Cluster::is_settled(const Demand& demand) const {
    const auto& tried = demand.tried;
    return tried.generation == generation_ && tried.revision == demand.revision;
}

std::vector<Cluster::Candidate>& Cluster::candidates_for(Demand& demand, Cycle& cycle, Now now) {
    const auto [entry, is_new] = cycle.candidates.try_emplace(&demand);
    auto& heap = entry->second;
    if (!is_new) {
        return heap;
    }
    const auto consider = [&](const Host& host) {
        const auto reason = unfit(host, demand);
        const bool held = reason != Unfit::None && fits_without_offers(host, demand);
        if (reason == Unfit::None || (held && may_rescind(host, now))) {
            heap.push_back(candidate(host, demand, held));
        } else if (held) {
            cycle.waits_for_offers.insert(&demand);
        }
        return reason;
    };
    auto& tried = demand.tried;
    if (tried.generation >= improvements_from_ && tried.revision == demand.revision) {
        // Only what got better since can have become possible.
        const auto first = std::upper_bound(
            improvements_.begin(), improvements_.end(), std::pair(tried.generation, slots_.size()));
        std::set<std::size_t> better;
        for (auto i = first; i != improvements_.end(); ++i) {
            better.insert(i->second);
        }
        for (const auto slot : better) {
            if (slots_.at(slot) != nullptr) {
                (void)consider(*slots_[slot]);
            }
        }
        cycle.budget -= static_cast<std::int64_t>(better.size()) + 1;
    } else {
        tried.reasons = {};
        for (const auto& [number, host] : hosts_) {
            ++tried.reasons.at(static_cast<std::size_t>(consider(host)));
        }
        cycle.budget -= static_cast<std::int64_t>(hosts_.size()) + 1;
    }
    return heap;
}

bool Cluster::place_some(Shares::Client client, Cycle& cycle, Step& step) {
    for (auto* demand : cycle.demands.at(client)) {
        if (demand->count == 0 || is_settled(*demand)) {
            continue;
        }
        if (place(*demand, client, cycle, step)) {
            return true; // its turn, or this step, is over; it wants more
        }
        if (cycle.budget <= 0) {
            return true;
        }
    }
    return false;
}

/// Places until the turn is over (true) or nothing more of this demand can be placed (false).
bool Cluster::place(Demand& demand, Shares::Client client, Cycle& cycle, Step& step) {
    auto& framework = *members_.at(shares_.framework_of(client)).listener;
    const bool packs = shares_.role(demand.role).placement == Placement::Binpack;
    const auto worse = [packs](const Candidate& a, const Candidate& b) {
        if (packs) {
            return std::tuple(b.held, -a.spare, b.slot) < std::tuple(a.held, -b.spare, a.slot);
        }
        return std::tuple(b.held, b.load, a.spare, b.slot) <
               std::tuple(a.held, a.load, b.spare, a.slot);
    };
    if (!shares_.headroom(demand.role).contains(demand.resources)) {
        demand.tried = {0, demand.revision, {}};
        demand.tried.reasons.at(static_cast<std::size_t>(Unfit::Quota)) =
            static_cast<std::uint32_t>(hosts_.size());
        return false;
    }
    auto& heap = candidates_for(demand, cycle, step.now);
    std::make_heap(heap.begin(), heap.end(), worse);
    const auto batch =
        std::clamp<std::size_t>(hosts_.size() / hosts_per_batched_task, 1, batch_max);
    for (std::size_t placed = 0; demand.count > 0;) {
        if (!step.has_room() || cycle.budget <= 0 ||
            (placed >= batch && shares_.others_wait(client))) {
            return true;
        }
        if (!shares_.headroom(demand.role).contains(demand.resources)) {
            return false;
        }
        if (heap.empty()) {
            // Where offers are held that may be rescinded soon, it has to be looked again.
            demand.tried.generation = cycle.waits_for_offers.contains(&demand) ? 0 : generation_;
            demand.tried.revision = demand.revision;
            preempt_for(demand, step);
            return false;
        }
        std::pop_heap(heap.begin(), heap.end(), worse);
        const auto best = heap.back();
        heap.pop_back();
        cycle.budget -= placement_cost;
        auto& host = *slots_.at(best.slot);
        if (best.held && fits_without_offers(host, demand) && may_rescind(host, step.now)) {
            const auto held = host.offers;
            for (const auto offer : held) {
                rescind(offer, step);
            }
        }
        if (unfit(host, demand) != Unfit::None || !place_on(host, framework, demand, step)) {
            continue;
        }
        if (host.cleared_for.demand == demand.key) {
            end_clearing(host);
        }
        ++placed;
        --demand.count;
        heap.push_back(candidate(host, demand, false));
        std::push_heap(heap.begin(), heap.end(), worse);
    }
    return false;
}

bool Cluster::place_on(Host& host, Framework& framework, const Demand& demand, Step& step) {
    Offer offer;
    offer.host = host.number;
    offer.framework = framework.name();
    offer.role = demand.role;
    offer.resources = host.free();
    offer.ports = host.free_ports;
    const auto number = TaskNumber(next_number(step));
    auto accepted = framework.offered(offer, host, demand, number);
    if (!accepted) {
        return false;
    }
    Task task;
    task.number = number;
    task.name = std::move(accepted->name);
    task.framework = framework.name();
    task.role = demand.role;
    task.priority = demand.priority;
    task.host = host.number;
    task.host_ports = std::move(accepted->host_ports);
    task.request = std::move(accepted->request);
    framework.launched(start(std::move(task), accepted->spec, std::move(accepted->env), step),
                       step);
    return true;
}

const Task& Cluster::start(Task task,
                           const std::shared_ptr<const TaskSpec>& spec,
                           std::map<std::string, std::string> env,
                           Step& step) {
    auto& host = hosts_.at(task.host);
    task.spec = spec->number;
    task.staged_at = task.changed_at = step.now.wall;
    task.launched_in = host.session;
    task.kill_grace = spec->kill_grace;

    host.used += spec->resources;
    for (const auto port : task.host_ports) {
        host.free_ports.erase(port);
    }
    host.tasks.insert(task.number);
    charge(task);
    note_offerable(host);
    const bool spec_is_there = !host.sent_specs.insert(task.spec).second;
    save_task(task, step);
    SendLaunch message;
    message.spec = spec_is_there ? nullptr : spec;
    message.launch = TaskLaunch{task.number,
                                task.name,
                                task.spec,
                                task.attempt,
                                task.host_ports,
                                std::move(env),
                                task.request};
    step.send(host.session, std::move(message));

    if (step.watched) {
        step.publications.push_back(std::make_shared<TaskChanged>(task, true));
    }
    ++spec_uses_[task.spec];
    const auto& started = tasks_.emplace(task.number, std::move(task)).first->second;
    task_by_name_[started.name.value] = started.number;
    return started;
}

Cluster::Candidate Cluster::candidate(const Host& host, const Demand& demand, bool held) const {
    return {held, demand.load_on ? demand.load_on(host) : 0, host.free().milli_cpus, host.slot};
}

/// Whether the host could take it if the offers held of it were taken back.
bool Cluster::fits_without_offers(const Host& host, const Demand& demand) const {
    if (host.offers.empty()) {
        return false;
    }
    auto free = host.free();
    auto ports = host.free_ports;
    for (const auto number : host.offers) {
        const auto& offer = offers_.at(number);
        free += offer.resources;
        for (const auto range : offer.ports.ranges()) {
            ports.insert(range);
        }
    }
    return unfit_with(host, free, ports, demand) == Unfit::None;
}

/// Whether the offers of a host have been their frameworks' alone for long enough.
bool Cluster::may_rescind(const Host& host, Now now) const {
    return std::all_of(host.offers.begin(), host.offers.end(), [&](OfferNumber number) {
        return offers_.at(number).made_at + policy_.offer_hold <= now.mono;
    });
}

/// The tasks that have to go from a host for the demand to fit: the least important, then the
/// youngest. Empty when that is not enough, or not fewer than `fewer_than`.
std::vector<const Task*>
Cluster::victims_on(const Host& host, const Demand& demand, std::size_t fewer_than) const {
    std::vector<const Task*> lower;
    for (const auto number : host.tasks) {
        const auto& task = tasks_.at(number);
        if (task.role == demand.role && task.priority < demand.priority && task.active()) {
            lower.push_back(&task);
        }
    }
    std::sort(lower.begin(), lower.end(), [](const Task* a, const Task* b) {
        return std::tuple(a->priority, b->number) < std::tuple(b->priority, a->number);
    });
    auto free = host.free();
    auto ports = host.free_ports;
    for (std::size_t taken = 0; taken < lower.size() && taken + 1 < fewer_than; ++taken) {
        free += specs_.at(lower[taken]->spec)->resources;
        for (const auto port : lower[taken]->host_ports) {
            ports.insert(port);
        }
        if (unfit_with(host, free, ports, demand) == Unfit::None) {
            lower.resize(taken + 1);
            return lower;
        }
    }
    return {};
}

/// Ends tasks of lower priority in the same role, on the one host where the fewest have to go, and
/// keeps that host for the demand until it has been placed.
void Cluster::preempt_for(const Demand& demand, Step& step) {
    if (demand.priority <= 0 || !shares_.role(demand.role).preemption) {
        return;
    }
    const bool is_clearing =
        std::any_of(clearing_.begin(), clearing_.end(), [&](HostNumber number) {
            return hosts_.at(number).cleared_for.demand == demand.key;
        });
    if (is_clearing) {
        return;
    }
    std::vector<const Task*> victims;
    for (const auto& [number, host] : hosts_) {
        const auto most = victims.empty() ? victims_max + 1 : victims.size();
        if (auto fewer = victims_on(host, demand, most); !fewer.empty()) {
            victims = std::move(fewer);
        }
    }
    if (victims.empty()) {
        return;
    }
    auto& host = hosts_.at(victims.front()->host);
    host.cleared_for = {demand.key, demand.priority, step.now.mono + clearing_max};
    clearing_.insert(host.number);
    note_offerable(host);
    for (const auto* task : victims) {
        step.note("task " + task->name.value + " makes room for " + demand.key +
                  ", which has a higher priority");
        kill(task->number, task->kill_grace, Reason::Preempted, step);
    }
}

} // namespace methos::cluster
