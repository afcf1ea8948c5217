#include "master/frameworks/external/task_names.hpp"

namespace methos::external {

void TaskNames::lay_to_rest(RestingName name) {
    taken_.insert(name.name.value);
    resting_.push_back(std::move(name));
}

std::optional<RestingName> TaskNames::take_rested(MonoTime now) {
    started_ = started_.value_or(now);
    const bool due =
        !resting_.empty() &&
        (resting_.front().since.value_or(*started_) + rest <= now || resting_.size() > resting_max);
    if (!due) {
        return std::nullopt;
    }
    auto rested = std::move(resting_.front());
    resting_.pop_front();
    taken_.erase(rested.name.value);
    return rested;
}

} // namespace methos::external
