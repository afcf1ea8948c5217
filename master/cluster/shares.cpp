#include "master/cluster/shares.hpp"

#include <algorithm>
#include <limits>

namespace methos::cluster {

namespace {

double part_of(std::int64_t part, std::int64_t whole) {
    return whole <= 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::int64_t left_of(const std::optional<std::int64_t>& limit, std::int64_t charged) {
    return limit ? std::max<std::int64_t>(0, *limit - charged)
                 : std::numeric_limits<std::int64_t>::max();
}

} // namespace

std::uint32_t Shares::role_index(const std::string& role) {
    const auto [found, is_new] =
        role_by_name_.try_emplace(role, static_cast<std::uint32_t>(roles_.size()));
    if (is_new) {
        roles_.emplace_back();
        roles_.back().name = role;
    }
    return found->second;
}

Shares::Client Shares::client_of(const std::string& framework, const std::string& role) {
    const auto index = role_index(role);
    const auto [found, is_new] = client_by_name_.try_emplace(
        std::pair(framework, index), static_cast<std::uint32_t>(clients_.size()));
    if (is_new) {
        clients_.emplace_back();
        clients_.back().framework = framework;
        clients_.back().role = index;
    }
    return found->second;
}

std::optional<Shares::Client> Shares::find(const std::string& framework,
                                           const std::string& role) const {
    const auto known_role = role_by_name_.find(role);
    if (known_role == role_by_name_.end()) {
        return std::nullopt;
    }
    const auto found = client_by_name_.find(std::pair(framework, known_role->second));
    return found == client_by_name_.end() ? std::nullopt : std::optional(found->second);
}

const std::string& Shares::framework_of(Client client) const {
    return clients_.at(client).framework;
}

const std::string& Shares::role_of(Client client) const {
    return roles_.at(clients_.at(client).role).name;
}

double Shares::dominant(const Resources& part) const {
    return std::max({part_of(part.milli_cpus, total_.milli_cpus),
                     part_of(part.mem_bytes, total_.mem_bytes),
                     part_of(part.disk_bytes, total_.disk_bytes),
                     part_of(part.gpus, total_.gpus)});
}

void Shares::enter_role(std::uint32_t index) {
    auto& role = roles_.at(index);
    role.turn = Turn{dominant(role.charged) / role.settings.weight, role.charged_at, index};
    open_roles_.insert(role.turn);
}

void Shares::withdraw_role(std::uint32_t index) {
    open_roles_.erase(roles_.at(index).turn);
}

void Shares::enter(Client client) {
    auto& entry = clients_.at(client);
    auto& role = roles_.at(entry.role);
    if (role.open.empty()) {
        enter_role(entry.role);
    }
    entry.turn = Turn{dominant(entry.charged), entry.charged_at, client};
    role.open.insert(entry.turn);
}

void Shares::withdraw(Client client) {
    auto& entry = clients_.at(client);
    auto& role = roles_.at(entry.role);
    role.open.erase(entry.turn);
    if (role.open.empty()) {
        withdraw_role(entry.role);
    }
}

void Shares::change(Client client, const Resources& by, bool is_charge) {
    auto& entry = clients_.at(client);
    const auto role_number = entry.role;
    if (entry.is_open) {
        withdraw(client);
    }
    const bool role_is_open = !roles_.at(role_number).open.empty();
    if (role_is_open) {
        withdraw_role(role_number);
    }
    auto& role = roles_.at(role_number);
    if (is_charge) {
        entry.charged += by;
        role.charged += by;
        entry.charged_at = role.charged_at = ++charges_;
    } else {
        entry.charged -= by;
        role.charged -= by;
    }
    if (role_is_open) {
        enter_role(role_number);
    }
    if (entry.is_open) {
        enter(client);
    }
}

void Shares::charge(Client client, const Resources& resources) {
    change(client, resources, true);
}

void Shares::refund(Client client, const Resources& resources) {
    change(client, resources, false);
}

const Resources& Shares::charged(Client client) const {
    return clients_.at(client).charged;
}

Resources Shares::charged_to_role(const std::string& role) const {
    const auto found = role_by_name_.find(role);
    return found == role_by_name_.end() ? Resources() : roles_.at(found->second).charged;
}

void Shares::set_total(const Resources& total) {
    if (total == total_) {
        return;
    }
    std::vector<Client> open;
    for (Client client = 0; client < clients_.size(); ++client) {
        if (clients_[client].is_open) {
            withdraw(client);
            open.push_back(client);
        }
    }
    total_ = total;
    for (const auto client : open) {
        enter(client);
    }
}

void Shares::set_role(const std::string& role, const RoleSettings& settings) {
    const auto index = role_index(role);
    const bool is_open = !roles_.at(index).open.empty();
    if (is_open) {
        withdraw_role(index);
    }
    roles_.at(index).settings = settings;
    if (is_open) {
        enter_role(index);
    }
}

const RoleSettings& Shares::role(const std::string& role) const {
    static const RoleSettings defaults;
    const auto found = role_by_name_.find(role);
    return found == role_by_name_.end() ? defaults : roles_.at(found->second).settings;
}

std::vector<std::string> Shares::roles() const {
    std::vector<std::string> names;
    for (const auto& [name, index] : role_by_name_) {
        names.push_back(name);
    }
    return names;
}

Resources Shares::headroom(const std::string& role) const {
    const auto& settings = this->role(role);
    const auto charged = charged_to_role(role);
    return Resources{left_of(settings.milli_cpus_max, charged.milli_cpus),
                     left_of(settings.mem_bytes_max, charged.mem_bytes),
                     left_of(settings.disk_bytes_max, charged.disk_bytes),
                     left_of(settings.gpus_max, charged.gpus)};
}

double Shares::share(Client client) const {
    return dominant(clients_.at(client).charged);
}

double Shares::role_share(const std::string& role) const {
    return dominant(charged_to_role(role)) / this->role(role).weight;
}

void Shares::open(Client client) {
    auto& entry = clients_.at(client);
    if (!entry.is_open) {
        entry.is_open = true;
        enter(client);
    }
}

void Shares::close(Client client) {
    auto& entry = clients_.at(client);
    if (entry.is_open) {
        withdraw(client);
        entry.is_open = false;
    }
}

bool Shares::is_open(Client client) const {
    return clients_.at(client).is_open;
}

std::optional<Shares::Client> Shares::next() const {
    if (open_roles_.empty()) {
        return std::nullopt;
    }
    return roles_.at(open_roles_.begin()->index).open.begin()->index;
}

bool Shares::others_wait(Client client) const {
    const auto first = next();
    return first && *first != client;
}

} // namespace methos::cluster
