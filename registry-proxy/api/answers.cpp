#include "registry-proxy/api/answers.hpp"

#include "core/base/units.hpp"

#include <algorithm>

namespace methos::proxy {

namespace {

constexpr std::int64_t page_entries_max = 1'000'000;
constexpr std::size_t warning_characters_max = 1000;

} // namespace

Result<Page> cut_page(const std::vector<std::string>& all,
                      const std::optional<std::string>& n,
                      const std::optional<std::string>& last) {
    auto count = all.size();
    if (n) {
        const auto number = parse_int(*n, 0, page_entries_max);
        if (!number) {
            return Error(Code::InvalidInput,
                         "n='" + n->substr(0, 40) + "' is no number of entries");
        }
        count = static_cast<std::size_t>(*number);
    }
    auto from = all.begin();
    if (last) {
        from = std::upper_bound(all.begin(), all.end(), *last);
    }
    const auto left = static_cast<std::size_t>(all.end() - from);
    const auto taken = std::min(count, left);
    Page page;
    page.entries.assign(from, from + static_cast<std::ptrdiff_t>(taken));
    if (taken > 0 && taken < left) {
        page.next_query = "n=" + std::to_string(count) +
                          "&last=" + http::percent_encode(page.entries.back(), "/");
    }
    return page;
}

std::string format_next_link(const std::string& path,
                             const std::string& query,
                             const std::optional<std::string>& ns) {
    const auto suffix = ns ? "&ns=" + http::percent_encode(*ns) : std::string();
    return "<" + path + "?" + query + suffix + ">; rel=\"next\"";
}

std::string query_without_ns(const http::Request& request) {
    std::string query;
    for (const auto& [name, value] : request.query) {
        if (name != "ns") {
            query += (query.empty() ? "" : "&") + http::percent_encode(name) + "=" +
                     http::percent_encode(value);
        }
    }
    return query;
}

bool matches_etag(const std::vector<std::string>& if_none_match, const Digest& digest) {
    const auto name = digest.to_string();
    return std::any_of(if_none_match.begin(), if_none_match.end(), [&name](const auto& header) {
        return header == "*" || header.find(name) != std::string::npos;
    });
}

std::string format_warning(const std::string& text) {
    std::string safe = text.substr(0, warning_characters_max);
    std::replace_if(
        safe.begin(),
        safe.end(),
        [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; },
        ' ');
    return "299 - \"served from the cache, may be stale: " + safe + "\"";
}

} // namespace methos::proxy
