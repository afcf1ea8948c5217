// What a task wants fetched, checked and turned into steps: where each file comes from, what it is
// called in the sandbox and what becomes of it there. Names and endings are Mesos's. Pure but for
// the policy's look at local paths; who carries it out is the Fetcher.
#pragma once

#include "core/base/error.hpp"
#include "core/model/fetch_item.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace methos::executor {

/// What a task may have copied from this host itself.
struct FetchPolicy {
    std::vector<std::string> roots; ///< files, and folders with all that is in them; empty: none
};

/// What is done with a file once it is there.
enum class FetchedUse : std::uint8_t {
    Keep,
    MakeExecutable,
    Unpack, ///< a tar or zip, into the sandbox; the archive stays
    Gunzip, ///< one compressed file, into the sandbox; the compressed one stays
};

struct FetchStep {
    std::string uri;   ///< as given; may hold secrets
    std::string shown; ///< the same for messages: without user info and query
    bool local = false;
    std::string local_path; ///< of a local one
    std::string file;       ///< in the sandbox: "a.tgz", "bin/run"
    FetchedUse use = FetchedUse::Keep;
};

/// Errors: InvalidInput (a scheme other than http, https and file, or a name that cannot be),
/// Forbidden (a local file that the policy does not name).
[[nodiscard]] Result<std::vector<FetchStep>> plan_fetch(const std::vector<FetchItem>& items,
                                                        const FetchPolicy& policy);

/// Whether a path of this host may be copied, symbolic links followed. Errors: Forbidden.
[[nodiscard]] Result<void> check_local_path(const FetchPolicy& policy, const std::string& path);

/// The parts of a path that stays in its folder: "bin/run" is "bin" and "run". Empty for one that
/// is absolute, climbs out with "..", or names no file; "." and double slashes fall away.
[[nodiscard]] std::vector<std::string> parts_inside(const std::string& path);

} // namespace methos::executor
