#include "executor/checks/overdue_command.hpp"

#include "executor/tasks/process_watch.hpp"

#include <cerrno>
#include <csignal>

namespace methos::executor {

CommandEnd
end_command(const std::string& container_id, std::int64_t pid, const std::string& proc_dir) {
    // -1 would be everybody's group.
    if (pid <= 1 || !is_process_of(container_id, pid, proc_dir)) {
        return CommandEnd::NotThere;
    }
    const auto leader = static_cast<pid_t>(pid);
    const bool signalled = ::kill(-leader, SIGKILL) == 0 || // or it leads no group
                           ::kill(leader, SIGKILL) == 0;
    if (signalled) {
        return CommandEnd::Signalled;
    }
    return errno == ESRCH ? CommandEnd::NotThere : CommandEnd::Refused;
}

} // namespace methos::executor
