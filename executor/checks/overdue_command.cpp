#include "executor/checks/overdue_command.hpp"

#include "executor/tasks/process_watch.hpp"

#include <csignal>

namespace methos::executor {

bool end_command(const std::string& container_id, std::int64_t pid, const std::string& proc_dir) {
    // -1 would be everybody's group.
    if (pid <= 1 || !is_process_of(container_id, pid, proc_dir)) {
        return false;
    }
    const auto leader = static_cast<pid_t>(pid);
    if (::kill(-leader, SIGKILL) != 0) { // it leads no group
        ::kill(leader, SIGKILL);
    }
    return true;
}

} // namespace methos::executor
