// What a user asks for: one app, in Marathon's words and with everything normalised (old spellings
// are gone, defaults filled in). A value; made by app_parse, printed by app_print, turned into a
// TaskSpec by app_task. Versions, counts and deployments are not part of it: the services framework
// adds them.
#pragma once

#include "core/base/ids.hpp"
#include "core/model/fetch_item.hpp"
#include "core/model/resources.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace methos::services {

using StringMap = std::map<std::string, std::string>;
/// Field name to its value as JSON text: what is kept and printed, and not understood here.
using RawFields = std::map<std::string, std::string>;

struct AppPortMapping {
    std::uint16_t container_port = 0;       ///< 0: the same number as the host port
    std::optional<std::uint16_t> host_port; ///< 0: any; empty: not published (user networks only)
    std::uint16_t service_port = 0;         ///< 0: to be assigned
    std::string protocol = "tcp";           ///< "tcp", "udp" or "udp,tcp"
    std::string name;
    StringMap labels;
    std::vector<std::string> network_names;
    friend bool operator==(const AppPortMapping&, const AppPortMapping&) = default;
};

struct AppPortDefinition {
    std::uint16_t port = 0; ///< service port; also the wanted host port when requirePorts is set
    std::string protocol = "tcp";
    std::string name;
    StringMap labels;
    friend bool operator==(const AppPortDefinition&, const AppPortDefinition&) = default;
};

struct AppVolume {
    std::string container_path;
    std::string host_path; ///< empty when `raw` says what it is
    bool read_only = false;
    RawFields raw; ///< persistent, external, secret: kept, printed, refused at launch
    friend bool operator==(const AppVolume&, const AppVolume&) = default;
};

enum class ContainerType : std::uint8_t { Docker, Mesos };

struct AppContainer {
    ContainerType type = ContainerType::Docker;
    std::string image; ///< empty only for Mesos
    bool force_pull = false;
    bool privileged = false;
    std::vector<std::pair<std::string, std::string>> parameters; ///< docker run flags
    std::vector<AppPortMapping> port_mappings;
    std::vector<AppVolume> volumes;
    RawFields extras; ///< of container.docker: credential, pullConfig, ...
    friend bool operator==(const AppContainer&, const AppContainer&) = default;
};

enum class AppNetworkMode : std::uint8_t { Host, Bridge, Container };

struct AppNetwork {
    AppNetworkMode mode = AppNetworkMode::Host;
    std::string name; ///< of Container; "none" is Docker's network without any
    StringMap labels;
    friend bool operator==(const AppNetwork&, const AppNetwork&) = default;
};

struct UpgradeStrategy {
    double minimum_health_capacity = 1.0;
    double maximum_over_capacity = 1.0;
    friend bool operator==(const UpgradeStrategy&, const UpgradeStrategy&) = default;
};

struct UnreachableStrategy {
    bool disabled = false; ///< never replaced, never forgotten
    std::int64_t inactive_after_seconds = 0;
    std::int64_t expunge_after_seconds = 0;
    friend bool operator==(const UnreachableStrategy&, const UnreachableStrategy&) = default;
};

enum class KillSelection : std::uint8_t { YoungestFirst, OldestFirst };

struct AppDefinition {
    AppId id; ///< absolute
    std::optional<std::string> cmd;
    std::optional<std::vector<std::string>> args;
    Resources resources{1000, 128 * bytes_per_mb, 0, 0};
    std::int64_t instances = 1;
    StringMap env;
    RawFields env_secrets; ///< variables whose value is an object: {"secret":"name"}
    StringMap labels;
    std::vector<std::vector<std::string>>
        constraints;                 ///< [field, OPERATOR] or [field, OPERATOR, value]
    std::vector<AppId> dependencies; ///< absolute
    std::optional<AppContainer> container;
    std::vector<AppNetwork> networks{AppNetwork{}};  ///< never empty
    std::vector<AppPortDefinition> port_definitions; ///< host networking only
    bool require_ports = false;
    std::vector<std::string>
        health_checks; ///< each a JSON object with Marathon's defaults filled in
    UpgradeStrategy upgrade_strategy;
    double backoff_seconds = 1.0;
    double backoff_factor = 1.15;
    double max_launch_delay_seconds = 300.0;
    KillSelection kill_selection = KillSelection::YoungestFirst;
    UnreachableStrategy unreachable_strategy;
    std::optional<std::int64_t> task_kill_grace_period_seconds;
    std::string user;
    std::vector<FetchItem> fetch;
    std::string role = "*";
    std::optional<std::vector<std::string>> accepted_resource_roles;
    RawFields extras;          ///< Marathon's fields that Methos keeps without acting on them
    std::int64_t priority = 0; ///< one of the extensions, which print it
    RawFields extensions;      ///< Methos's own: autoscale, priority, deadlineSeconds, canary, ...

    [[nodiscard]] AppNetworkMode network_mode() const { return networks.front().mode; }

    friend bool operator==(const AppDefinition&, const AppDefinition&) = default;
};

/// Whether going from one to the other is a scaling, which restarts nothing.
[[nodiscard]] bool differ_only_in_instances(const AppDefinition& a, const AppDefinition& b);

} // namespace methos::services
