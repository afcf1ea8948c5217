#include "cli/commands/restart.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/app_view.hpp"
#include "cli/commands/wait.hpp"
#include "cli/output/document.hpp"

namespace methos::cli {

int run_restart(Session& session, const std::string& app) {
    const auto id = app_argument(app).value();
    const auto answer = session.master.send("POST", "/v2/apps/" + url_path_of(id) + "/restart");
    if (answer.status == 404) {
        throw no_such_app(session.master, id);
    }
    if (answer.status >= 400) {
        throw Failure(error_of_answer(answer, "restart " + id, session.master.target()));
    }
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {id});
    }
    return follow_change(session, {id}, Goal::Running);
}

} // namespace methos::cli
