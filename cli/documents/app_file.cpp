#include "cli/documents/app_file.hpp"

#include "cli/client/names.hpp"
#include "cli/documents/yaml.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sys/stat.h>

namespace methos::cli {

namespace {

using nlohmann::json;

Error in_file(const std::string& name, const std::string& what) {
    return Error(Code::InvalidInput, (name == "-" ? "standard input" : name) + ": " + what);
}

std::string place_of_byte(const std::string& text, std::size_t byte) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
    const auto line = 1 + std::count(text.begin(), end, '\n');
    const auto last_break = std::find(std::make_reverse_iterator(end), text.rend(), '\n');
    const auto column = 1 + std::distance(last_break.base(), end);
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// nlohmann's message without its own prefix and position.
std::string parser_words(const std::string& what) {
    for (const auto* end_of_prefix : {": ", "] "}) {
        if (const auto at = what.find(end_of_prefix); at != std::string::npos) {
            return what.substr(at + 2);
        }
    }
    return what;
}

Result<json> read_json(const std::string& text) {
    constexpr int depth_max = 64;
    try {
        auto value = parse_json(text, depth_max);
        if (value.is_discarded()) {
            return Error(Code::InvalidInput, "more than " + std::to_string(depth_max) + " levels");
        }
        return value;
    } catch (const json::parse_error& failure) {
        const auto byte = failure.byte == 0 ? 0 : failure.byte - 1;
        return Error(Code::InvalidInput,
                     place_of_byte(text, byte) + ": " + parser_words(failure.what()));
    } catch (const json::exception& failure) { // a number that no double holds
        return Error(Code::InvalidInput, parser_words(failure.what()));
    }
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// The apps of a text: the documents in it, lists unfolded.
Result<std::vector<json>> values_of(const std::string& name, const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    const bool looks_like_json =
        first != std::string::npos && (text[first] == '{' || text[first] == '[');
    if (looks_like_json || ends_with(name, ".json")) {
        auto value = read_json(text);
        if (value) {
            return std::vector<json>{std::move(*value)};
        }
        // YAML in flow style starts with the same brackets; a file that is neither gets JSON's
        // message.
        auto yaml =
            ends_with(name, ".json") ? Result<std::vector<json>>(value.error()) : parse_yaml(text);
        return yaml ? std::move(yaml) : Result<std::vector<json>>(value.error());
    }
    return parse_yaml(text);
}

Result<AppDocument> app_of(json value, const std::string& where) {
    if (!value.is_object()) {
        return Error(Code::InvalidInput,
                     where + " must be an object like {\"id\": \"/demo\", ...}, and is " +
                         value.type_name());
    }
    const auto id = value.find("id");
    if (id == value.end() || !id->is_string() || id->get_ref<const std::string&>().empty()) {
        return Error(Code::InvalidInput, where + " needs an \"id\", like \"/demo\"");
    }
    AppDocument app;
    app.id = absolute_app_id(id->get<std::string>());
    if (app.id == "/") {
        return Error(Code::InvalidInput,
                     where + ": \"/\" is no app's id; write one like \"/demo\"");
    }
    value["id"] = app.id;
    app.body = dump_json(value);
    return app;
}

} // namespace

Result<std::string> read_app_file(const std::string& path, std::istream& standard_input) {
    std::ifstream file;
    if (path != "-") {
        struct stat status {};

        if (::stat(path.c_str(), &status) != 0) {
            return Error(errno == EACCES ? Code::Forbidden : Code::InvalidInput,
                         "cannot read " + path + ": " + std::strerror(errno));
        }
        if (S_ISDIR(status.st_mode)) {
            return in_file(path, "is a folder; name one file");
        }
        file.open(path, std::ios::binary);
        if (!file) {
            return Error(Code::InvalidInput, "cannot read " + path + ": " + std::strerror(errno));
        }
    }
    auto& stream = path == "-" ? standard_input : file;
    std::string text(app_file_bytes_max + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (text.size() > app_file_bytes_max) {
        return in_file(path, "larger than 1 MiB; an app definition is not");
    }
    return text;
}

Result<std::vector<AppDocument>> parse_app_file(const std::string& name, const std::string& text) {
    auto values = values_of(name, text);
    if (!values) {
        return in_file(name, values.error().message);
    }
    std::vector<json> flat;
    for (auto& value : *values) {
        if (value.is_array()) {
            std::move(value.begin(), value.end(), std::back_inserter(flat));
        } else {
            flat.push_back(std::move(value));
        }
    }
    if (flat.empty()) {
        return in_file(name, "holds no app; write one like {\"id\": \"/demo\", ...}");
    }
    std::vector<AppDocument> apps;
    std::set<std::string> ids;
    for (std::size_t i = 0; i < flat.size(); ++i) {
        const auto where = flat.size() == 1 ? "the app" : "app " + std::to_string(i + 1);
        auto app = app_of(std::move(flat[i]), where);
        if (!app) {
            return in_file(name, app.error().message);
        }
        if (!ids.insert(app->id).second) {
            return in_file(name, "the app " + app->id + " is in it twice");
        }
        apps.push_back(std::move(*app));
    }
    return apps;
}

} // namespace methos::cli
