#include "master/frameworks/services/definition/api_error.hpp"

#include "core/base/error.hpp"
#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

namespace methos::services {

namespace {

using nlohmann::json;

/// Messages may quote the document; what of it is not UTF-8 is replaced.
std::string text_of(const json& body) {
    return dump_json(body);
}

ApiError with_details(const std::string& message, const Violations& violations) {
    auto details = json::array();
    for (const auto& [path, errors] : violations.by_path()) {
        details.push_back({{"path", path}, {"errors", errors}});
    }
    return {422, text_of({{"message", message}, {"details", std::move(details)}})};
}

} // namespace

void throw_exception_from_error(const ApiError& error, const boost::source_location& /*where*/) {
    throw Failure(code_of_http_status(error.status), error.body_json);
}

void Violations::add(const std::string& path, std::string message) {
    if (count_ < violations_max) {
        ++count_;
        by_path_[path].push_back(std::move(message));
    }
}

ApiError api_error(int status, const std::string& message) {
    return {status, text_of({{"message", message}})};
}

ApiError malformed_json(const std::string& details) {
    return {400, text_of({{"message", "Invalid JSON"}, {"details", details}})};
}

ApiError mistyped_json(const Violations& violations) {
    return with_details("Invalid JSON", violations);
}

ApiError invalid_object(const Violations& violations) {
    return with_details("Object is not valid", violations);
}

} // namespace methos::services
