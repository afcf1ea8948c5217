// Small pieces of registry answers: paging of listings, validators, warnings. Pure.
#pragma once

#include "core/http/server.hpp"
#include "registry-proxy/cache/digest.hpp"

#include <optional>
#include <string>
#include <vector>

namespace methos::proxy {

struct Page {
    std::vector<std::string> entries;
    std::string next_query; ///< "n=10&last=x" when more follow, else empty
};

/// One page of a sorted list by the `n` and `last` of the request. n=0 is an empty page.
/// Errors: InvalidInput for an `n` that is no number.
[[nodiscard]] Result<Page> cut_page(const std::vector<std::string>& all,
                                    const std::optional<std::string>& n,
                                    const std::optional<std::string>& last);

/// `</v2/x/tags/list?n=10&last=x>; rel="next"`
[[nodiscard]] std::string format_next_link(const std::string& path,
                                           const std::string& query,
                                           const std::optional<std::string>& ns);

/// The query of a request without its `ns`, which is for the proxy only.
[[nodiscard]] std::string query_without_ns(const http::Request& request);

/// Whether If-None-Match names this digest (with or without quotes and W/).
[[nodiscard]] bool matches_etag(const std::vector<std::string>& if_none_match,
                                const Digest& digest);

/// `299 - "..."`, printable and bounded, as RFC 9111 and the OCI spec (at most 4096 bytes) want it.
[[nodiscard]] std::string format_warning(const std::string& text);

} // namespace methos::proxy
