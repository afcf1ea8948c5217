#include "cli/commands/deploy.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/wait.hpp"
#include "cli/documents/app_file.hpp"
#include "cli/output/document.hpp"
#include "cli/output/words.hpp"

namespace methos::cli {

namespace {

/// PUT for an app that exists, POST for a new one. Asked first, since a PUT would give a new app no
/// body to print.
Answer send_app(Session& session, const AppDocument& app) {
    const auto path = "/v2/apps/" + url_path_of(app.id);
    const auto what = "deploy " + app.id;
    if (!session.master.find(path, "look at " + app.id)) {
        return session.master.call("POST", "/v2/apps", what, app.body);
    }
    // The file is the whole definition: what it leaves out goes back to its default.
    return session.master.call("PUT", path + "?partialUpdate=false", what, app.body);
}

} // namespace

int run_deploy(Session& session, const std::string& file, std::istream& standard_input) {
    const auto text = read_app_file(file, standard_input).value();
    const auto apps = parse_app_file(file, text).value();
    std::vector<std::string> accepted;
    for (const auto& app : apps) {
        try {
            const auto answer = send_app(session, app);
            accepted.push_back(app.id);
            if (!session.terminal.for_people()) {
                print_document(session.terminal, answer.body, {app.id});
            }
        } catch (const Failure& failure) {
            auto error = failure.error();
            if (!accepted.empty()) {
                error.message += "; accepted before it: " + listed(accepted);
            }
            throw Failure(std::move(error));
        }
    }
    return follow_change(session, accepted, Goal::Running);
}

} // namespace methos::cli
