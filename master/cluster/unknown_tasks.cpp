#include "master/cluster/unknown_tasks.hpp"

#include <algorithm>

namespace methos::cluster {

bool UnknownTasks::spares(HostNumber host, const TaskStatus& status, MonoTime now) {
    const std::pair place(host, status.name.value);
    auto found = tasks_.find(place);
    if (found == tasks_.end()) {
        if (tasks_.size() >= tasks_max) {
            return false;
        }
        const Entry entry{status.number, now + grace};
        found = tasks_.emplace(place, entry).first;
        next_due_ = std::min(next_due_, entry.until);
    }
    return now < found->second.until;
}

std::vector<UnknownTasks::Due> UnknownTasks::take_due(MonoTime now, std::size_t limit) {
    std::vector<Due> due;
    if (now < next_due_) {
        return due;
    }
    next_due_ = MonoTime::max();
    for (auto& [place, entry] : tasks_) {
        if (entry.killed) {
            continue;
        }
        if (entry.until <= now && due.size() < limit) {
            entry.killed = true;
            due.push_back({place.first, entry.number, TaskName(place.second)});
        } else {
            next_due_ = std::min(next_due_, entry.until);
        }
    }
    return due;
}

} // namespace methos::cluster
