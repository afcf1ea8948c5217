// The Range and Content-Range headers of downloads and uploads (RFC 9110 section 14; the OCI spec's
// own form for uploads). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace methos::proxy {

/// A part of a body: `length` bytes from `offset`.
struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct RangeChoice {
    enum class Kind { Whole, Part, Unsatisfiable } kind = Kind::Whole;
    ByteRange part;
};

/// What to send for a Range header of a body of `total` bytes. Several ranges, other units and
/// malformed ones mean the whole body, as RFC 9110 allows.
[[nodiscard]] RangeChoice choose_range(std::string_view header, std::uint64_t total);

/// "bytes 0-9/100": the answer's header.
[[nodiscard]] std::string format_content_range(const ByteRange& range, std::uint64_t total);

struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total; ///< none for "*"
};

/// Reads "bytes 10-99/100" of an upstream's 206.
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view header);

/// Reads "0-99" of an upload's PATCH: no unit, no total (OCI spec, end-5). "bytes 0-99/100" as some
/// clients send it is understood too.
[[nodiscard]] std::optional<ContentRange> parse_upload_range(std::string_view header);

} // namespace methos::proxy
