// What operators do with one host: inspect it, cordon it, drain it, mark it as gone, take it back.
#include "cli/client/names.hpp"
#include "cli/commands/hosts.hpp"
#include "cli/output/document.hpp"
#include "cli/output/progress.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace methos::cli {

namespace {

using nlohmann::ordered_json;

std::string text(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The id of the host that a person named. Throws NotFound or InvalidInput with what there is.
HostName resolve(Session& session, const std::string& name) {
    const auto names = list_host_names(session);
    return names.at(find_host(name, names).value());
}

ordered_json host_in(const Answer& answer) {
    const auto document = parse_answer(answer, "the host");
    const auto host = document.find("host");
    return document.is_object() && host != document.end() && host->is_object() ? *host
                                                                               : ordered_json();
}

std::string path_of(const HostName& host) {
    return "/methos/v1/hosts/" + url_path_of(host.id);
}

/// Follows a drain until the host is empty.
int follow_drain(Session& session, const HostName& host) {
    const SystemClock clock;
    const auto deadline = clock.now().mono + session.wait.timeout;
    Progress progress(session.terminal);
    for (;;) {
        const auto now = host_in(session.master.call("GET", path_of(host), "look at the host"));
        const auto state = text(now, "state");
        const auto tasks = now.value("tasks", 0);
        if (state == "DRAINED") {
            progress.clear();
            if (session.terminal.for_people()) {
                session.terminal.out << "host " << host.hostname << " is drained\n";
            }
            return exit_code::done;
        }
        if (!now.contains("drain") && tasks > 0) {
            throw Failure(Code::Conflict,
                          "the drain of host " + host.hostname + " was given up; it is " + state);
        }
        progress.show("host " + host.hostname + ": " + counted(tasks, "task") + " left");
        if (clock.now().mono >= deadline) {
            progress.clear();
            session.terminal.err << "host " << host.hostname << " is not drained after "
                                 << "the time given; it goes on. methos hosts inspect "
                                 << host.hostname << " shows what is left\n";
            return exit_code::waited_too_long;
        }
        session.master.pause(session.wait.poll_interval);
    }
}

} // namespace

std::vector<HostName> list_host_names(Session& session) {
    const auto answer = session.master.call("GET", "/methos/v1/hosts", "list the hosts");
    const auto document = parse_answer(answer, "the hosts");
    const auto list = document.find("hosts");
    if (!document.is_object() || list == document.end() || !list->is_array()) {
        throw Failure(Code::Protocol, "the master's answer holds no list of hosts");
    }
    std::vector<HostName> names;
    for (const auto& host : *list) {
        if (!host.is_object()) {
            throw Failure(Code::Protocol, "the master's list of hosts holds something else");
        }
        names.push_back(HostName{text(host, "id"), text(host, "hostname")});
    }
    return names;
}

int run_host_inspect(Session& session, const std::string& name) {
    const auto host = resolve(session, name);
    const auto answer = session.master.call("GET", path_of(host), "look at the host");
    auto& terminal = session.terminal;
    if (!terminal.for_people()) {
        print_document(terminal, answer.body, {host.id});
        return exit_code::done;
    }
    const auto document = host_in(answer);
    terminal.out << text(document, "hostname") << "  " << text(document, "id") << "  "
                 << text(document, "state") << "  " << text(document, "address") << "\n";
    if (const auto trouble = text(document, "trouble"); !trouble.empty()) {
        terminal.out << "takes no new tasks: " << trouble << "\n";
    }
    Table table({"TASK", "FRAMEWORK", "STATE", "CPUS", "MEMORY", "MESSAGE"});
    const auto tasks = document.find("taskList");
    if (tasks != document.end() && tasks->is_array()) {
        for (const auto& task : *tasks) {
            table.add({text(task, "id"),
                       text(task, "framework"),
                       text(task, "state"),
                       plain_number(task.value("cpus", 0.0)),
                       megabytes(task.value("mem", 0.0)),
                       text(task, "message")});
        }
    }
    terminal.out << table.render(terminal.colour);
    return exit_code::done;
}

int run_host_change(Session& session, const std::string& verb, const std::string& name) {
    const auto host = resolve(session, name);
    const auto what = verb == "gone" ? "mark host " + host.hostname + " as gone"
                                     : verb + " host " + host.hostname;
    const auto answer = session.master.call("POST", path_of(host) + "/" + verb, what);
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {host.id});
        return exit_code::done;
    }
    const auto state = text(host_in(answer), "state");
    session.terminal.out << "host " << host.hostname << " is "
                         << (state.empty() ? "forgotten" : state) << "\n";
    return exit_code::done;
}

int run_host_drain(Session& session, const std::string& name, const DrainOptions& options) {
    const auto host = resolve(session, name);
    ordered_json body = {{"atOnce", options.at_once}};
    if (!options.grace.empty()) {
        body["grace"] = options.grace;
    }
    if (!options.deadline.empty()) {
        body["deadline"] = options.deadline;
    }
    const auto answer = session.master.call(
        "POST", path_of(host) + "/drain", "drain host " + host.hostname, dump_json(body));
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {host.id});
    }
    return session.wait.detach ? exit_code::done : follow_drain(session, host);
}

} // namespace methos::cli
