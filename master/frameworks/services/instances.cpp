#include "master/frameworks/services/instances.hpp"

#include <array>
#include <tuple>

namespace methos::services {

namespace {

/// Healthy and merely running instances are equally good.
Standing rank_of(Standing standing) {
    return standing == Standing::Healthy ? Standing::Running : standing;
}

} // namespace

Standing standing_of(const cluster::Task& task) {
    if (task.kill_wanted) {
        return task.unreachable ? Standing::EndingAway : Standing::Ending;
    }
    if (task.unreachable) {
        return Standing::Unreachable;
    }
    if (!task.running()) {
        return Standing::Starting;
    }
    if (!task.healthy) {
        return Standing::Running;
    }
    return *task.healthy ? Standing::Healthy : Standing::Ill;
}

std::optional<std::string> value_on(const cluster::Host& host, const std::string& field) {
    if (field == "hostname" || field == "@hostname") {
        return host.info.hostname;
    }
    const auto name = field == "@region" ? "region" : field == "@zone" ? "zone" : field;
    const auto found = host.info.attributes.find(name);
    return found == host.info.attributes.end() ? std::nullopt : std::optional(found->second);
}

Instances::Place& Instances::place_of(const cluster::Host& host) {
    const auto [entry, is_new] = places_.try_emplace(host.number);
    if (is_new) {
        read_values(entry->second, host);
    }
    return entry->second;
}

void Instances::note(const cluster::Task& task, const cluster::Host& host) {
    auto& place = place_of(host);
    const auto before = take_out(task);
    Group group;
    group.standing = standing_of(task);
    group.away_on = task.unreachable ? task.host : HostNumber();
    group.spec = task.spec;
    group.leaving = host.leaving();
    groups_[group].insert(task.number);
    place.all += before ? 0U : 1U;
    const bool was_active = before && is_active(*before);
    if (is_active(group.standing) != was_active) {
        count_active(place, !was_active);
    }
}

void Instances::remove(const cluster::Task& task) {
    const auto before = take_out(task);
    const auto place = places_.find(task.host);
    if (!before || place == places_.end()) {
        return;
    }
    if (is_active(*before)) {
        count_active(place->second, false);
    }
    if (--place->second.all == 0) {
        places_.erase(place);
    }
}

/// Out of the group it was in, which has its spec and is away on its host or nowhere: few to look
/// at.
std::optional<Standing> Instances::take_out(const cluster::Task& task) {
    for (const auto away_on : std::array{HostNumber(), task.host}) {
        Group first;
        first.away_on = away_on;
        first.spec = task.spec;
        first.standing = Standing::Healthy;
        for (auto group = groups_.lower_bound(first);
             group != groups_.end() && group->first.away_on == away_on &&
             group->first.spec == task.spec;
             ++group) {
            if (group->second.erase(task.number) == 0) {
                continue;
            }
            const auto standing = group->first.standing;
            if (group->second.empty()) {
                groups_.erase(group);
            }
            return standing;
        }
    }
    return std::nullopt;
}

std::size_t Instances::count(const std::function<bool(const Group&)>& which) const {
    std::size_t count = 0;
    for (const auto& [group, members] : groups_) {
        count += which(group) ? members.size() : 0U;
    }
    return count;
}

std::optional<TaskNumber> Instances::worst(KillSelection selection,
                                           const std::function<bool(const Group&)>& which) const {
    std::optional<std::pair<Standing, TaskNumber>> worst;
    for (const auto& [group, members] : groups_) {
        if (!which(group)) {
            continue;
        }
        const bool youngest_first = selection == KillSelection::YoungestFirst;
        const auto rank = rank_of(group.standing);
        const auto number = youngest_first ? *members.rbegin() : *members.begin();
        const bool worse = !worst || rank > worst->first ||
                           (rank == worst->first && (number > worst->second) == youngest_first);
        if (worse) {
            worst = {rank, number};
        }
    }
    return worst ? std::optional(worst->second) : std::nullopt;
}

std::size_t Instances::on(HostNumber host) const {
    const auto place = places_.find(host);
    return place == places_.end() ? 0 : place->second.all;
}

void Instances::count_active(Place& place, bool more) {
    place.active = more ? place.active + 1 : place.active - 1;
    for (std::size_t i = 0; i < place.values.size(); ++i) {
        if (!place.values[i]) {
            continue;
        }
        auto& count = values_[i][*place.values[i]];
        count = more ? count + 1 : count - 1;
        if (count == 0) {
            values_[i].erase(*place.values[i]);
        }
    }
}

/// Counts the place's active instances under the values that its host has now.
void Instances::read_values(Place& place, const cluster::Host& host) {
    place.values.clear();
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        place.values.push_back(value_on(host, fields_[i]));
        if (place.values.back() && place.active > 0) {
            values_[i][*place.values.back()] += place.active;
        }
    }
}

void Instances::host_changed(const cluster::Host& host) {
    const auto found = places_.find(host.number);
    if (found == places_.end()) {
        return;
    }
    auto& place = found->second;
    for (std::size_t i = 0; i < place.values.size(); ++i) {
        if (!place.values[i] || place.active == 0) {
            continue;
        }
        const auto counted = values_[i].find(*place.values[i]);
        counted->second -= place.active;
        if (counted->second == 0) {
            values_[i].erase(counted);
        }
    }
    read_values(place, host);
}

void Instances::count_fields(std::vector<std::string> fields,
                             const std::function<const cluster::Host*(HostNumber)>& find_host) {
    if (fields == fields_) {
        return;
    }
    fields_ = std::move(fields);
    values_.assign(fields_.size(), {});
    for (auto& [number, place] : places_) {
        read_values(place, *find_host(number));
    }
}

} // namespace methos::services
