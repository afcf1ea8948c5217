// Who is owed most: dominant resource fairness (DRF) over roles with weights and limits, then over
// the frameworks in a role. Book-keeping only: what a client is charged for is said by the cluster,
// and what is done with the answer is the allocator's. A value of the heart's, without time.
//
// A client is a framework in one of its roles. Its share is the largest of its parts of the cluster
// (of all cpus, all memory, ...); a role's is that of its clients together, divided by its weight.
#pragma once

#include "core/model/resources.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace methos::cluster {

enum class Placement : std::uint8_t { Spread, Binpack };

/// What an operator sets for a role; a role that nobody set anything for has these defaults.
struct RoleSettings {
    double weight = 1.0; ///< > 0: a role of weight 2 is owed twice as much as one of weight 1
    /// The most a role may have, offers included; an absent one is no limit.
    std::optional<std::int64_t> milli_cpus_max;
    std::optional<std::int64_t> mem_bytes_max;
    std::optional<std::int64_t> disk_bytes_max;
    std::optional<std::int64_t> gpus_max;
    bool preemption = false; ///< higher priority may end lower priority within the role
    Placement placement = Placement::Spread;
    friend bool operator==(const RoleSettings&, const RoleSettings&) = default;
};

class Shares {
  public:
    using Client = std::uint32_t;

    /// The client for a framework in a role; made when there is none.
    Client client_of(const std::string& framework, const std::string& role);
    [[nodiscard]] std::optional<Client> find(const std::string& framework,
                                             const std::string& role) const;
    [[nodiscard]] const std::string& framework_of(Client client) const;
    [[nodiscard]] const std::string& role_of(Client client) const;

    /// Those there are, by framework. A number is another client's after `forget`.
    [[nodiscard]] std::vector<Client> clients() const;
    /// The client is no more, nor is its role when it was the last one and nobody set anything for
    /// that. Only for a client that is charged nothing.
    void forget(Client client);

    void charge(Client client, const Resources& resources);
    void refund(Client client, const Resources& resources);
    [[nodiscard]] const Resources& charged(Client client) const;
    [[nodiscard]] Resources charged_to_role(const std::string& role) const;

    /// What the whole cluster has.
    void set_total(const Resources& total);

    [[nodiscard]] const Resources& total() const { return total_; }

    void set_role(const std::string& role, const RoleSettings& settings);
    [[nodiscard]] const RoleSettings& role(const std::string& role) const;
    /// Roles that were set or have clients, by name.
    [[nodiscard]] std::vector<std::string> roles() const;

    /// How much the role may still be charged; every dimension without limit is the largest number.
    [[nodiscard]] Resources headroom(const std::string& role) const;
    [[nodiscard]] double share(Client client) const;
    [[nodiscard]] double role_share(const std::string& role) const;

    // --- taking turns
    // ------------------------------------------------------------------------------
    /// Whether the client takes part in the turns.
    void open(Client client);
    void close(Client client);
    [[nodiscard]] bool is_open(Client client) const;
    /// Of the open clients of the role that is owed most, the one that is owed most; of equals, the
    /// one that was charged longest ago.
    [[nodiscard]] std::optional<Client> next() const;
    /// Whether another open client is owed as much as this one or more.
    [[nodiscard]] bool others_wait(Client client) const;

  private:
    struct Turn {
        double share = 0;
        std::uint64_t charged_at = 0;
        std::uint32_t index = 0;
        friend auto operator<=>(const Turn&, const Turn&) = default;
    };

    struct RoleEntry {
        std::string name;
        RoleSettings settings;
        Resources charged;
        std::uint64_t charged_at = 0;
        std::set<Turn> open; ///< its open clients
        std::uint32_t clients = 0;
        bool is_set = false; ///< by `set_role`: it stays, without clients, too
        Turn turn;           ///< as it stands in open_roles_ while `open` is not empty
    };

    struct ClientEntry {
        std::string framework;
        std::uint32_t role = 0;
        Resources charged;
        std::uint64_t charged_at = 0;
        bool is_open = false;
        Turn turn; ///< as it stands in its role's `open`
    };

    std::uint32_t role_index(const std::string& role);
    [[nodiscard]] double dominant(const Resources& part) const;
    void enter(Client client);
    void withdraw(Client client);
    void enter_role(std::uint32_t index);
    void withdraw_role(std::uint32_t index);
    void change(Client client, const Resources& by, bool is_charge);

    Resources total_;
    std::uint64_t charges_ = 0;
    std::vector<RoleEntry> roles_;
    std::vector<std::uint32_t> free_roles_; ///< of roles_: to be used again
    std::map<std::string, std::uint32_t> role_by_name_;
    std::vector<ClientEntry> clients_;
    std::vector<Client> free_clients_; ///< of clients_: to be used again
    std::map<std::pair<std::string, std::uint32_t>, Client> client_by_name_;
    std::set<Turn> open_roles_;
};

} // namespace methos::cluster
