#include "cli/commands/versions.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/app_view.hpp"
#include "cli/commands/wait.hpp"
#include "cli/output/document.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace methos::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string path_of(const std::string& id) {
    return "/v2/apps/" + url_path_of(id);
}

Answer get_versions(Session& session, const std::string& id) {
    auto answer = session.master.find(path_of(id) + "/versions", "list the versions of " + id);
    if (!answer) {
        throw no_such_app(session.master, id);
    }
    return std::move(*answer);
}

/// The newest first.
std::vector<std::string> read_versions(const Answer& answer) {
    const auto document = parse_answer(answer, "the versions");
    const auto list = document.is_object() ? document.find("versions") : document.end();
    if (!document.is_object() || list == document.end() || !list->is_array()) {
        throw Failure(Code::Protocol, "the master's answer has no list of versions");
    }
    std::vector<std::string> versions;
    for (const auto& version : *list) {
        if (version.is_string()) {
            versions.push_back(version.get<std::string>());
        }
    }
    std::sort(versions.rbegin(), versions.rend()); // Marathon promises no order
    return versions;
}

std::vector<Cell> row_of(const std::string& version, const AppView& app, WallTime now) {
    const bool configured = app.config_version == version;
    return {version,
            age_since(version, now),
            configured ? "configured" : "scaled or restarted",
            std::to_string(app.instances),
            app.image,
            shortened(app.command, 40)};
}

/// What the app is to be in that version, without when that was said; null when it is forgotten.
Json wishes_of(Session& session, const std::string& id, const std::string& version) {
    const auto answer =
        session.master.find(path_of(id) + "/versions/" + version, "look at " + version);
    if (!answer) {
        return nullptr;
    }
    auto wishes = parse_answer(*answer, version);
    if (wishes.is_object()) {
        wishes.erase("version");
        wishes.erase("versionInfo");
    }
    return wishes;
}

/// The newest one that differs from the present one: a restart changes nothing.
std::string
version_before(Session& session, const std::string& id, const std::vector<std::string>& versions) {
    const auto present = versions.empty() ? Json() : wishes_of(session, id, versions.front());
    for (std::size_t i = 1; i < versions.size(); ++i) {
        const auto past = wishes_of(session, id, versions[i]);
        if (!past.is_null() && past != present) {
            return versions[i];
        }
    }
    throw Failure(Code::NotFound, id + " has no version before the present one that differs");
}

} // namespace

int run_versions(Session& session, const std::string& app) {
    const auto id = app_argument(app).value();
    const auto answer = get_versions(session, id);
    const auto versions = read_versions(answer);
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, versions);
        return exit_code::done;
    }
    Table table({"VERSION", "AGE", "CHANGE", "INSTANCES", "IMAGE", "COMMAND"});
    const auto now = SystemClock().now().wall;
    for (const auto& version : versions) {
        const auto then =
            session.master.find(path_of(id) + "/versions/" + version, "look at " + version);
        if (then) { // else forgotten meanwhile
            table.add(row_of(version, read_app(parse_answer(*then, version)), now));
        }
    }
    session.terminal.out << table.render(session.terminal.colour);
    return exit_code::done;
}

int run_rollback(Session& session, const std::string& app, const std::string& version) {
    const auto id = app_argument(app).value();
    const auto versions = read_versions(get_versions(session, id));
    const auto wanted = version.empty() ? version_before(session, id, versions) : version;
    Json body;
    body["version"] = wanted;
    const auto answer = session.master.call(
        "PUT", path_of(id), "take " + id + " back to " + wanted, dump_json(body));
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {id});
    }
    return follow_change(session, {id}, Goal::Running);
}

} // namespace methos::cli
