#include "cli/commands/version.hpp"

#include "cli/output/document.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace methos::cli {

std::string client_version() {
    return METHOS_VERSION;
}

int run_version(Session& session) {
    nlohmann::ordered_json document;
    document["client"]["version"] = client_version();
    std::string master_line;
    try {
        const auto answer = session.master.call("GET", "/v2/info", "ask for the master's version");
        const auto info = parse_answer(answer, "its version");
        const auto text = [&info](const char* key) {
            return info.contains(key) && info.at(key).is_string() ? info.at(key).get<std::string>()
                                                                  : std::string();
        };
        // "version" is that of Marathon's API, which clients compare; "buildref" is the program's.
        document["master"]["url"] = session.master.target().url;
        document["master"]["version"] = text("buildref");
        document["master"]["marathonApi"] = text("version");
        master_line = text("buildref") + " at " + session.master.target().url + " (Marathon API " +
                      text("version") + ")";
    } catch (const Failure& failure) {
        if (failure.code() == Code::Cancelled) {
            throw;
        }
        document["master"]["error"] = failure.error().message;
        master_line = failure.error().message;
    }
    if (session.terminal.for_people()) {
        session.terminal.out << "methos " << client_version() << "\nmaster "
                             << printable(master_line) << "\n";
    } else {
        print_document(session.terminal, dump_json(document, 2), {client_version()});
    }
    return exit_code::done;
}

} // namespace methos::cli
