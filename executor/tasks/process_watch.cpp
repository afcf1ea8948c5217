#include "executor/tasks/process_watch.hpp"

#include <fstream>
#include <string_view>

namespace methos::executor {

/// Its cgroup's path names the container, with every driver and both versions of cgroups; so a pid
/// that was given to somebody else is not taken for it.
bool is_process_of(const std::string& container, std::int64_t pid, const std::string& proc_dir) {
    std::ifstream cgroups(proc_dir + "/" + std::to_string(pid) + "/cgroup");
    std::string line;
    while (std::getline(cgroups, line)) {
        if (line.find(container) != std::string::npos) {
            return true;
        }
    }
    return false;
}

void ProcessWatch::saw(const TaskName& name, const ContainerFacts& facts) {
    const bool runs = facts.status == ContainerFacts::Status::Running && facts.pid > 0;
    const auto known = watched_.find(name);
    const bool same = known != watched_.end() && known->second.container_id == facts.id &&
                      known->second.pid == facts.pid;
    if (runs && same) {
        return;
    }
    watched_.erase(name);
    if (runs && is_process_of(facts.id, facts.pid, proc_dir_)) {
        watched_.emplace(name, Watched{facts.id, facts.pid, std::nullopt, 0});
    }
}

std::vector<ProcessWatch::Lost> ProcessWatch::check(MonoTime now) {
    std::vector<Lost> lost;
    for (auto& [name, watched] : watched_) {
        if (is_process_of(watched.container_id, watched.pid, proc_dir_)) {
            watched.gone_since.reset();
            watched.times_told = 0;
        } else if (!watched.gone_since) {
            watched.gone_since = now;
        } else if (now - *watched.gone_since > patience_) {
            watched.gone_since = now;
            lost.push_back(Lost{name, watched.container_id, watched.pid, ++watched.times_told});
        }
    }
    return lost;
}

} // namespace methos::executor
