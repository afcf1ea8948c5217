// The master's documents as the commands need them: apps, their instances, and why something waits.
// Reads what is there and tolerates what is not; only a document of the wrong kind is an error.
#pragma once

#include "cli/client/master.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace methos::cli {

struct InstanceView {
    std::string id;
    std::string app_id;
    std::string host;    ///< its hostname
    std::string host_id; ///< of the host: two may have the same hostname
    std::string address; ///< of the host, an IP; empty from masters that do not say
    std::string state;   ///< "TASK_RUNNING"
    std::vector<std::int64_t> ports;
    std::string started_at; ///< ISO 8601, empty before it runs
    std::string staged_at;
    std::string version;
    std::string message;
    std::optional<bool> healthy; ///< of its health checks, where there are any
    /// How much of its image is there while it waits for it; none: not told, or nothing known yet.
    std::optional<std::int64_t> image_percent;
};

struct FailureView {
    std::string task_id;
    std::string host;
    std::string state;
    std::string message;
    std::string timestamp;
};

struct AppView {
    std::string id;
    std::string image;
    std::string command; ///< cmd, or args in one line
    std::int64_t instances = 0;
    double cpus = 0;
    double mem = 0;
    std::int64_t staged = 0;
    std::int64_t running = 0;
    std::int64_t healthy = 0;
    std::int64_t unhealthy = 0;
    std::string version;
    std::string config_version; ///< tasks older than this run an outdated definition; may be empty
    bool has_deployment = false;
    bool deleting = false; ///< what is left of it is being killed
    std::vector<InstanceView> tasks;
    std::vector<std::string> container_ports; ///< "80/tcp"
    std::optional<FailureView> last_failure;
};

struct WaitingReason {
    std::string reason;
    std::int64_t hosts = 0;
};

struct WaitingView {
    std::int64_t count = 0;
    std::vector<WaitingReason> reasons;
    std::string text;
};

struct WhyView {
    std::int64_t wanted = 0;
    std::int64_t running = 0;
    std::vector<WaitingView> waiting;
};

/// From `{"app":{...}}` or the bare app. Throws Failure(Protocol) when it is neither.
[[nodiscard]] AppView read_app(const nlohmann::ordered_json& document);
/// From `{"apps":[...]}`.
[[nodiscard]] std::vector<AppView> read_apps(const nlohmann::ordered_json& document);
/// From `{"tasks":[...]}`.
[[nodiscard]] std::vector<InstanceView> read_tasks(const nlohmann::ordered_json& document);
[[nodiscard]] WhyView read_why(const nlohmann::ordered_json& document);

/// Whether a task in this state ("TASK_FAILED") will never run again.
[[nodiscard]] bool has_ended(const std::string& state);

/// "TASK_RUNNING" -> "running"
[[nodiscard]] std::string plain_state(const std::string& state);

/// "node1:31000", one per port; the host alone when it has none.
[[nodiscard]] std::vector<std::string> endpoints_of(const InstanceView& instance);

/// The app with extensions and messages, else as Marathon shows it; nothing when there is none.
[[nodiscard]] std::optional<Answer> find_app(Master& master, const std::string& id);

/// As find_app. Throws Failure(NotFound) that names similar apps.
[[nodiscard]] Answer get_app(Master& master, const std::string& id);

/// The NotFound of an app, with the similar names there are.
[[nodiscard]] Failure no_such_app(Master& master, const std::string& id);

/// Why instances wait; nothing when the master does not say (no such app, not implemented).
[[nodiscard]] std::optional<WhyView> find_why(Master& master, const std::string& id);

} // namespace methos::cli
