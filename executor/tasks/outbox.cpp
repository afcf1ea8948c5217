#include "executor/tasks/outbox.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

constexpr Duration retry_first = std::chrono::seconds(1);
constexpr Duration retry_cap = std::chrono::seconds(10);

Duration retry_after(int sent) {
    auto delay = retry_first;
    for (int i = 1; i < sent && delay < retry_cap; ++i) {
        delay *= 2;
    }
    return std::min(delay, retry_cap);
}

} // namespace

void StatusOutbox::add(TaskStatus status, bool needs_ack) {
    if (!needs_ack) {
        if (open_ && !lanes_.contains(status.name)) {
            unacked_.push_back(std::move(status));
        }
        return;
    }
    status.stamp = ++last_stamp_;
    if (!status.number.empty()) {
        names_[status.number] = status.name;
    }
    auto& waiting = lanes_[status.name].waiting;
    // The front may be on its way. Behind it the newest word on a state is enough: health may
    // change for hours while there is no master.
    if (waiting.size() > 1 && waiting.back().state == status.state) {
        waiting.back() = std::move(status);
        return;
    }
    waiting.push_back(std::move(status));
}

std::vector<TaskStatus> StatusOutbox::take_due(MonoTime now) {
    if (!open_) {
        return {};
    }
    auto due = std::exchange(unacked_, {});
    for (auto& [name, lane] : lanes_) {
        if (lane.due <= now) {
            due.push_back(lane.waiting.front());
            lane.due = now + retry_after(++lane.sent);
        }
    }
    return due;
}

std::optional<MonoTime> StatusOutbox::next_due() const {
    if (!open_) {
        return std::nullopt;
    }
    if (!unacked_.empty()) {
        return MonoTime();
    }
    std::optional<MonoTime> next;
    for (const auto& [name, lane] : lanes_) {
        next = next ? std::min(*next, lane.due) : lane.due;
    }
    return next;
}

std::optional<StatusOutbox::Acked>
StatusOutbox::ack(TaskNumber number, const TaskName& name, std::uint64_t stamp) {
    const auto known = names_.find(number);
    const auto& key = name.empty() && known != names_.end() ? known->second : name;
    const auto found = lanes_.find(key);
    if (found == lanes_.end() || found->second.waiting.front().stamp != stamp) {
        return std::nullopt;
    }
    auto& lane = found->second;
    Acked acked{found->first, is_terminal(lane.waiting.front().state)};
    lane.waiting.pop_front();
    lane.due = MonoTime();
    lane.sent = 0;
    if (lane.waiting.empty()) {
        lanes_.erase(found);
    }
    return acked;
}

void StatusOutbox::session_opened() {
    open_ = true;
    unacked_.clear();
    for (auto& [name, lane] : lanes_) {
        lane.due = MonoTime();
        lane.sent = 0;
    }
}

void StatusOutbox::session_closed() {
    open_ = false;
    unacked_.clear();
}

const TaskStatus* StatusOutbox::outstanding(const TaskName& name) const {
    const auto found = lanes_.find(name);
    return found == lanes_.end() ? nullptr : &found->second.waiting.front();
}

std::vector<TaskStatus> StatusOutbox::outstanding() const {
    std::vector<TaskStatus> statuses;
    statuses.reserve(lanes_.size());
    for (const auto& [name, lane] : lanes_) {
        statuses.push_back(lane.waiting.front());
    }
    return statuses;
}

void StatusOutbox::set_number(const TaskName& name, TaskNumber number) {
    names_[number] = name;
    const auto found = lanes_.find(name);
    if (found == lanes_.end()) {
        return;
    }
    for (auto& status : found->second.waiting) {
        status.number = number;
    }
}

void StatusOutbox::forget(const TaskName& name) {
    lanes_.erase(name);
    std::erase_if(names_, [&name](const auto& entry) { return entry.second == name; });
}

} // namespace methos::executor
