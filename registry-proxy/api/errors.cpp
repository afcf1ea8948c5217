#include "registry-proxy/api/errors.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

namespace methos::proxy {

namespace {

struct Row {
    Code code;
    int status;
    const char* registry_code;
};

/// What an error without a registry code of its own is answered with.
Row row_of(Code code) {
    switch (code) {
    case Code::InvalidInput:
        return {code, 400, "UNSUPPORTED"};
    case Code::Unauthorized:
        return {code, 401, "UNAUTHORIZED"};
    case Code::Forbidden:
        return {code, 403, "DENIED"};
    case Code::NotFound:
        return {code, 404, "NAME_UNKNOWN"};
    case Code::Unavailable:
    case Code::Protocol:
    case Code::Cancelled:
        return {code, 502, "UNAVAILABLE"};
    case Code::Timeout:
        return {code, 504, "UNAVAILABLE"};
    case Code::ResourceExhausted:
        return {code, 507, "UNAVAILABLE"};
    case Code::Conflict:
    case Code::Unimplemented:
        return {code, 405, "UNSUPPORTED"};
    case Code::Internal:
        break;
    }
    return {code, 500, "UNKNOWN"};
}

} // namespace

http::Response
make_error_response(int status, const std::string& registry_code, const std::string& message) {
    auto entry = nlohmann::json::object();
    entry["code"] = registry_code;
    entry["message"] = message;
    auto document = nlohmann::json::object();
    document["errors"] = nlohmann::json::array();
    document["errors"].push_back(std::move(entry));
    return http::Response(status, "application/json", dump_json(document));
}

http::Response make_error_response(const RegistryFailure& failure) {
    auto response =
        make_error_response(failure.status(), failure.registry_code(), failure.error().to_string());
    for (const auto& [name, value] : failure.headers.fields()) {
        response.headers.set(name, value);
    }
    return response;
}

http::Response make_error_response(const Error& error) {
    const auto row = row_of(error.code);
    return make_error_response(row.status, row.registry_code, error.to_string());
}

RegistryFailure failure_of_upstream_status(int status,
                                           const http::Headers& headers,
                                           const std::string& unknown_code,
                                           const std::string& what) {
    const auto said = " (the upstream answered " + std::to_string(status) + ")";
    switch (status) {
    case 404:
    case 410:
        return RegistryFailure(404, unknown_code, what + " is unknown to the upstream" + said);
    case 401:
        return RegistryFailure(401,
                               "UNAUTHORIZED",
                               what +
                                   " does not exist or needs credentials that the proxy lacks: "
                                   "see --credentials" +
                                   said);
    case 403:
        return RegistryFailure(403, "DENIED", what + " may not be read" + said);
    case 429: {
        RegistryFailure failure(
            429, "TOOMANYREQUESTS", what + ": the upstream limits our requests" + said);
        if (const auto wait = headers.get("Retry-After")) {
            failure.headers.set("Retry-After", *wait);
        }
        return failure;
    }
    default:
        return RegistryFailure(502, "UNAVAILABLE", what + " cannot be fetched now" + said);
    }
}

bool is_upstream_trouble(const Error& error) {
    return error.code == Code::Unavailable || error.code == Code::Timeout ||
           error.code == Code::Protocol || error.code == Code::ResourceExhausted;
}

} // namespace methos::proxy
