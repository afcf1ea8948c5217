#include "executor/checks/check_state.hpp"

#include <algorithm>

namespace methos::executor {

void CheckState::take(const ProbeResult& result, MonoTime now) {
    due_ = now + std::max(check_.interval, health_interval_min);
    switch (result.verdict) {
    case ProbeResult::Verdict::Void:
        return;
    case ProbeResult::Verdict::Good:
        succeeded_ = true;
        failures_ = 0;
        healthy_ = true;
        message_.clear();
        return;
    case ProbeResult::Verdict::Bad:
        break;
    }
    if (!succeeded_ && now < grace_until_) {
        return;
    }
    constexpr std::uint32_t failures_shown_max = 1'000'000'000;
    failures_ = std::min(failures_ + 1, failures_shown_max);
    healthy_ = false;
    message_ = result.message;
    if (failures_ > 1) {
        message_ += " (" + std::to_string(failures_) + " failures in a row)";
    }
}

} // namespace methos::executor
