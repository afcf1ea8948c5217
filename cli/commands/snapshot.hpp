// `methos snapshot save|inspect|restore`: the durable state of a cluster as a file. Saving asks the
// master; inspecting and restoring need none.
#pragma once

#include "cli/commands/session.hpp"

#include <string>

namespace methos::cli {

/// Writes the master's state to `file`, whole and verified, or leaves what is there. Of `-o json`
/// and its like the summary is printed, as inspect does.
[[nodiscard]] int run_snapshot_save(Session& session, const std::string& file);

/// Verifies every checksum and says what the snapshot holds.
[[nodiscard]] int run_snapshot_inspect(Terminal& terminal, const std::string& file);

struct SnapshotRestoreOptions {
    std::string file;
    std::string data_dir;
    bool force = false; ///< replace the state that is there; it is kept beside
};

/// Makes the snapshot the state of a master's data directory, while no master runs on it.
[[nodiscard]] int run_snapshot_restore(Terminal& terminal, const SnapshotRestoreOptions& options);

} // namespace methos::cli
