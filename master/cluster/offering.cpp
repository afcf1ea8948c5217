// Classic offers: a host's free resources, held by one framework until it accepts or declines them,
// until they are rescinded for another's demand, or until they time out.
#include "master/cluster/allocation_cycle.hpp"

#include <algorithm>

namespace methos::cluster {

namespace {

constexpr Duration refuse_max = std::chrono::hours(24 * 365); // Mesos's cap
constexpr Duration refuse_default =
    std::chrono::seconds(5); // and its default, also for negative ones

/// Never less than nothing: a host may have been made smaller than what runs on it.
Resources least_of(const Resources& a, const Resources& b) {
    const auto least = [](std::int64_t x, std::int64_t y) {
        return std::max<std::int64_t>(0, std::min(x, y));
    };
    return Resources{least(a.milli_cpus, b.milli_cpus),
                     least(a.mem_bytes, b.mem_bytes),
                     least(a.disk_bytes, b.disk_bytes),
                     least(a.gpus, b.gpus)};
}

bool contains_all(const PortSet& set, const std::vector<std::uint16_t>& ports) {
    return std::all_of(
        ports.begin(), ports.end(), [&set](std::uint16_t port) { return set.contains(port); });
}

void insert_all(PortSet& set, const PortSet& more) {
    for (const auto range : more.ranges()) {
        set.insert(range);
    }
}

} // namespace

bool Cluster::offer_one(Shares::Client client, Cycle& cycle, Step& step) {
    const auto& role = shares_.role_of(client);
    const auto& framework = shares_.framework_of(client);
    const auto headroom = shares_.headroom(role);
    auto unsuited = filters_.of(client); // and, below, hosts that are reserved for others
    for (;;) {
        const auto slot = offerable_.next(offer_cursor_, unsuited);
        if (!slot) {
            nothing_found_[client] = generation_;
            return false;
        }
        auto& host = *slots_.at(*slot);
        const auto resources = least_of(host.free(), headroom);
        const bool suits = (host.info.role == "*" || host.info.role == role) && offerable(host) &&
                           (resources.milli_cpus >= policy_.offer_milli_cpus_min ||
                            resources.mem_bytes >= policy_.offer_mem_bytes_min);
        cycle.budget -= offer_cost;
        if (!suits) {
            unsuited.insert(*slot);
            continue;
        }
        offer_cursor_ = *slot + 1;
        Offer offer;
        offer.number = OfferNumber(++offers_made_);
        offer.host = host.number;
        offer.framework = framework;
        offer.role = role;
        offer.resources = resources;
        offer.ports = std::exchange(host.free_ports, PortSet());
        offer.made_at = step.now.mono;
        host.offered += resources;
        host.offers.insert(offer.number);
        shares_.charge(client, resources);
        note_offerable(host);
        cycle.offers[framework].push_back(offer.number);
        offers_.emplace_hint(offers_.end(), offer.number, std::move(offer));
        return true;
    }
}

void Cluster::tell_offers(Cycle& cycle, Step& step) {
    for (const auto& [framework, numbers] : cycle.offers) {
        std::vector<const Offer*> made;
        for (const auto number : numbers) {
            if (const auto found = offers_.find(number); found != offers_.end()) {
                made.push_back(&found->second);
            }
        }
        if (!made.empty()) {
            members_.at(framework).listener->offers_made(made, step);
        }
    }
}

void Cluster::take_back(OfferNumber number) {
    const auto offer = std::move(offers_.extract(number).mapped());
    auto& host = hosts_.at(offer.host);
    host.offered -= offer.resources;
    host.offers.erase(number);
    insert_all(host.free_ports, offer.ports);
    shares_.refund(shares_.client_of(offer.framework, offer.role), offer.resources);
    improved(host);
}

void Cluster::rescind(OfferNumber number, Step& step) {
    const auto offer = offers_.at(number);
    take_back(number);
    if (const auto member = members_.find(offer.framework); member != members_.end()) {
        member->second.listener->offer_rescinded(offer, step);
    }
}

void Cluster::expire_offers(Step& step) {
    while (!offers_.empty()) {
        const auto& oldest = offers_.begin()->second;
        if (step.now.mono < oldest.made_at + policy_.offer_timeout) {
            return;
        }
        const auto client = shares_.client_of(oldest.framework, oldest.role);
        const auto& host = hosts_.at(oldest.host);
        const auto slot = host.slot;
        const auto resources = oldest.resources;
        rescind(oldest.number, step);
        // Who does not answer is not asked again at once: others are.
        filters_.add(client, slot, step.now.mono + refuse_default, resources);
    }
}

/// Takes back what is offered of a host that is not up any more; there is no step to tell it in.
void Cluster::withdraw_offers(Host& host) {
    const auto offers = host.offers;
    for (const auto number : offers) {
        withdrawn_.push_back(offers_.at(number));
        take_back(number);
    }
    drop_claims(host);
}

void Cluster::tell_withdrawn(Step& step) {
    for (const auto& offer : std::exchange(withdrawn_, {})) {
        if (const auto member = members_.find(offer.framework); member != members_.end()) {
            member->second.listener->offer_rescinded(offer, step);
        }
    }
}

void Cluster::drop_claims(const Host& host) {
    std::vector<ClaimNumber> claims;
    for (const auto& [number, claim] : claims_) {
        if (claim.host == host.number) {
            claims.push_back(number);
        }
    }
    for (const auto number : claims) {
        release(number, Duration::zero(), Now{});
    }
}

void Cluster::revive(const std::string& name, const std::vector<std::string>& roles) {
    const auto member = members_.find(name);
    if (member == members_.end()) {
        return;
    }
    for (const auto& role : roles.empty() ? member->second.terms.roles : roles) {
        if (const auto client = shares_.find(name, role);
            client && filters_.clear_client(*client)) {
            ++generation_;
        }
    }
}

bool Cluster::decline(const std::string& name, OfferNumber number, Duration refuse, Step& step) {
    const auto claimed = claim(name, {number}, step.now);
    if (!claimed) {
        return false;
    }
    release(*claimed, refuse, step.now);
    return true;
}

Result<ClaimNumber>
Cluster::claim(const std::string& name, const std::vector<OfferNumber>& offers, Now now) {
    std::vector<OfferNumber> good;
    std::string fault = offers.empty() ? "no offers are named" : "";
    for (const auto number : offers) {
        const auto found = offers_.find(number);
        if (found == offers_.end() || found->second.framework != name) {
            fault = "an offer is no longer valid";
        } else if (std::find(good.begin(), good.end(), number) != good.end()) {
            fault = "an offer is named twice";
        } else if (!good.empty() && (found->second.host != offers_.at(good.front()).host ||
                                     found->second.role != offers_.at(good.front()).role)) {
            fault = "the offers are of different hosts or roles";
            good.push_back(number);
        } else {
            good.push_back(number);
        }
    }
    if (!fault.empty()) {
        for (const auto number : good) {
            take_back(number);
        }
        return Error(Code::InvalidInput, fault);
    }
    auto joined = std::move(offers_.extract(good.front()).mapped());
    auto& host = hosts_.at(joined.host);
    host.offers.erase(good.front());
    for (std::size_t i = 1; i < good.size(); ++i) {
        const auto more = std::move(offers_.extract(good[i]).mapped());
        host.offers.erase(good[i]);
        joined.resources += more.resources;
        insert_all(joined.ports, more.ports);
    }
    joined.made_at = now.mono;
    const auto number = ClaimNumber(++claims_made_);
    claims_.emplace(number, std::move(joined));
    return number;
}

const Offer* Cluster::find_claim(ClaimNumber number) const {
    const auto found = claims_.find(number);
    return found == claims_.end() ? nullptr : &found->second;
}

Result<TaskNumber> Cluster::launch(ClaimNumber number, Launching launching, Step& step) {
    const auto found = claims_.find(number);
    if (found == claims_.end()) {
        return Error(Code::Unavailable, "the host of the offer is not up any more");
    }
    auto& claim = found->second;
    if (task_by_name_.contains(launching.name.value)) {
        return Error(Code::Conflict, "a task of that id is active");
    }
    const auto& need = launching.spec->resources;
    if (lacking(claim.resources, need) != Unfit::None) {
        return Error(Code::InvalidInput, "the task uses more resources than are offered");
    }
    if (!contains_all(claim.ports, launching.host_ports)) {
        return Error(Code::InvalidInput, "the task uses ports that are not offered");
    }
    auto& host = hosts_.at(claim.host);
    claim.resources -= need;
    host.offered -= need;
    shares_.refund(shares_.client_of(claim.framework, claim.role), need);
    for (const auto port : launching.host_ports) {
        claim.ports.erase(port);
    }
    Task task;
    task.number = TaskNumber(next_number(step));
    task.name = std::move(launching.name);
    task.framework = claim.framework;
    task.role = claim.role;
    task.host = claim.host;
    task.host_ports = std::move(launching.host_ports);
    task.request = std::move(launching.request);
    const auto& started = start(std::move(task), launching.spec, std::move(launching.env), step);
    members_.at(started.framework).listener->launched(started, step);
    return started.number;
}

void Cluster::release(ClaimNumber number, Duration refuse, Now now) {
    auto found = claims_.extract(number);
    if (found.empty()) {
        return;
    }
    const auto& claim = found.mapped();
    const auto client = shares_.client_of(claim.framework, claim.role);
    auto& host = hosts_.at(claim.host);
    host.offered -= claim.resources;
    insert_all(host.free_ports, claim.ports);
    shares_.refund(client, claim.resources);
    improved(host);
    const auto wanted = refuse < Duration::zero() ? refuse_default : std::min(refuse, refuse_max);
    if (wanted > Duration::zero()) {
        filters_.add(client, host.slot, now.mono + wanted, host.free());
    }
}

} // namespace methos::cluster
