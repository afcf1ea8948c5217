#include "master/frameworks/external/task_names.hpp"

#include <algorithm>

namespace methos::external {

void TaskNames::lay_to_rest(RestingName name) {
    taken_.insert(name.name.value);
    const auto later = std::upper_bound(
        resting_.begin(), resting_.end(), name, [](const RestingName& a, const RestingName& b) {
            return a.since < b.since;
        });
    resting_.insert(later, std::move(name));
}

std::optional<RestingName> TaskNames::take_rested(WallTime now) {
    // A wall clock that was set back far leaves names resting; their number is bounded.
    const bool due = !resting_.empty() &&
                     (resting_.front().since + rest <= now || resting_.size() > resting_max);
    if (!due) {
        return std::nullopt;
    }
    auto rested = std::move(resting_.front());
    resting_.pop_front();
    taken_.erase(rested.name.value);
    return rested;
}

} // namespace methos::external
