// The labels by which a container says whose it is: the executor keeps no other record of its
// tasks. Names are a contract (DESIGN section 8); `ports`, `kill-grace-ms`,
// `health-checks`, `image` and `cluster-key` are our own additions.
#pragma once

namespace methos::executor::label {

constexpr const char* version = "io.methos.v";
constexpr const char* version_value = "1";
constexpr const char* cluster = "io.methos.cluster";
constexpr const char* host = "io.methos.host";
constexpr const char* task = "io.methos.task";
constexpr const char* attempt = "io.methos.attempt";
constexpr const char* framework = "io.methos.framework";
constexpr const char* app = "io.methos.app";
constexpr const char* spec_hash = "io.methos.spec-hash";
constexpr const char* request = "io.methos.request";
constexpr const char* mesos_task_id = "MESOS_TASK_ID";
constexpr const char* ports = "io.methos.ports"; ///< "31000:80/tcp,31001:0/udp", as planned
constexpr const char* cluster_key = "io.methos.cluster-key"; ///< public; see host_recovery.hpp
constexpr const char* kill_grace_ms = "io.methos.kill-grace-ms";
constexpr const char* health_checks = "io.methos.health-checks"; ///< check_label.hpp
constexpr const char* image = "io.methos.image"; ///< the id it was made of; see is_copy()
constexpr const char* reserved_prefix = "io.methos.";

} // namespace methos::executor::label
