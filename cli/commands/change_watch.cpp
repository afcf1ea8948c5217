#include "cli/commands/change_watch.hpp"

#include "cli/output/words.hpp"

#include <algorithm>
#include <cctype>

namespace methos::cli {

namespace {

/// What an app's instances are doing, counted.
struct Tally {
    std::int64_t running = 0;
    std::int64_t pulling = 0;
    std::int64_t staging = 0;
    std::int64_t starting = 0;
    std::int64_t stopping = 0;
    std::int64_t unreachable = 0;
    std::int64_t outdated = 0;
    std::string pull_detail;

    [[nodiscard]] std::int64_t on_the_way() const { return pulling + staging + starting; }

    [[nodiscard]] std::int64_t missing(std::int64_t wanted) const {
        return std::max<std::int64_t>(0, wanted - running - on_the_way());
    }
};

bool has_reason(const WaitingView& group, std::string_view name) {
    return std::any_of(group.reasons.begin(),
                       group.reasons.end(),
                       [name](const WaitingReason& reason) { return reason.reason == name; });
}

bool is_staged(const WaitingView& group) {
    return has_reason(group, "Staging");
}

/// "2 instances cannot be placed: no host has joined" -> "no host has joined": the count and the
/// verdict stand before it already.
std::string bare_reason(std::string text) {
    const auto words = text.find_first_not_of("0123456789");
    for (const std::string_view start : {" instances ", " instance "}) {
        if (words != 0 && words != std::string::npos &&
            text.compare(words, start.size(), start) == 0) {
            text.erase(0, words + start.size());
            break;
        }
    }
    constexpr std::string_view verdict = "cannot be placed: ";
    return text.rfind(verdict, 0) == 0 ? text.substr(verdict.size()) : text;
}

std::string lowered(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

/// "pulling nginx:1.25: 12.3/45.6 MB, 2/5 layers" -> "12.3/45.6 MB, 2/5 layers"; what is put
/// otherwise stays whole.
std::string pull_detail_of(const std::string& message) {
    if (message.rfind("pulling ", 0) != 0) {
        return message;
    }
    const auto colon = message.find(": ");
    return colon == std::string::npos ? "" : message.substr(colon + 2);
}

void count_instance(Tally& tally, const InstanceView& task, const AppView& app) {
    if (task.state == "TASK_RUNNING") {
        ++tally.running;
        const bool old = !app.config_version.empty() && !task.version.empty() &&
                         task.version < app.config_version;
        tally.outdated += old ? 1 : 0;
    } else if (task.state == "TASK_STAGING") {
        if (lowered(task.message).find("pull") != std::string::npos) {
            ++tally.pulling;
            auto detail = pull_detail_of(task.message);
            if (task.image_percent && !detail.empty()) {
                detail = std::to_string(*task.image_percent) + " %, " + detail;
            }
            tally.pull_detail = detail.empty() ? tally.pull_detail : detail;
        } else {
            ++tally.staging;
        }
    } else if (task.state == "TASK_STARTING") {
        ++tally.starting;
    } else if (task.state == "TASK_KILLING") {
        ++tally.stopping;
    } else if (!has_ended(task.state)) {
        ++tally.unreachable;
    }
}

Tally tally_of(const AppView& app) {
    Tally tally;
    if (app.tasks.empty()) { // a listing without instances has the counts
        tally.running = app.running;
        tally.staging = app.staged;
        return tally;
    }
    for (const auto& task : app.tasks) {
        count_instance(tally, task, app);
    }
    return tally;
}

/// The group that speaks of instances without a host; those on their way are shown as such.
const WaitingView* unplaced_group(const WhyView& why) {
    const auto found = std::find_if(why.waiting.begin(),
                                    why.waiting.end(),
                                    [](const WaitingView& group) { return !is_staged(group); });
    return found == why.waiting.end() ? nullptr : &*found;
}

std::string waiting_words(std::int64_t missing, const std::optional<WhyView>& why) {
    const auto* group = why ? unplaced_group(*why) : nullptr;
    auto words = std::to_string(missing) +
                 (group != nullptr && is_delayed(*group) ? " delayed" : " waiting");
    if (group != nullptr && !group->text.empty()) {
        words += " (" + bare_reason(group->text) + ")";
    }
    return words;
}

std::string line_of(const AppView& app, const Tally& tally, const std::optional<WhyView>& why) {
    auto line = std::to_string(tally.running) + " of " + std::to_string(app.instances) + " running";
    const auto add = [&line](std::int64_t count, const std::string& what) {
        if (count > 0) {
            line += ", " + std::to_string(count) + " " + what;
        }
    };
    add(tally.pulling,
        tally.pull_detail.empty() ? "pulling" : "pulling (" + tally.pull_detail + ")");
    add(tally.staging, "staging");
    add(tally.starting, "starting");
    add(tally.outdated, "to be replaced");
    add(tally.stopping, "stopping");
    add(tally.unreachable, "unreachable");
    if (const auto missing = tally.missing(app.instances); missing > 0) {
        line += ", " + waiting_words(missing, why);
    }
    return line;
}

/// Whether the master says of every missing instance that no host can take it.
bool is_stuck(const AppView& app, const Tally& tally, const std::optional<WhyView>& why) {
    if (!why || why->waiting.empty() || tally.on_the_way() > 0 || tally.stopping > 0) {
        return false;
    }
    std::int64_t waiting = 0;
    for (const auto& group : why->waiting) {
        // No reason at all: it is about to be placed.
        if (group.reasons.empty() || is_delayed(group) || is_staged(group)) {
            return false;
        }
        waiting += group.count;
    }
    return tally.running < app.instances && waiting >= app.instances - tally.running;
}

std::string fingerprint_of(const Tally& tally, const WhyView& why) {
    auto print = std::to_string(tally.running) + "/" + std::to_string(tally.unreachable);
    for (const auto& group : why.waiting) {
        print += ";" + std::to_string(group.count);
        for (const auto& reason : group.reasons) {
            print += "," + reason.reason + ":" + std::to_string(reason.hosts);
        }
    }
    return print;
}

std::string reason_text(const WhyView& why) {
    const auto text = bare_reason(why.waiting.front().text);
    return text.empty() ? "no host can take it" : text;
}

} // namespace

bool is_delayed(const WaitingView& group) {
    return has_reason(group, "Backoff") || has_reason(group, "MassLossHold");
}

std::string summary_of(const AppView& app, const std::optional<WhyView>& why) {
    return line_of(app, tally_of(app), why);
}

ChangeWatch::ChangeWatch(Goal goal, Duration settle_time)
    : goal_(goal), settle_time_(settle_time) {}

ChangeStatus ChangeWatch::step(const Observation& observation) {
    ChangeStatus status;
    if (goal_ == Goal::Running) {
        if (!observation.app) {
            status.verdict = Verdict::Vanished;
            return status;
        }
        return step_towards_running(*observation.app, observation);
    }
    const auto left = static_cast<std::int64_t>(observation.tasks_left.size());
    if (!observation.app && left == 0) {
        status.verdict = Verdict::Done;
    }
    status.line = left > 0 ? counted(left, "instance") + " still stopping" : "removing";
    return status;
}

ChangeStatus ChangeWatch::step_towards_running(const AppView& app, const Observation& observation) {
    const auto tally = tally_of(app);
    ChangeStatus status;
    status.line = line_of(app, tally, observation.why);
    count_failures(app, tally.running);
    const bool told = app.last_failure && !app.last_failure->message.empty() &&
                      status.line.find(app.last_failure->message) != std::string::npos;
    if (failures_in_a_row_ > 0 && app.last_failure && !told) {
        status.line += "; last failure: " + app.last_failure->message;
    }
    const bool settled = tally.on_the_way() == 0 && tally.stopping == 0 && tally.outdated == 0;
    if (tally.running == app.instances && settled && !app.has_deployment) {
        status.verdict = Verdict::Done;
        return status;
    }
    if (failures_in_a_row_ >= failures_max) {
        status.verdict = Verdict::Failing;
        status.reason = std::to_string(failures_in_a_row_) + " instances in a row ended: " +
                        (app.last_failure ? app.last_failure->message : "");
        return status;
    }
    if (!is_stuck(app, tally, observation.why)) {
        fingerprint_.clear();
    } else if (nothing_moved(fingerprint_of(tally, *observation.why), observation.at)) {
        status.verdict = Verdict::NotPlaced;
        status.reason = reason_text(*observation.why);
    }
    return status;
}

void ChangeWatch::count_failures(const AppView& app, std::int64_t running) {
    const auto failed = app.last_failure ? app.last_failure->task_id : std::string();
    if (!first_look_ && !failed.empty() && failed != last_failed_task_) {
        ++failures_in_a_row_;
    }
    first_look_ = false;
    last_failed_task_ = failed;
    if (running > most_running_) {
        most_running_ = running;
        failures_in_a_row_ = 0;
    }
}

bool ChangeWatch::nothing_moved(const std::string& fingerprint, MonoTime at) {
    if (fingerprint != fingerprint_) {
        fingerprint_ = fingerprint;
        unchanged_since_ = at;
    }
    return at - unchanged_since_ >= settle_time_;
}

} // namespace methos::cli
