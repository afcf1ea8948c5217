#include "cli/commands/ls.hpp"

#include "cli/commands/change_watch.hpp"
#include "cli/output/document.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace methos::cli {

namespace {

/// Apps that are asked about one by one why they wait; beyond, "Waiting" has to do.
constexpr int questions_max = 20;

bool is_short_of_instances(const AppView& app) {
    return app.running < app.instances && app.staged == 0;
}

std::string running_of(const AppView& app) {
    return std::to_string(app.running) + "/" + std::to_string(app.instances);
}

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) {
        text += (text.empty() ? "" : ",") + item;
    }
    return text;
}

} // namespace

std::string status_of(const AppView& app, const std::optional<WhyView>& why) {
    if (app.deleting) {
        return "Deleting";
    }
    if (app.instances == 0 && app.running == 0 && app.staged == 0) {
        return "Suspended";
    }
    if (is_short_of_instances(app)) {
        const bool delayed = why && !why->waiting.empty() &&
                             std::all_of(why->waiting.begin(), why->waiting.end(), is_delayed);
        return delayed ? "Delayed" : "Waiting";
    }
    return app.has_deployment || app.running != app.instances ? "Deploying" : "Running";
}

Tone tone_of_status(const std::string& status) {
    if (status == "Running") {
        return Tone::Good;
    }
    if (status == "Suspended") {
        return Tone::Faint;
    }
    return status == "Deploying" || status == "Deleting" ? Tone::Busy : Tone::Bad;
}

int run_ls(Session& session) {
    const auto answer = session.master.call("GET", "/v2/apps", "list the apps");
    auto& terminal = session.terminal;
    if (terminal.form == Form::Json || terminal.form == Form::Yaml) {
        print_document(terminal, answer.body, {});
        return exit_code::done;
    }
    const auto apps = read_apps(parse_answer(answer, "the apps"));
    if (terminal.form == Form::Name) {
        std::vector<std::string> ids;
        ids.reserve(apps.size());
        for (const auto& app : apps) {
            ids.push_back(app.id);
        }
        print_document(terminal, answer.body, ids);
        return exit_code::done;
    }
    if (apps.empty()) {
        terminal.err << "No apps yet; `methos run IMAGE` or `methos deploy FILE` makes one.\n";
        return exit_code::done;
    }
    const bool wide = terminal.form == Form::Wide;
    std::vector<std::string> headings = {"ID", "IMAGE", "INSTANCES", "STATUS", "PORTS", "VERSION"};
    if (wide) {
        headings.insert(headings.end(), {"HEALTHY", "CPUS", "MEM", "COMMAND"});
    }
    Table table(headings);
    const auto now = SystemClock().now().wall;
    int questions = 0;
    for (const auto& app : apps) {
        const bool ask = is_short_of_instances(app) && questions++ < questions_max;
        const auto status = status_of(app, ask ? find_why(session.master, app.id) : std::nullopt);
        std::vector<Cell> row = {app.id,
                                 app.image,
                                 running_of(app),
                                 Cell(status, tone_of_status(status)),
                                 joined(app.container_ports),
                                 age_since(app.version, now)};
        if (wide) {
            row.emplace_back(std::to_string(app.healthy));
            row.emplace_back(plain_number(app.cpus));
            row.emplace_back(megabytes(app.mem));
            row.emplace_back(shortened(app.command, 60));
        }
        table.add(std::move(row));
    }
    terminal.out << table.render(terminal.colour);
    return exit_code::done;
}

} // namespace methos::cli
