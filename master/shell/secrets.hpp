// The secret files of a master's data directory, and comparing secrets. Called at start-up
// (blocking). `bus.key` is also the sign that the directory belongs to a cluster: it is made after
// that cluster's state is durable, so a key without a state means that the state was lost.
#pragma once

#include "core/bus/bus.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace methos::master {

/// What `bus.key` holds: the cluster's CURVE keys and the secret that lets executors join.
struct ClusterSecrets {
    bus::CurveKeys keys;
    std::string join_secret;
};

/// Creates the directory (0700) when it is missing. Throws Failure naming it and what to do.
void make_data_dir(const std::string& data_dir);

/// What `bus.key` says; nothing when there is no such file. Throws InvalidInput when it is damaged.
[[nodiscard]] std::optional<ClusterSecrets> find_cluster_secrets(const std::string& data_dir);

/// Makes `bus.key`. Only for a directory whose state holds a cluster already.
[[nodiscard]] ClusterSecrets make_cluster_secrets(const std::string& data_dir);

/// Throws Conflict when `state.db` is missing or empty. Called where `bus.key` is: hosts that know
/// the key would take the new and empty state for their cluster's, and end what they run.
void require_state_of_keys(const std::string& data_dir);

/// The same, for a state that could be read and holds no cluster.
[[noreturn]] void refuse_state_without_cluster(const std::string& data_dir);

/// Reads `admin.token`, or makes it at the first start.
[[nodiscard]] std::string load_admin_token(const std::string& data_dir);

/// Writes `join.token` unless it says that already: the addresses in it are flags and may have
/// changed.
void write_join_token(const std::string& data_dir, const std::string& token);

/// Whether both are equal, in a time that does not tell where they differ.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

/// SHA-256 as lower-case hex: how the keys of hosts are stored.
[[nodiscard]] std::string digest_of(std::string_view secret);

} // namespace methos::master
