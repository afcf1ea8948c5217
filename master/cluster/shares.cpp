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

/// The number for one more entry: one that was freed, or a new one at the end.
template <typename Entry>
std::uint32_t next_number(std::vector<Entry>& entries, std::vector<std::uint32_t>& free) {
    if (free.empty()) {
        entries.emplace_back();
        return static_cast<std::uint32_t>(entries.size() - 1);
    }
    const auto number = free.back();
    free.pop_back();
    return number;
}

} // namespace

std::uint32_t Shares::role_index(const std::string& role) {
    if (const auto known = role_by_name_.find(role); known != role_by_name_.end()) {
        return known->second;
    }
    const auto index = next_number(roles_, free_roles_);
    roles_[index].name = role;
    role_by_name_.emplace(role, index);
    return index;
}

Shares::Client Shares::client_of(const std::string& framework, const std::string& role) {
    const auto index = role_index(role);
    const auto name = std::pair(framework, index);
    if (const auto known = client_by_name_.find(name); known != client_by_name_.end()) {
        return known->second;
    }
    const auto client = next_number(clients_, free_clients_);
    clients_[client].framework = framework;
    clients_[client].role = index;
    ++roles_[index].clients;
    client_by_name_.emplace(name, client);
    return client;
}

std::vector<Shares::Client> Shares::clients() const {
    std::vector<Client> there;
    there.reserve(client_by_name_.size());
    for (const auto& [name, client] : client_by_name_) {
        there.push_back(client);
    }
    return there;
}

void Shares::forget(Client client) {
    close(client);
    const auto index = clients_.at(client).role;
    client_by_name_.erase(std::pair(clients_[client].framework, index));
    clients_[client] = ClientEntry();
    free_clients_.push_back(client);
    auto& role = roles_.at(index);
    if (--role.clients == 0 && !role.is_set) {
        role_by_name_.erase(role.name);
        role = RoleEntry();
        free_roles_.push_back(index);
    }
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
    roles_.at(index).is_set = true;
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
