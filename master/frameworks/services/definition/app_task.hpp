// From an AppDefinition to what a host is asked to run: the TaskSpec that all instances of a
// version share, the ports an offer has to have, and the environment that differs per instance.
// Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/model/task.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace methos::services {

/// `version` is the app version's timestamp, `default_image` what runs a cmd without an image (may
/// be empty). The spec has its hash and no number. Errors: InvalidInput, for what can never be
/// launched (no image and no default, a kind of volume that Docker alone cannot give).
[[nodiscard]] Result<TaskSpec> make_task_spec(const AppDefinition& app,
                                              const std::string& version,
                                              const std::string& default_image);

/// The host ports that a launch needs, one per entry of TaskSpec::ports and in its order: a number,
/// or 0 for any free one.
[[nodiscard]] std::vector<std::uint16_t> wanted_host_ports(const AppDefinition& app);

/// What differs per instance: MESOS_TASK_ID, HOST, PORT, PORT0..n, PORTS, PORT_<number>,
/// PORT_<NAME>. The user's own env wins: a variable named there is left out. `host_ports` are those
/// of the launch.
[[nodiscard]] std::map<std::string, std::string>
instance_env(const AppDefinition& app,
             const TaskName& task,
             const std::string& hostname,
             const std::vector<std::uint16_t>& host_ports);

} // namespace methos::services
