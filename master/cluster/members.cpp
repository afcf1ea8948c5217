// Who takes part: frameworks and their terms, and what operators set for roles.
#include "master/cluster/cluster.hpp"
#include "master/state/records.pb.h"

#include <algorithm>
#include <cmath>

namespace methos::cluster {

namespace {

std::optional<std::int64_t> limit_of(std::int64_t stored) {
    return stored < 0 ? std::nullopt : std::optional(stored);
}

} // namespace

void Cluster::add_framework(Framework& framework, FrameworkTerms terms) {
    auto& member = members_[framework.name()];
    member.listener = &framework;
    member.terms = std::move(terms);
    member.active = true;
}

void Cluster::remove_framework(const std::string& name) {
    set_active(name, false);
    members_.erase(name);
}

void Cluster::set_terms(const std::string& name, FrameworkTerms terms, Step& step) {
    const auto member = members_.find(name);
    if (member == members_.end()) {
        return;
    }
    member->second.terms = std::move(terms);
    ++generation_;
    std::vector<OfferNumber> left;
    const auto& roles = member->second.terms.roles;
    for (const auto& [number, offer] : offers_) {
        if (offer.framework == name &&
            std::find(roles.begin(), roles.end(), offer.role) == roles.end()) {
            left.push_back(number);
        }
    }
    for (const auto number : left) {
        rescind(number, step);
    }
}

void Cluster::set_active(const std::string& name, bool active) {
    const auto member = members_.find(name);
    if (member == members_.end()) {
        return;
    }
    member->second.active = active;
    if (active) {
        ++generation_;
        return;
    }
    std::vector<OfferNumber> held;
    for (const auto& [number, offer] : offers_) {
        if (offer.framework == name) {
            held.push_back(number);
        }
    }
    for (const auto number : held) {
        take_back(number);
    }
    std::erase_if(withdrawn_, [&name](const Offer& offer) { return offer.framework == name; });
}

void Cluster::charge(const Task& task) {
    shares_.charge(shares_.client_of(task.framework, task.role), specs_.at(task.spec)->resources);
}

void Cluster::refund(const Task& task) {
    shares_.refund(shares_.client_of(task.framework, task.role), specs_.at(task.spec)->resources);
}

void Cluster::load_role(std::uint64_t key, const std::string& bytes) {
    state::RoleRecord record;
    if (!record.ParseFromString(bytes) || !(record.weight() > 0)) {
        throw Failure(Code::Internal,
                      "the stored record of role " + std::to_string(key) +
                          " is damaged; restore a snapshot");
    }
    RoleSettings settings;
    settings.weight = record.weight();
    settings.milli_cpus_max = limit_of(record.milli_cpus_max());
    settings.mem_bytes_max = limit_of(record.mem_bytes_max());
    settings.disk_bytes_max = limit_of(record.disk_bytes_max());
    settings.gpus_max = limit_of(record.gpus_max());
    settings.preemption = record.preemption();
    settings.placement = record.binpack() ? Placement::Binpack : Placement::Spread;
    shares_.set_role(record.name(), settings);
    role_keys_[record.name()] = key;
}

void Cluster::set_role(const std::string& role, const RoleSettings& settings, Step& step) {
    shares_.set_role(role, settings);
    ++generation_;
    const auto key = role_keys_.try_emplace(role, role_keys_.size() + 1).first->second;
    state::RoleRecord record;
    record.set_name(role);
    record.set_weight(settings.weight);
    record.set_milli_cpus_max(settings.milli_cpus_max.value_or(-1));
    record.set_mem_bytes_max(settings.mem_bytes_max.value_or(-1));
    record.set_disk_bytes_max(settings.disk_bytes_max.value_or(-1));
    record.set_gpus_max(settings.gpus_max.value_or(-1));
    record.set_preemption(settings.preemption);
    record.set_binpack(settings.placement == Placement::Binpack);
    step.put(state::Table::Role, key, record.SerializeAsString());
}

} // namespace methos::cluster
