// Decides how a change is going, from one look at an app after another: what to show, and when it
// is done, stuck or failing. Pure: observations in, a verdict out; wait.cpp does the looking.
#pragma once

#include "cli/commands/app_view.hpp"

#include <optional>
#include <string>
#include <vector>

namespace methos::cli {

/// One look at the app.
struct Observation {
    std::optional<AppView> app; ///< nothing: the master knows no such app
    std::optional<WhyView> why;
    std::vector<InstanceView> tasks_left; ///< of an app that is removed
    MonoTime at;
};

enum class Goal {
    Running, ///< every wanted instance runs the newest definition
    Gone,    ///< neither the app nor an instance is left
};

enum class Verdict {
    Pending,
    Done,
    NotPlaced, ///< no host can take what waits, and nothing moved for a while
    Failing,   ///< instance after instance ends
    Vanished,  ///< somebody removed the app
};

struct ChangeStatus {
    Verdict verdict = Verdict::Pending;
    std::string line;   ///< "2 of 3 running, 1 pulling (layer 3/5, 42%)"
    std::string reason; ///< a sentence, of NotPlaced and Failing
};

class ChangeWatch {
  public:
    ChangeWatch(Goal goal, Duration settle_time);

    [[nodiscard]] ChangeStatus step(const Observation& observation);

    /// Failed instances in a row, none of which led to one more running, before it is Failing.
    static constexpr int failures_max = 5;

  private:
    [[nodiscard]] ChangeStatus step_towards_running(const AppView& app,
                                                    const Observation& observation);
    void count_failures(const AppView& app, std::int64_t running);
    [[nodiscard]] bool nothing_moved(const std::string& fingerprint, MonoTime at);

    Goal goal_;
    Duration settle_time_;
    bool first_look_ = true;
    std::string last_failed_task_;
    int failures_in_a_row_ = 0;
    std::int64_t most_running_ = 0;
    std::string fingerprint_;
    MonoTime unchanged_since_;
};

/// "3 of 3 running", with what the others do: the same words as the progress line.
[[nodiscard]] std::string summary_of(const AppView& app, const std::optional<WhyView>& why);

/// Whether the master is only waiting for the time of its next try.
[[nodiscard]] bool is_delayed(const WaitingView& group);

} // namespace methos::cli
