#include "registry-proxy/api/range.hpp"

#include <algorithm>
#include <charconv>

namespace methos::proxy {

namespace {

constexpr std::string_view unit = "bytes";

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return number;
}

std::optional<ContentRange> parse_first_last(std::string_view text) {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto first = parse_number(text.substr(0, dash));
    const auto last = parse_number(text.substr(dash + 1));
    if (!first || !last || *last < *first) {
        return std::nullopt;
    }
    return ContentRange{*first, *last, std::nullopt};
}

} // namespace

RangeChoice choose_range(std::string_view header, std::uint64_t total) {
    header = trim(header);
    if (header.substr(0, unit.size()) != unit) {
        return {};
    }
    header = trim(header.substr(unit.size()));
    if (header.empty() || header.front() != '=') {
        return {};
    }
    header = trim(header.substr(1));
    const auto dash = header.find('-');
    if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) {
        return {};
    }
    const auto first_text = trim(header.substr(0, dash));
    const auto last_text = trim(header.substr(dash + 1));
    const auto last = parse_number(last_text);
    if (first_text.empty()) { // the last n bytes
        if (!last) {
            return {};
        }
        if (*last == 0 || total == 0) {
            return {RangeChoice::Kind::Unsatisfiable, {}};
        }
        const auto length = std::min(*last, total);
        return {RangeChoice::Kind::Part, {total - length, length}};
    }
    const auto first = parse_number(first_text);
    if (!first || (!last && !last_text.empty()) || (last && *last < *first)) {
        return {};
    }
    if (*first >= total) {
        return {RangeChoice::Kind::Unsatisfiable, {}};
    }
    const auto end = last ? std::min(*last, total - 1) : total - 1;
    return {RangeChoice::Kind::Part, {*first, end - *first + 1}};
}

std::string format_content_range(const ByteRange& range, std::uint64_t total) {
    return "bytes " + std::to_string(range.offset) + "-" +
           std::to_string(range.offset + range.length - 1) + "/" + std::to_string(total);
}

std::optional<ContentRange> parse_content_range(std::string_view header) {
    header = trim(header);
    if (header.substr(0, unit.size()) != unit) {
        return std::nullopt;
    }
    header = trim(header.substr(unit.size()));
    const auto slash = header.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    auto range = parse_first_last(trim(header.substr(0, slash)));
    const auto total_text = trim(header.substr(slash + 1));
    if (!range || total_text == "*") {
        return range;
    }
    range->total = parse_number(total_text);
    if (!range->total || *range->total <= range->last) {
        return std::nullopt;
    }
    return range;
}

std::optional<ContentRange> parse_upload_range(std::string_view header) {
    header = trim(header);
    if (header.substr(0, unit.size()) == unit) {
        return parse_content_range(header);
    }
    return parse_first_last(header);
}

} // namespace methos::proxy
