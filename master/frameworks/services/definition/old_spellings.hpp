// Rewrites what older Marathons called things (ports, uris, docker.network, docker.portMappings,
// ipAddress) into today's fields, on the JSON document, so that everything after knows one
// spelling.
#pragma once

#include "master/frameworks/services/definition/json_fields.hpp"

namespace methos::services {

/// `document` is a JSON object. What contradicts itself becomes a violation; `prefix` begins its
/// path.
void rewrite_old_spellings(nlohmann::json& document, const std::string& prefix, Problems& problems);

/// "host", "container/bridge" or "container": of the document's first network, empty when it names
/// none.
[[nodiscard]] std::string first_network_mode(const nlohmann::json& document);

} // namespace methos::services
