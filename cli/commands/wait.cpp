#include "cli/commands/wait.hpp"

#include "cli/client/names.hpp"
#include "cli/output/progress.hpp"
#include "cli/output/words.hpp"
#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace methos::cli {

namespace {

MonoTime mono_now() {
    return SystemClock().now().mono;
}

Observation look_at(Master& master, const std::string& id, Goal goal) {
    Observation seen;
    if (const auto answer = find_app(master, id)) {
        seen.app = read_app(parse_answer(*answer, id));
    }
    if (goal == Goal::Gone) {
        const auto answer = master.call("GET", "/v2/tasks", "list the instances of " + id);
        for (auto& task : read_tasks(parse_answer(answer, "the instances"))) {
            if (task.app_id == id && !has_ended(task.state)) {
                seen.tasks_left.push_back(std::move(task));
            }
        }
    } else if (seen.app && seen.app->running < seen.app->instances) {
        seen.why = find_why(master, id);
    }
    seen.at = mono_now();
    return seen;
}

/// One app on its way.
class Following {
  public:
    Following(Session& session, std::string id, Goal goal, MonoTime deadline)
        : session_(session), id_(std::move(id)), goal_(goal), deadline_(deadline),
          progress_(session.terminal), watch_(goal, session.wait.settle_time) {}

    int run() {
        while (true) {
            const auto status = look();
            if (status.verdict != Verdict::Pending) {
                progress_.clear();
                return finish(status);
            }
            if (mono_now() >= deadline_) {
                progress_.clear();
                return give_up();
            }
            progress_.show(id_ + ": " + status.line);
            last_line_ = status.line;
            session_.master.pause(
                std::min<Duration>(session_.wait.poll_interval, deadline_ - mono_now()));
        }
    }

  private:
    /// A master that does not answer for a while is waited for: the change goes on without us.
    ChangeStatus look() {
        try {
            seen_ = look_at(session_.master, id_, goal_);
            return watch_.step(seen_);
        } catch (const Failure& failure) {
            if (failure.code() != Code::Unavailable) {
                throw;
            }
            ChangeStatus status;
            status.line = "waiting for the master: " + failure.error().message;
            return status;
        }
    }

    int finish(const ChangeStatus& status) {
        auto& err = session_.terminal.err;
        switch (status.verdict) {
        case Verdict::NotPlaced:
            err << id_ << " cannot be placed: " << printable(status.reason) << " ("
                << printable(status.line.substr(0, status.line.find(',')))
                << "; the master goes on "
                << "trying, `methos why " << id_ << "` tells more)\n";
            return exit_code::not_placed;
        case Verdict::Failing:
            err << id_ << " does not come up: " << printable(status.reason)
                << "\nThe master goes on trying; look at `methos logs --previous " << id_
                << "` and `methos status " << id_ << "`\n";
            return exit_code::failed;
        case Verdict::Vanished:
            err << id_ << " was removed while this command waited for it\n";
            return exit_code::failed;
        case Verdict::Pending:
        case Verdict::Done:
            break;
        }
        if (session_.terminal.for_people()) {
            session_.terminal.out << id_ << ": " << outcome(status) << "\n";
        }
        return exit_code::done;
    }

    [[nodiscard]] std::string outcome(const ChangeStatus& status) const {
        if (goal_ == Goal::Gone) {
            return "removed";
        }
        std::vector<std::string> places;
        for (const auto& task : seen_.app->tasks) {
            if (!task.ports.empty() && !has_ended(task.state)) {
                places.push_back(endpoints_of(task).front());
            }
        }
        constexpr std::size_t places_max = 10;
        if (places.size() > places_max) {
            places.resize(places_max);
            places.emplace_back("more");
        }
        return printable(status.line + (places.empty() ? "" : " at " + listed(places)));
    }

    int give_up() {
        auto& err = session_.terminal.err;
        err << id_ << ": not done after " << format_duration(session_.wait.timeout)
            << (last_line_.empty() ? "" : " (" + printable(last_line_) + ")")
            << "; it goes on in the background, `methos status " << id_
            << "` shows it, --timeout waits longer\n";
        return exit_code::waited_too_long;
    }

    Session& session_;
    std::string id_;
    Goal goal_;
    MonoTime deadline_;
    Progress progress_;
    ChangeWatch watch_;
    Observation seen_;
    std::string last_line_;
};

} // namespace

int follow_change(Session& session, const std::vector<std::string>& ids, Goal goal) {
    if (session.wait.detach) {
        for (const auto& id : ids) {
            if (session.terminal.for_people()) {
                session.terminal.out << id << ": accepted; `methos status " << id
                                     << "` shows how it goes\n";
            }
        }
        return exit_code::done;
    }
    const auto deadline = mono_now() + session.wait.timeout;
    session.master.set_deadline(deadline);
    int code = exit_code::done;
    for (const auto& id : ids) {
        try {
            const int one = Following(session, id, goal, deadline).run();
            code = code == exit_code::done ? one : code;
        } catch (const Failure& failure) {
            if (failure.code() != Code::Cancelled) {
                throw;
            }
            session.terminal.err << "Interrupted; the change goes on in the background, `methos "
                                    "status "
                                 << id << "` shows it\n";
            return exit_code::interrupted;
        }
    }
    return code;
}

} // namespace methos::cli
