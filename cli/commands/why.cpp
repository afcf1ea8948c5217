#include "cli/commands/why.hpp"

#include "cli/client/names.hpp"
#include "cli/commands/app_view.hpp"
#include "cli/commands/change_watch.hpp"
#include "cli/output/document.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace methos::cli {

namespace {

/// The master's sentence, which starts with the count.
std::string sentence_of(const WaitingView& group) {
    return group.text.empty()
               ? counted(group.count, "instance") + " waiting; the master does not say why"
               : group.text;
}

std::string reasons_table(const WhyView& why, bool colour) {
    Table table({"INSTANCES", "REASON", "HOSTS"});
    for (const auto& group : why.waiting) {
        for (const auto& reason : group.reasons) {
            table.add({std::to_string(group.count), reason.reason, std::to_string(reason.hosts)});
        }
    }
    return table.empty() ? "" : "\n" + table.render(colour);
}

} // namespace

int run_why(Session& session, const std::string& name) {
    const auto id = app_argument(name).value();
    const auto what = "ask why " + id + " waits";
    const auto answer = session.master.find("/methos/v1/why/" + url_path_of(id), what);
    if (!answer) {
        throw no_such_app(session.master, id);
    }
    auto& terminal = session.terminal;
    if (!terminal.for_people()) {
        print_document(terminal, answer->body, {id});
        return exit_code::done;
    }
    const auto why = read_why(parse_answer(*answer, "why " + id + " waits"));
    terminal.out << printable(id) << ": " << why.running << " of " << why.wanted << " running";
    if (why.waiting.empty()) {
        terminal.out << (why.running >= why.wanted ? "; nothing waits\n"
                                                   : "; the rest is on its way\n");
        return exit_code::done;
    }
    terminal.out << "\n";
    for (const auto& group : why.waiting) {
        terminal.out << printable(sentence_of(group)) << "\n";
    }
    if (terminal.form == Form::Wide) {
        terminal.out << reasons_table(why, terminal.colour);
    }
    return exit_code::done;
}

} // namespace methos::cli
