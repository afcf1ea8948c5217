#include "cli/commands/logs.hpp"

#include "cli/client/names.hpp"
#include "cli/client/record_lines.hpp"
#include "cli/commands/app_view.hpp"
#include "core/base/json.hpp"
#include "core/base/units.hpp"
#include "core/http/message.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <functional>
#include <ostream>

namespace methos::cli {

namespace {

using nlohmann::json;

struct LogRecord {
    std::string task;
    std::string time;
    bool is_error = false; ///< written to stderr
    std::string line;
};

std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Prints pieces of a log stream as they come; pieces break anywhere.
class LogPrinter {
  public:
    LogPrinter(Terminal& terminal, bool timestamps, bool name_tasks)
        : terminal_(terminal), timestamps_(timestamps), name_tasks_(name_tasks) {}

    /// False when nobody reads any more.
    bool take(const StreamPiece& piece) {
        const bool records = piece.content_type.find("ndjson") != std::string::npos;
        if (!records || terminal_.form == Form::Json) {
            terminal_.out << piece.bytes << std::flush;
            return terminal_.out.good();
        }
        lines_.take(piece.bytes, [this](const std::string& line) { print(line); });
        terminal_.out << std::flush;
        return terminal_.out.good();
    }

    /// The time of the newest record, for going on after a cut.
    [[nodiscard]] const std::string& last_time() const { return last_time_; }

  private:
    void print(const std::string& text) {
        const auto value = try_parse_json(text);
        if (!value.is_object()) {
            throw Failure(Code::Protocol,
                          "the master sent a log record that is not JSON: " +
                              shortened(printable(text), 80));
        }
        if (const auto error = value.find("error"); error != value.end()) {
            const auto words =
                error->is_object() ? text_at(*error, "message") : text_at(value, "error");
            terminal_.err << "methos: " << printable(words) << '\n';
            return;
        }
        LogRecord record;
        record.task = text_at(value, "task");
        record.time = text_at(value, "time");
        record.is_error = text_at(value, "stream") == "stderr";
        record.line = text_at(value, "line");
        print(record);
    }

    void print(const LogRecord& record) {
        last_time_ = record.time.empty() ? last_time_ : record.time;
        std::string head;
        if (name_tasks_) {
            head +=
                paint(short_task_name(record.task) + " | ", tone_of(record.task), terminal_.colour);
        }
        if (timestamps_ && !record.time.empty()) {
            head += record.time + " ";
        }
        auto& stream = record.is_error ? terminal_.err : terminal_.out;
        stream << head << record.line;
        if (record.line.empty() || record.line.back() != '\n') {
            stream << '\n';
        }
    }

    static Tone tone_of(const std::string& task) {
        constexpr std::array<Tone, 3> tones = {Tone::Good, Tone::Busy, Tone::Strong};
        return tones.at(std::hash<std::string>()(task) % tones.size());
    }

    Terminal& terminal_;
    bool timestamps_;
    bool name_tasks_;
    RecordLines lines_;
    std::string last_time_;
};

/// What the name means to the API, and whether lines need the instance's name.
struct LogTarget {
    std::string name;
    bool several = false;
};

/// An app's id, a task's id, or the short name of an instance. Throws Failure(NotFound).
LogTarget find_target(Session& session, const std::string& name) {
    if (is_task_id(name)) {
        return LogTarget{name, false};
    }
    const auto id = app_argument(name).value();
    if (const auto answer = find_app(session.master, id)) {
        const auto app = read_app(parse_answer(*answer, id));
        return LogTarget{id, app.instances > 1 || app.tasks.size() > 1};
    }
    const auto answer = session.master.call("GET", "/v2/tasks", "list the instances");
    for (const auto& task : read_tasks(parse_answer(answer, "the instances"))) {
        if (short_task_name(task.id) == name) {
            return LogTarget{task.id, false};
        }
    }
    throw no_such_app(session.master, id);
}

} // namespace

Result<std::string> plan_logs(const LogsOptions& options) {
    std::vector<std::string> query;
    if (options.follow) {
        query.emplace_back("follow=true");
    }
    if (options.tail) {
        query.push_back("tail=" + std::to_string(*options.tail));
    }
    if (!options.since.empty()) {
        WallTime instant;
        // A duration goes as it is: the master's clock decides what it means.
        if (!parse_duration(options.since) && !parse_wall_time(options.since, instant)) {
            return Error(Code::InvalidInput,
                         "--since " + options.since +
                             " is neither a duration like 10m nor an instant like "
                             "2026-01-31T12:00:00Z");
        }
        query.push_back("since=" + http::percent_encode(options.since));
    }
    if (options.timestamps) {
        query.emplace_back("timestamps=true");
    }
    if (options.previous) {
        query.emplace_back("previous=true");
    }
    auto path = "/methos/v1/logs/" + url_path_of(options.name);
    for (std::size_t i = 0; i < query.size(); ++i) {
        path += (i == 0 ? "?" : "&") + query[i];
    }
    return path;
}

int run_logs(Session& session, const LogsOptions& options) {
    auto& terminal = session.terminal;
    if (terminal.form == Form::Yaml || terminal.form == Form::Name) {
        throw Failure(Code::InvalidInput, "logs are text, or records with -o json");
    }
    auto wanted = options;
    static_cast<void>(plan_logs(wanted).value()); // a wrong flag is told before anything is asked
    const auto target = find_target(session, options.name);
    wanted.name = target.name;
    const auto path = plan_logs(wanted).value();
    const auto& shown = target.name;
    LogPrinter printer(terminal, options.timestamps, target.several);
    const auto print = [&printer](const StreamPiece& piece) { return printer.take(piece); };
    try {
        session.master.stream(path, "application/x-ndjson", "read the logs of " + shown, print);
    } catch (const Failure& failure) {
        if (failure.code() != Code::Unavailable || printer.last_time().empty()) {
            throw;
        }
        auto error = failure.error();
        error.message += "; `methos logs " + std::string(options.follow ? "-f " : "") + "--since " +
                         printer.last_time() + " " + shown + "` goes on from there";
        throw Failure(std::move(error));
    }
    return exit_code::done;
}

} // namespace methos::cli
