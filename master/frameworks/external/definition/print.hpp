// Events and what they are made of as Mesos's v1 JSON: one compact line of ASCII each (some clients
// count characters instead of bytes), without RecordIO's length, which is HTTP's. Pure.
#pragma once

#include "master/cluster/cluster.hpp"
#include "master/frameworks/external/messages.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace methos::external {

/// What SUBSCRIBED says of the master.
struct MasterInfo {
    std::string id; ///< of this start of the master
    std::string hostname;
    std::string ip;
    std::uint16_t port = 0;
    std::string version;
};

struct PrintContext {
    const cluster::Cluster& cluster;
    const MasterInfo& master;
    Duration heartbeat_interval;
};

/// Empty for Closed.
[[nodiscard]] std::string print_event(const Event& event, const PrintContext& context);
[[nodiscard]] std::string print_heartbeat();
/// A document as this folder prints them.
[[nodiscard]] std::string print_line(const nlohmann::json& document);

// The parts, for the operator API.
[[nodiscard]] nlohmann::json json_of(const MasterInfo& master);
[[nodiscard]] nlohmann::json json_of(const FrameworkInfo& info);
/// AgentInfo. Its port is the one that Mesos's agents had: Methos's executors have none.
[[nodiscard]] nlohmann::json agent_info_json(const cluster::Host& host);
/// `{"address":...,"path":"/slave(1)","scheme":"http"}`: clients take the host's address from it.
[[nodiscard]] nlohmann::json agent_url_json(const cluster::Host& host);
/// Scalars that are not zero and ports that are not empty, of `role`; empty `allocated_to`: without
/// allocation_info.
[[nodiscard]] nlohmann::json resources_json(const Resources& scalars,
                                            const PortSet& ports,
                                            const std::string& role,
                                            const std::string& allocated_to);
[[nodiscard]] nlohmann::json offer_json(const cluster::Offer& offer,
                                        const FrameworkId& framework,
                                        const cluster::Cluster& cluster,
                                        bool multi_role);
/// TaskStatus.
[[nodiscard]] nlohmann::json json_of(const Update& update);
/// Mesos's Task, of a task of any framework. `definition` is its TaskInfo when it came in one, else
/// empty: container, command and labels are then the spec's.
[[nodiscard]] nlohmann::json task_json(const cluster::Task& task,
                                       const cluster::Cluster& cluster,
                                       const std::string& definition);
/// The same for a task that is over.
[[nodiscard]] nlohmann::json
over_task_json(const FrameworkId& framework, const std::string& definition, const Update& last);

} // namespace methos::external
