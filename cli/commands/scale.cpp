#include "cli/commands/scale.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/wait.hpp"
#include "cli/output/document.hpp"

namespace methos::cli {

int run_scale(Session& session, const std::string& app, std::int64_t instances) {
    const auto id = app_argument(app).value();
    const auto path = "/v2/apps/" + url_path_of(id);
    // A PUT to an unknown id would try to create it, and complain of a missing image.
    if (!session.master.find(path, "look at " + id)) {
        throw no_such_app(session.master, id);
    }
    const auto body = "{\"instances\":" + std::to_string(instances) + "}";
    const auto answer = session.master.call("PUT", path, "scale " + id, body);
    if (!session.terminal.for_people()) {
        print_document(session.terminal, answer.body, {id});
    }
    return follow_change(session, {id}, Goal::Running);
}

} // namespace methos::cli
