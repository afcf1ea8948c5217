// The X-Registry-Auth header of pulls. Pure.
#pragma once

#include "executor/docker/engine.hpp"

#include <string>
#include <string_view>

namespace methos::docker {

/// base64 with "-" and "_" and with padding, as Go's base64.URLEncoding reads it.
[[nodiscard]] std::string base64_url(std::string_view bytes);

/// The JSON of the credentials, so encoded.
[[nodiscard]] std::string registry_auth_header(const RegistryAuth& auth);

} // namespace methos::docker
