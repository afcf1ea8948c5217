// Errors in the registry's own words: {"errors":[{"code","message","detail"}]} (OCI distribution
// spec, "Error codes"). Everything that answers a registry client throws or renders these.
#pragma once

#include "core/base/error.hpp"
#include "core/http/server.hpp"

#include <optional>
#include <string>

namespace methos::proxy {

/// A failure that knows its registry code and HTTP status: "MANIFEST_UNKNOWN", 404.
class RegistryFailure : public Failure {
  public:
    RegistryFailure(int status, std::string registry_code, std::string message)
        : Failure(code_of_http_status(status), std::move(message)), status_(status),
          registry_code_(std::move(registry_code)) {}

    [[nodiscard]] int status() const noexcept { return status_; }

    [[nodiscard]] const std::string& registry_code() const noexcept { return registry_code_; }

    /// Further headers of the answer: Retry-After, WWW-Authenticate, Range.
    http::Headers headers;

  private:
    int status_;
    std::string registry_code_;
};

[[nodiscard]] http::Response
make_error_response(int status, const std::string& registry_code, const std::string& message);
[[nodiscard]] http::Response make_error_response(const RegistryFailure& failure);

/// Any other error, by the table of codes: a broken upstream is 502, a silent one 504.
[[nodiscard]] http::Response make_error_response(const Error& error);

/// What an upstream's refusal means to our client: 404 stays 404, 401 and 403 keep their status,
/// 429 keeps its Retry-After, 5xx becomes 502. `what` names the thing asked for.
[[nodiscard]] RegistryFailure failure_of_upstream_status(int status,
                                                         const http::Headers& headers,
                                                         const std::string& unknown_code,
                                                         const std::string& what);

/// Whether an older copy may stand in: the upstream is away, overloaded or limits us; not when it
/// says that the thing does not exist or may not be had.
[[nodiscard]] bool is_upstream_trouble(const Error& error);

} // namespace methos::proxy
