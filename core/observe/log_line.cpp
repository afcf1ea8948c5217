#include "core/observe/log_line.hpp"

#include <algorithm>
#include <array>

namespace methos::log {

namespace {

void append_hex(std::string& out, unsigned char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\x";
    out += digits[byte >> 4U];
    out += digits[byte & 0x0FU];
}

/// U+0080..U+009F in UTF-8: control characters that terminals obey as they do ESC.
bool is_c1_control(std::string_view text, std::size_t at) {
    return text[at] == '\xC2' && at + 1 < text.size() &&
           static_cast<unsigned char>(text[at + 1]) >= 0x80 &&
           static_cast<unsigned char>(text[at + 1]) <= 0x9F;
}

void append_escaped(std::string& out, std::string_view text, bool quoted) {
    const auto shown = text.substr(0, value_bytes_max);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto byte = static_cast<unsigned char>(shown[i]);
        if (shown[i] == '\n') {
            out += "\\n";
        } else if (shown[i] == '\r') {
            out += "\\r";
        } else if (shown[i] == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            append_hex(out, byte);
        } else if (is_c1_control(shown, i)) {
            append_hex(out, byte);
            append_hex(out, static_cast<unsigned char>(shown[++i]));
        } else if (quoted && (shown[i] == '"' || shown[i] == '\\')) {
            out += '\\';
            out += shown[i];
        } else {
            out += shown[i];
        }
    }
    if (shown.size() < text.size()) {
        out += "...(" + std::to_string(text.size()) + " bytes)";
    }
}

bool is_plain(std::string_view value) {
    return !value.empty() && value.size() <= value_bytes_max &&
           std::all_of(value.begin(), value.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte > 0x20 && byte < 0x7F && c != '"' && c != '=' && c != '\\';
           });
}

} // namespace

std::string format_line(std::string_view message, Fields fields) {
    std::string line;
    append_escaped(line, message, false);
    for (const auto& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        if (is_plain(field.value)) {
            line += field.value;
        } else {
            line += '"';
            append_escaped(line, field.value, true);
            line += '"';
        }
    }
    return line;
}

std::optional<std::uint64_t> RateLimiter::admit(std::string_view key, MonoTime now) {
    auto found = seen_.find(key);
    if (found == seen_.end() && seen_.size() >= limited_keys_max) {
        forget_old(now);
        // Somebody makes keys from outside input: all that do not fit share one allowance.
        found = seen_.size() >= limited_keys_max ? seen_.begin() : seen_.end();
    }
    if (found == seen_.end()) {
        seen_.emplace(std::string(key), Seen{now, 0});
        return 0;
    }
    auto& seen = found->second;
    if (now - seen.written < limited_interval) {
        ++seen.left_out;
        return std::nullopt;
    }
    const auto left_out = seen.left_out;
    seen = Seen{now, 0};
    return left_out;
}

void RateLimiter::forget_old(MonoTime now) {
    std::erase_if(
        seen_, [now](const auto& entry) { return now - entry.second.written >= limited_interval; });
}

} // namespace methos::log
