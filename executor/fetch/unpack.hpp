// Unpacks what a task has fetched into its sandbox: tar (plain, gzip, bzip2, xz), zip, and single
// files compressed with gzip. libarchive reads, SandboxFolder writes, so that no entry can leave
// the sandbox. Files, folders and links are made; owners, times and the set-id bits are not taken
// over; devices and the like are refused. Blocking: used on the fetcher's threads only.
#pragma once

#include "executor/fetch/sandbox_folder.hpp"

#include <atomic>
#include <cstdint>

namespace methos::executor {

constexpr std::size_t archive_entries_max = 200'000;

struct UnpackLimits {
    std::uint64_t bytes_max = 0; ///< of all files together, unpacked
    std::size_t entries_max = archive_entries_max;
};

/// The archive `file` of the sandbox, into it; returns the bytes that it took. `given_up` may be
/// set at any time and ends it soon. Throws Failure: InvalidInput (no archive, damaged, or an entry
/// that cannot be), ResourceExhausted (larger than allowed, or the disk is full), Cancelled.
std::uint64_t unpack(const SandboxFolder& sandbox,
                     const std::string& file,
                     const UnpackLimits& limits,
                     const std::atomic<bool>& given_up);

/// The gzip `file` ("logs/a.txt.gz") as "a.txt". The same errors.
std::uint64_t gunzip(const SandboxFolder& sandbox,
                     const std::string& file,
                     const UnpackLimits& limits,
                     const std::atomic<bool>& given_up);

} // namespace methos::executor
