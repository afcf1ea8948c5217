#include "cli/commands/hosts.hpp"

#include "cli/client/names.hpp"
#include "cli/output/document.hpp"
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

/// resources.<name>.<part>
double amount(const ordered_json& host, const char* name, const char* part) {
    const ordered_json::json_pointer place(std::string("/resources/") + name + "/" + part);
    if (!host.contains(place)) {
        return 0;
    }
    const auto& value = host.at(place);
    return value.is_number() ? value.get<double>() : 0;
}

std::string docker_of(const ordered_json& host) {
    const auto found = host.find("docker");
    return found != host.end() && found->is_object() ? text(*found, "version") : "";
}

std::string tasks_of(const ordered_json& host) {
    const auto found = host.find("tasks");
    if (found == host.end()) {
        return "";
    }
    if (found->is_array()) {
        return std::to_string(found->size());
    }
    return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : "";
}

std::string attributes_of(const ordered_json& host) {
    std::string shown;
    const auto found = host.find("attributes");
    if (found != host.end() && found->is_object()) {
        for (const auto& [key, value] : found->items()) {
            shown += (shown.empty() ? "" : ";") + key + ":" +
                     (value.is_string() ? value.get<std::string>() : dump_json(value));
        }
    }
    return shown;
}

Tone tone_of(const std::string& state) {
    if (state == "UP") {
        return Tone::Good;
    }
    return state == "LOST" || state == "DOCKER_DOWN" || state == "GONE" ? Tone::Bad : Tone::Busy;
}

std::string used_of(const ordered_json& host, const char* name) {
    return plain_number(amount(host, name, "used")) + "/" +
           plain_number(amount(host, name, "total"));
}

std::string used_megabytes(const ordered_json& host, const char* name) {
    return megabytes(amount(host, name, "used")) + "/" + megabytes(amount(host, name, "total"));
}

std::vector<Cell> row_of(const ordered_json& host, bool wide, WallTime now) {
    const auto state = text(host, "state");
    std::vector<Cell> row = {text(host, "hostname"),
                             wide ? text(host, "id") : text(host, "id").substr(0, 8),
                             Cell(state, tone_of(state)),
                             text(host, "address"),
                             used_of(host, "cpus"),
                             used_megabytes(host, "mem"),
                             tasks_of(host),
                             docker_of(host)};
    if (wide) {
        row.emplace_back(used_megabytes(host, "disk"));
        row.emplace_back(attributes_of(host));
        row.emplace_back(age_since(text(host, "lastSeen"), now));
    }
    return row;
}

void print_table(Terminal& terminal, const std::vector<ordered_json>& hosts) {
    const bool wide = terminal.form == Form::Wide;
    std::vector<std::string> headings = {
        "HOST", "ID", "STATE", "ADDRESS", "CPUS", "MEMORY", "TASKS", "DOCKER"};
    if (wide) {
        headings.insert(headings.end(), {"DISK", "ATTRIBUTES", "SEEN"});
    }
    Table table(headings);
    const auto now = SystemClock().now().wall;
    for (const auto& host : hosts) {
        table.add(row_of(host, wide, now));
    }
    terminal.out << table.render(terminal.colour);
    for (const auto& host : hosts) {
        if (const auto trouble = text(host, "trouble"); !trouble.empty()) {
            terminal.err << text(host, "hostname") << " takes no new tasks: " << trouble << "\n";
        }
    }
}

} // namespace

int run_hosts(Session& session, const std::string& name) {
    const auto answer = session.master.call("GET", "/methos/v1/hosts", "list the hosts");
    auto& terminal = session.terminal;
    const bool as_it_is = terminal.form == Form::Json || terminal.form == Form::Yaml;
    if (as_it_is && name.empty()) {
        print_document(terminal, answer.body, {});
        return exit_code::done;
    }
    const auto document = parse_answer(answer, "the hosts");
    const auto list = document.find("hosts");
    if (!document.is_object() || list == document.end() || !list->is_array()) {
        throw Failure(Code::Protocol, "the master's answer holds no list of hosts");
    }
    std::vector<ordered_json> hosts;
    std::vector<HostName> names;
    for (const auto& host : *list) {
        if (!host.is_object()) {
            throw Failure(Code::Protocol, "the master's list of hosts holds something else");
        }
        hosts.push_back(host);
        names.push_back(HostName{text(host, "id"), text(host, "hostname")});
    }
    if (!name.empty()) {
        const auto index = find_host(name, names).value();
        hosts = {hosts[index]};
        names = {names[index]};
    }
    if (!terminal.for_people()) {
        std::vector<std::string> ids;
        ids.reserve(names.size());
        for (const auto& one : names) {
            ids.push_back(one.id);
        }
        print_document(
            terminal, hosts.size() == 1 ? dump_json(hosts.front(), 2) : answer.body, ids);
        return exit_code::done;
    }
    if (hosts.empty()) {
        terminal.err << "No host has joined yet; start methos-executor with --join @FILE, where "
                        "FILE is the master's join.token.\n";
        return exit_code::done;
    }
    print_table(terminal, hosts);
    return exit_code::done;
}

} // namespace methos::cli
