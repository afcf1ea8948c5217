// Hosts, tasks and frameworks in the two shapes that Mesos's tools read: v1 (messages of
// mesos/v1/master.proto as JSON, what /api/v1 answers; their parts are
// frameworks/external/definition's) and v0 (what /state and /slaves have answered since Mesos 0.20,
// which mesos-dns and other old tools read). Pure.
#pragma once

#include "master/frameworks/external/definition/print.hpp"
#include "master/heart/heart.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace methos::master::mesos {

/// The Mesos release whose interfaces these are: tools compare it before they talk.
inline constexpr const char* mesos_version = "1.11.0";

/// A framework as Mesos's tools see it: a foreign one, or the services framework, which stands for
/// Marathon there.
struct FrameworkView {
    external::FrameworkInfo info;
    bool connected = true;
    WallTime registered_at;
};

[[nodiscard]] FrameworkView services_view();

[[nodiscard]] nlohmann::json v0_version(const std::string& build);
/// The head of GET /state, without hosts and frameworks.
[[nodiscard]] nlohmann::json v0_master(const external::MasterInfo& master,
                                       const std::string& build,
                                       WallTime started_at,
                                       const cluster::Cluster& cluster);
[[nodiscard]] nlohmann::json v0_host(const cluster::Host& host);
[[nodiscard]] nlohmann::json v0_task(const cluster::Task& task, const heart::Heart& heart);
/// What its framework calls it.
[[nodiscard]] std::string id_of(const cluster::Task& task, const heart::Heart& heart);
/// Without its tasks.
[[nodiscard]] nlohmann::json v0_framework(const FrameworkView& framework);

/// master.proto's GetAgents.Agent.
[[nodiscard]] nlohmann::json v1_agent(const cluster::Host& host);
/// master.proto's GetFrameworks.Framework.
[[nodiscard]] nlohmann::json v1_framework(const FrameworkView& framework);
/// mesos.proto's Task.
[[nodiscard]] nlohmann::json v1_task(const cluster::Task& task, const heart::Heart& heart);
/// mesos.proto's TaskStatus, of what is known of a task now.
[[nodiscard]] nlohmann::json v1_status(const cluster::Task& task, const heart::Heart& heart);

} // namespace methos::master::mesos
