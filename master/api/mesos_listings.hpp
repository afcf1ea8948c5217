// The cluster's state in Mesos's words, as documents that are printed while they are sent: what
// POST /api/v1 and the old GET /state both ask for. Handlers put these together.
#pragma once

#include "master/api/listing.hpp"
#include "master/api/mesos_print.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace methos::master::mesos {

/// Items of a Listing: every host, printed by `print`.
[[nodiscard]] Listing::Next each_host(const Shell& shell,
                                      nlohmann::json (*print)(const cluster::Host& host));

enum class Reach { Any, Reachable, Unreachable };

/// Every task that is not over, of one framework, or of all when `framework` is empty.
[[nodiscard]] Listing::Next
each_v0_task(const Shell& shell, Reach reach, const std::string& framework = std::string());

[[nodiscard]] FrameworkView view_of(const external::ForeignFramework& framework);
/// The services framework and all foreign ones that are not gone.
[[nodiscard]] std::vector<FrameworkView> frameworks_of(const heart::Heart& heart);
/// Those that are over, as far as they are remembered.
[[nodiscard]] std::vector<FrameworkView> completed_frameworks_of(const heart::Heart& heart);

/// Append master.proto's GetTasks, GetFrameworks, GetAgents and GetState.
void list_tasks(Listing& listing, const Shell& shell);
void list_frameworks(Listing& listing, const Shell& shell);
void list_agents(Listing& listing, const Shell& shell);
void list_state(Listing& listing, const Shell& shell);

} // namespace methos::master::mesos
