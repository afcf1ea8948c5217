// TaskInfo's JSON to what a host is asked to run. Pure. Fields of a wrong type are a problem of the
// whole call; what Methos or Docker cannot do is the task's own (TaskRequest::invalid). Used by
// call_read only.
#pragma once

#include "master/frameworks/external/definition/message_fields.hpp"
#include "master/frameworks/external/messages.hpp"

#include <optional>
#include <string>

namespace methos::external {

[[nodiscard]] TaskRequest read_task_info(const MessageFields& fields);

/// KillPolicy's grace_period; nullopt when there is none.
[[nodiscard]] std::optional<Duration> read_kill_policy(const MessageFields& fields);

/// ContainerInfo to image, network, ports, volumes and the rest of the spec; a port mapping's host
/// port becomes an entry of `host_ports`. What cannot be done goes to `invalid`.
void read_container(const MessageFields& fields, TaskRequest& task);

/// HealthCheck to the spec's; what Mesos would refuse goes to `invalid`. After read_container.
void read_health_check(const MessageFields& fields, TaskRequest& task);

/// Sets `invalid` unless something was said before.
void refuse(TaskRequest& task, const std::string& why);

/// "PORT0", "HOST": the smallest word about a document; nulls left out.
[[nodiscard]] nlohmann::json without_nulls(const nlohmann::json& document);

} // namespace methos::external
