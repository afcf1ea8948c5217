// Restoring: a snapshot becomes the state.db of a data directory, while no master runs on it. Used
// by the command line. Blocking.
//
// The restored state is one that executors have not seen yet: its epoch and its numbers are moved
// beyond whatever the cluster gave out after the snapshot was taken, so that nothing new is ever
// taken for something that was forgotten. The record of the cluster says when that was, and the
// master gives tasks that it does not know a grace (master/cluster/unknown_tasks.hpp).
#pragma once

#include "core/state/snapshot.hpp"

#include <string>

namespace methos::state {

constexpr std::uint64_t epochs_skipped = 1'000'000;    ///< a start of the master takes one
constexpr std::uint64_t numbers_skipped = 1ULL << 40U; ///< 1,000 launches a second take 35 years

struct RestoreOptions {
    std::string file;
    std::string data_dir; ///< made when it is not there
    bool force = false;   ///< a state that is there is kept as state.db.before-restore
    WallTime now;
};

struct Restored {
    SnapshotSummary snapshot;
    std::uint64_t epoch = 0;  ///< the next start of a master begins the one after it
    std::string kept;         ///< path of the state that was there; empty: none
    bool has_bus_key = false; ///< else hosts have to join anew
};

/// All or nothing: until the snapshot has been read to its verified end and is on the disk, the
/// data directory keeps what it has.
/// Errors (thrown): InvalidInput (the snapshot, as read_snapshot), NotFound (no such file),
/// Conflict (a master uses the directory; there is a state and no `force`; an earlier restore's is
/// still kept), ResourceExhausted (the disk is full), Forbidden.
[[nodiscard]] Restored restore_snapshot(const RestoreOptions& options);

} // namespace methos::state
