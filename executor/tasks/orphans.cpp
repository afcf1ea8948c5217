#include "executor/tasks/orphans.hpp"

#include "core/base/descriptor.hpp"
#include "core/base/units.hpp"
#include "executor/tasks/process_watch.hpp"

extern "C" { // which glibc 2.36 forgets to say itself
#include <sys/pidfd.h>
}

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <limits>

namespace methos::executor {

namespace {

constexpr std::size_t id_length = 64;
constexpr int rounds_max = 5; // a process may have made others while it was looked for

OrphanKills kill_once(const std::string& container_id, const std::string& proc_dir) {
    OrphanKills kills;
    std::error_code gone;
    for (std::filesystem::directory_iterator at(proc_dir, gone), end; !gone && at != end;
         at.increment(gone)) {
        const auto pid =
            parse_int(at->path().filename().string(), 2, std::numeric_limits<std::int32_t>::max());
        if (!pid || !is_process_of(container_id, *pid, proc_dir)) {
            continue;
        }
        // Held before it is looked at again, so that the number cannot become another's meanwhile.
        const Descriptor process(::pidfd_open(static_cast<pid_t>(*pid), 0));
        if (!process || !is_process_of(container_id, *pid, proc_dir)) {
            continue;
        }
        if (::pidfd_send_signal(process.get(), SIGKILL, nullptr, 0) == 0) {
            ++kills.killed;
        } else if (errno != ESRCH) { // that one has ended by itself
            ++kills.refused;
        }
    }
    return kills;
}

} // namespace

OrphanKills kill_processes_of(const std::string& container_id, const std::string& proc_dir) {
    OrphanKills kills;
    if (container_id.size() != id_length) {
        return kills;
    }
    for (int round = 0; round < rounds_max; ++round) {
        const auto more = kill_once(container_id, proc_dir);
        kills.killed += more.killed;
        kills.refused = more.refused;
        if (more.killed == 0) {
            break;
        }
    }
    return kills;
}

} // namespace methos::executor
