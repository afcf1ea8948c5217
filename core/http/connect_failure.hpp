// Which failures of the HTTP client came before anything was sent: what one may repeat whose
// request may not happen twice. Pure.
#pragma once

#include "core/base/error.hpp"

namespace methos::http {

/// Whether a failure that Client threw says that no connection was made. Then nothing was sent, if
/// the request was one on a fresh connection; a kept one may have taken it before it died.
[[nodiscard]] bool is_connect_failure(const Error& error);

} // namespace methos::http
