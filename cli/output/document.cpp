#include "cli/output/document.hpp"

#include "cli/documents/yaml.hpp"
#include "core/base/error.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace methos::cli {

void print_document(Terminal& terminal,
                    const std::string& body,
                    const std::vector<std::string>& names) {
    if (terminal.form == Form::Name) {
        for (const auto& name : names) {
            terminal.out << printable(name) << '\n';
        }
        return;
    }
    if (terminal.form == Form::Yaml) {
        const auto document = try_parse_ordered_json(body);
        if (document.is_discarded()) {
            throw Failure(Code::Protocol, "the master's answer is not JSON; `-o json` shows it");
        }
        terminal.out << to_yaml(document);
        return;
    }
    terminal.out << body;
    if (body.empty() || body.back() != '\n') {
        terminal.out << '\n';
    }
}

} // namespace methos::cli
