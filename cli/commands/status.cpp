#include "cli/commands/status.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/app_view.hpp"
#include "cli/commands/change_watch.hpp"
#include "cli/commands/ls.hpp"
#include "cli/output/document.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <ostream>
#include <set>

namespace methos::cli {

namespace {

Tone tone_of_state(const std::string& state) {
    if (state == "TASK_RUNNING") {
        return Tone::Good;
    }
    return has_ended(state) || state == "TASK_UNREACHABLE" ? Tone::Bad : Tone::Busy;
}

std::string shown_state(const InstanceView& task) {
    auto state = plain_state(task.state);
    if (task.healthy) {
        state += *task.healthy ? ", healthy" : ", unhealthy";
    }
    if (task.image_percent) {
        state += ", image " + std::to_string(*task.image_percent) + " %";
    }
    return state;
}

std::string ports_of(const InstanceView& task) {
    std::string text;
    for (const auto& endpoint : endpoints_of(task)) {
        text += (text.empty() ? "" : ",") + endpoint;
    }
    return task.ports.empty() ? "" : text;
}

/// The hostnames that several of these hosts have, as cloned machines do.
std::set<std::string> shared_hostnames(const std::vector<InstanceView>& tasks) {
    std::map<std::string, std::string> first_id;
    std::set<std::string> shared;
    for (const auto& task : tasks) {
        if (first_id.emplace(task.host, task.host_id).first->second != task.host_id) {
            shared.insert(task.host);
        }
    }
    return shared;
}

/// With the host's IP for its name, which does not say which host it is.
InstanceView at_its_address(InstanceView task) {
    if (!task.address.empty()) {
        task.host = task.address;
    }
    return task;
}

std::string header_of(const AppView& app, const std::string& status, WallTime now, bool colour) {
    std::string text = paint(printable(app.id), Tone::Strong, colour) + "  " +
                       paint(status, tone_of_status(status), colour) + "\n";
    const auto add = [&text](const std::string& name, const std::string& value) {
        if (!value.empty()) {
            text += name + printable(value) + "\n";
        }
    };
    add("Image:      ", app.image);
    add("Command:    ", app.command);
    add("Resources:  ", plain_number(app.cpus) + " cpus, " + megabytes(app.mem) + " per instance");
    const auto age = age_since(app.version, now);
    add("Version:    ", app.version + (age.empty() ? "" : " (" + age + " ago)"));
    return text;
}

std::string table_of(const AppView& app, WallTime now, const Terminal& terminal) {
    if (app.tasks.empty()) {
        return "";
    }
    const bool wide = terminal.form == Form::Wide;
    std::vector<std::string> headings = {
        "INSTANCE", "HOST", "STATE", "ADDRESS", "SINCE", "MESSAGE"};
    if (wide) {
        headings.emplace_back("VERSION");
    }
    Table table(headings);
    const auto shared = shared_hostnames(app.tasks);
    for (const auto& task : app.tasks) {
        const bool is_shared = shared.count(task.host) > 0;
        const auto since =
            age_since(task.started_at.empty() ? task.staged_at : task.started_at, now);
        std::vector<Cell> row = {wide ? task.id : short_task_name(task.id),
                                 is_shared ? task.host + " (" + task.host_id.substr(0, 8) + ")"
                                           : task.host,
                                 Cell(shown_state(task), tone_of_state(task.state)),
                                 ports_of(is_shared ? at_its_address(task) : task),
                                 since,
                                 wide ? task.message : shortened(printable(task.message), 60)};
        if (wide) {
            row.emplace_back(task.version);
        }
        table.add(std::move(row));
    }
    return "\n" + table.render(terminal.colour);
}

std::string failure_text(const FailureView& failure, WallTime now) {
    const auto age = age_since(failure.timestamp, now);
    auto text = "\nLast failure: " + plain_state(failure.state);
    text += failure.host.empty() ? "" : " on " + failure.host;
    text += age.empty() ? "" : ", " + age + " ago";
    text += failure.message.empty() ? "" : ": " + failure.message;
    return "\n" + printable(text.substr(1)) + "\n";
}

} // namespace

int run_status(Session& session, const std::string& name) {
    const auto id = app_argument(name).value();
    const auto answer = get_app(session.master, id);
    auto& terminal = session.terminal;
    if (terminal.form == Form::Json || terminal.form == Form::Yaml) {
        print_document(terminal, answer.body, {});
        return exit_code::done;
    }
    const auto app = read_app(parse_answer(answer, id));
    if (terminal.form == Form::Name) {
        std::vector<std::string> names;
        for (const auto& task : app.tasks) {
            names.push_back(task.id);
        }
        print_document(terminal, answer.body, names);
        return exit_code::done;
    }
    std::optional<WhyView> why;
    if (app.running < app.instances) {
        why = find_why(session.master, id);
    }
    const auto now = SystemClock().now().wall;
    terminal.out << header_of(app, status_of(app, why), now, terminal.colour)
                 << "Instances:  " << printable(summary_of(app, why)) << "\n"
                 << table_of(app, now, terminal);
    if (app.last_failure) {
        terminal.out << failure_text(*app.last_failure, now);
    }
    return exit_code::done;
}

} // namespace methos::cli
