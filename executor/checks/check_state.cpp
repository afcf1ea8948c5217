#include "executor/checks/check_state.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

constexpr Duration limit_min = 100ms;
constexpr Duration limit_max = 10min;
constexpr Duration quick_max = 30s;

} // namespace

Duration CheckState::limit() const {
    const auto wanted = check_.timeout > Duration::zero() ? check_.timeout : check_.interval;
    return std::clamp(wanted, limit_min, limit_max);
}

bool CheckState::is_slow() const {
    return was_overdue_ || limit() > quick_max;
}

void CheckState::take(const ProbeResult& result, MonoTime now) {
    due_ = now + std::max(check_.interval, health_interval_min);
    if (result.verdict == ProbeResult::Verdict::Void) {
        return;
    }
    was_overdue_ = result.overdue;
    if (result.verdict == ProbeResult::Verdict::Good) {
        succeeded_ = true;
        failures_ = 0;
        healthy_ = true;
        message_.clear();
        return;
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
