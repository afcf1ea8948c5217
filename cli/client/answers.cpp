// What the master's answers mean: their documents, and their errors in words (master.hpp).
#include "cli/client/master.hpp"
#include "cli/output/terminal.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

namespace methos::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t message_columns_max = 500;
constexpr std::size_t details_max = 8;

std::string text_at(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// One entry of Marathon's details: {"path":"/id","errors":["..."]}, or a text.
std::string detail_text(const ordered_json& detail) {
    if (detail.is_string()) {
        return detail.get<std::string>();
    }
    if (!detail.is_object()) {
        return dump_json(detail);
    }
    std::string text = text_at(detail, "path");
    const auto errors = detail.find("errors");
    if (errors != detail.end() && errors->is_array()) {
        for (const auto& error : *errors) {
            if (error.is_string()) {
                text += (text.empty() ? "" : " ") + error.get<std::string>();
            }
        }
    }
    return text.empty() ? text_at(detail, "message") : text;
}

std::string details_text(const ordered_json& holder) {
    const auto details = holder.find("details");
    if (details == holder.end() || details->is_null()) {
        return "";
    }
    if (!details->is_array()) {
        return detail_text(*details);
    }
    std::string text;
    std::size_t shown = 0;
    for (const auto& detail : *details) {
        if (shown++ == details_max) {
            return text + "; ...";
        }
        text += (text.empty() ? "" : "; ") + detail_text(detail);
    }
    return text;
}

/// The master's own words, whatever shape they have.
std::string words_of(const Answer& answer) {
    const auto document = try_parse_ordered_json(answer.body);
    std::string words;
    if (document.is_object()) {
        const auto inner = document.find("error");
        const auto& holder = inner != document.end() && inner->is_object() ? *inner : document;
        words = text_at(holder, "message");
        const auto details = details_text(holder);
        if (!details.empty()) {
            words += (words.empty() ? "" : ": ") + details;
        }
    } else if (document.is_discarded()) {
        words = answer.body.substr(0, answer.body.find('\n'));
    }
    words = shortened(printable(words), message_columns_max);
    if (!words.empty() && words.back() == '.') {
        words.pop_back(); // more of a sentence follows
    }
    return words;
}

std::string advice_for_token(const Target& target) {
    if (target.token.empty()) {
        return "no token was sent: set METHOS_TOKEN to what is in the master's admin.token, or "
               "put token or token-file into a context of ~/.config/methos/config.toml (the "
               "admin.token of this machine is sent to no other)";
    }
    return "the token of " + target.token_source +
           " was sent; set METHOS_TOKEN to what is in the admin.token of that master's data "
           "directory";
}

Code code_of(int status) {
    switch (status) {
    case 400:
    case 422:
        return Code::InvalidInput;
    case 502:
    case 503:
    case 504:
        return Code::Unavailable;
    default:
        // Exit code 1 for its own failures; "unreachable" would send people to the wrong place.
        return status >= 500 && status != 501 ? Code::Internal : code_of_http_status(status);
    }
}

} // namespace

nlohmann::ordered_json parse_answer(const Answer& answer, const std::string& what) {
    try {
        return parse_ordered_json(answer.body);
    } catch (const ordered_json::parse_error& failure) {
        throw Failure(Error(Code::Protocol,
                            "the master's answer about " + what + " is not JSON (at byte " +
                                std::to_string(failure.byte) + " of " +
                                std::to_string(answer.body.size()) +
                                "); does the URL name a Methos master?"));
    }
}

Error error_of_answer(const Answer& answer, const std::string& what, const Target& target) {
    auto words = words_of(answer);
    if (words.empty()) {
        words = "the master answered " + std::to_string(answer.status);
    }
    const auto code = code_of(answer.status);
    if (answer.status == 401) {
        return Error(code,
                     "cannot " + what + ": the master at " + target.url + " does not accept you (" +
                         words + "); " + advice_for_token(target));
    }
    if (answer.status == 403) {
        return Error(code, "cannot " + what + ": not allowed: " + words);
    }
    if (answer.status >= 500 && answer.status != 501) {
        return Error(code,
                     "cannot " + what + ": the master failed (" + std::to_string(answer.status) +
                         "): " + words);
    }
    return Error(code, "cannot " + what + ": " + words);
}

} // namespace methos::cli
