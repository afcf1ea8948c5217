// From a document that somebody sent to an AppDefinition, or to the error that Marathon would have
// answered. Pure. Old spellings (ports, uris, docker.network, docker.portMappings, ipAddress) are
// normalised, nulls count as absent, unknown fields are ignored, all violations are reported at
// once.
#pragma once

#include "master/frameworks/services/definition/api_error.hpp"
#include "master/frameworks/services/definition/app_definition.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace methos::services {

struct ParseOptions {
    /// From the request's path; it overrides the document's id. Absolute or relative to `parent`.
    std::optional<std::string> id;
    /// Partial update: fields that the document leaves out stay as they are here. Top-level fields
    /// are replaced whole; a new cmd drops the old args, and the other way round.
    const AppDefinition* base = nullptr;
    /// What relative ids are relative to.
    std::string parent = "/";
    /// Put before every path of an error: "(2)" for the third app of an array.
    std::string path_prefix;
    /// What was accepted once stays accepted: a rule made since does not keep a master from
    /// starting. Only types are checked.
    bool stored = false;
};

/// Reads JSON of outside origin: nesting is bounded. Errors: 400 Invalid JSON.
[[nodiscard]] ApiResult<nlohmann::json> parse_document(const std::string& text);

[[nodiscard]] ApiResult<AppDefinition> parse_app(const std::string& json_text,
                                                 const ParseOptions& options = {});
/// `document` comes from parse_document (or is as shallow).
[[nodiscard]] ApiResult<AppDefinition> parse_app(const nlohmann::json& document,
                                                 const ParseOptions& options = {});

/// The body of a rollback, `{"version":"2014-03-01T23:42:20.938Z"}` with or without an id: that
/// version. Empty for an ordinary definition. Errors: 422 when version comes with other fields of
/// a definition (that Marathon does not set itself).
[[nodiscard]] ApiResult<std::optional<std::string>>
rollback_version(const nlohmann::json& document);

/// "/grp/app" of "app" and "/grp", of "../x/app" and so on, with doubled and trailing slashes gone.
/// Nothing is checked but that it is a path; valid_app_path does that.
[[nodiscard]] std::string absolute_path(const std::string& path, const std::string& parent);

/// Whether every segment is legal and there is at least one.
[[nodiscard]] bool valid_app_path(const std::string& absolute);

} // namespace methos::services
