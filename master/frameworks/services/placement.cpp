// What an app asks of hosts, and what it makes of an offer.
#include "master/frameworks/services/services.hpp"

#include "master/frameworks/services/constraints.hpp"
#include "master/frameworks/services/definition/app_task.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace methos::services {

namespace {

/// Free ports for the wanted ones (0 = any), or nothing when there are not enough. Where "any"
/// begins moves with the task's number, so that a port just freed is not taken again at once.
std::optional<std::vector<std::uint16_t>>
choose_ports(PortSet free, const std::vector<std::uint16_t>& wanted, TaskNumber number) {
    std::set<std::uint16_t> fixed;
    for (const auto port : wanted) {
        if (port != 0 && fixed.insert(port).second && !free.erase(port)) {
            return std::nullopt;
        }
    }
    constexpr std::uint64_t stride = 61;
    std::vector<std::uint16_t> chosen;
    for (const auto port : wanted) {
        if (port != 0) {
            chosen.push_back(port);
            continue;
        }
        if (free.empty()) {
            return std::nullopt;
        }
        const auto lowest = free.ranges().front().first;
        const auto highest = free.ranges().back().last;
        const auto span = std::uint64_t{highest} - lowest + 1;
        const auto from = static_cast<std::uint16_t>(lowest + number.value * stride % span);
        const auto any = free.first_from(from).value_or(lowest);
        free.erase(any);
        chosen.push_back(any);
    }
    return chosen;
}

} // namespace

cluster::Demand Services::demand_of(const App& app, Now now) const {
    return demand_for(app, tally(app, now));
}

cluster::Demand Services::demand_for(const App& app, const Tally& there) const {
    const auto wanted = static_cast<std::size_t>(app.definition.instances);
    const auto current = there.current + there.held;
    auto missing = wanted > current ? wanted - current : 0;
    if (there.old > 0) {
        // While old instances are there, the sum is bounded; where none of them may go first (half
        // of one instance is one), one more is allowed, or nothing would move.
        const auto over = static_cast<double>(wanted) *
                          (1.0 + app.definition.upgrade_strategy.maximum_over_capacity);
        const bool may_drop = kept_while_replacing(app.definition) < wanted;
        const auto most =
            std::max(static_cast<std::size_t>(std::floor(over)), wanted + (may_drop ? 0U : 1U));
        const auto all = current + there.old;
        missing = std::min(missing, most > all ? most - all : 0);
    }

    cluster::Demand demand;
    demand.key = app.definition.id.value;
    demand.revision = app.revision;
    demand.role = app.definition.role;
    demand.priority = app.definition.priority;
    demand.count = app.deleting ? 0 : missing;
    demand.resources = app.definition.resources;
    for (const auto port : wanted_host_ports(app.definition)) {
        auto& fixed = demand.fixed_ports;
        if (port == 0) {
            ++demand.port_count;
        } else if (std::find(fixed.begin(), fixed.end(), port) == fixed.end()) {
            ++demand.port_count; // 53/tcp and 53/udp are one number
            fixed.push_back(port);
        }
    }
    if (app.definition.accepted_resource_roles) {
        demand.roles = *app.definition.accepted_resource_roles;
    }
    // Asked at each call, so that every launch of a batch sees the ones before it. A demand lives
    // no longer than its app.
    demand.load_on = [&app](const cluster::Host& host) { return app.instances.on(host.number); };
    if (!app.definition.constraints.empty()) {
        demand.admits = [&app](const cluster::Host& host) { return admits(app, host); };
    }
    return demand;
}

/// Keeps demands_ as the app is now; what the allocator noted stays as long as it asks for the
/// same.
void Services::refresh_demand(const App& app, const Tally& there, Now now) {
    auto demand = demand_for(app, there);
    const auto& id = app.definition.id;
    if (demand.count == 0) {
        demands_.erase(id);
        return;
    }
    const auto known = demands_.find(id);
    demand.since = known == demands_.end() ? now.wall : known->second.since;
    if (known != demands_.end() && known->second.revision == demand.revision) {
        demand.tried = known->second.tried;
    }
    demands_.insert_or_assign(id, std::move(demand));
}

void Services::collect_demands(Now now, std::vector<cluster::Demand*>& demands) {
    for (auto& [id, demand] : demands_) {
        if (apps_.at(id).backoff_until <= now.mono) {
            demands.push_back(&demand);
        }
    }
}

std::optional<cluster::Acceptance> Services::offered(const cluster::Offer& /*offer*/,
                                                     const cluster::Host& host,
                                                     const cluster::Demand& demand,
                                                     TaskNumber number) {
    const auto& app = apps_.at(AppId(demand.key));
    auto ports = choose_ports(host.free_ports, wanted_host_ports(app.definition), number);
    auto spec = cluster_.find_spec(app.spec);
    if (!ports || !spec) {
        return std::nullopt;
    }
    cluster::Acceptance acceptance;
    acceptance.name =
        instance_name(app.definition.id, cluster::uuid_of(cluster_.id(), number.value));
    acceptance.env = instance_env(app.definition, acceptance.name, host.info.hostname, *ports);
    acceptance.spec = std::move(spec);
    acceptance.host_ports = std::move(*ports);
    acceptance.request = app.request;
    return acceptance;
}

void Services::add_task(App& app, const cluster::Task& task) const {
    app.tasks.insert(task.number);
    app.instances.note(task, *cluster_.find_host(task.host));
    ++app.revision;
}

void Services::remove_task(App& app, const cluster::Task& task) {
    app.tasks.erase(task.number);
    app.instances.remove(task);
}

void Services::launched(const cluster::Task& task, cluster::Step& /*step*/) {
    if (auto* app = app_of(task); app != nullptr) {
        add_task(*app, task);
        dirty_.insert(app->definition.id);
    }
}

} // namespace methos::services
