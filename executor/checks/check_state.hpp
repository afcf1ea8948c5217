// One health check of one task as a pure state machine: when to probe, and what the results mean
// together. One probe at a time; the next is due an interval after the last has ended. Failures
// before the first success do not count within the grace period. Owned by HealthBook. No I/O, no
// clock.
#pragma once

#include "core/model/health_check.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace methos::executor {

/// What came of one probe.
struct ProbeResult {
    enum class Verdict : std::uint8_t {
        Good,
        Bad,
        Void, ///< says nothing about the task: Docker was away, an interim answer is ignored
    };
    Verdict verdict = Verdict::Void;
    std::string message;  ///< of Bad: "HTTP 503"
    bool overdue = false; ///< of Bad: it did not end in its time
};

class CheckState {
  public:
    /// `started` is when the task began: the grace period counts from there.
    CheckState(HealthCheck check, MonoTime started, MonoTime first_probe)
        : check_(std::move(check)), grace_until_(started + check_.grace), due_(first_probe) {}

    /// When to probe; nothing while a probe is under way.
    [[nodiscard]] std::optional<MonoTime> due() const { return due_; }

    void probing() { due_.reset(); }

    /// The result of the probe that is under way.
    void take(const ProbeResult& result, MonoTime now);

    /// Nothing before the first result that counts.
    [[nodiscard]] std::optional<bool> healthy() const { return healthy_; }

    /// Whether so many probes failed in a row that the task is to be killed.
    [[nodiscard]] bool failed_for_good() const {
        return check_.failures_max != 0 && failures_ >= check_.failures_max;
    }

    /// Of failures in a row: "HTTP 503 (3 failures in a row)"; empty while it is healthy.
    [[nodiscard]] const std::string& message() const { return message_; }

    /// What one probe may take.
    [[nodiscard]] Duration limit() const;

    /// Whether the next probe may well hold up others for long: it is allowed to, or the last did.
    [[nodiscard]] bool is_slow() const;

    [[nodiscard]] const HealthCheck& check() const { return check_; }

  private:
    HealthCheck check_;
    MonoTime grace_until_;
    std::optional<MonoTime> due_;
    std::optional<bool> healthy_;
    bool succeeded_ = false;
    bool was_overdue_ = false;
    std::uint32_t failures_ = 0;
    std::string message_;
};

} // namespace methos::executor
