#include "cli/commands/version.hpp"

#include "cli/output/document.hpp"

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
        const bool told = info.contains("version") && info.at("version").is_string();
        const auto version = told ? info.at("version").get<std::string>() : "of unknown version";
        document["master"]["url"] = session.master.target().url;
        document["master"]["version"] = version;
        master_line = version + " at " + session.master.target().url;
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
        print_document(session.terminal, document.dump(2), {client_version()});
    }
    return exit_code::done;
}

} // namespace methos::cli
