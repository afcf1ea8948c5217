#include "cli/output/terminal.hpp"

namespace methos::cli {

namespace {

std::string_view colour_of(Tone tone) {
    switch (tone) {
    case Tone::Good:
        return "\033[32m";
    case Tone::Busy:
        return "\033[33m";
    case Tone::Bad:
        return "\033[31m";
    case Tone::Faint:
        return "\033[2m";
    case Tone::Strong:
        return "\033[1m";
    case Tone::Plain:
        break;
    }
    return "";
}

unsigned char byte_at(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

/// Bytes of the well-formed UTF-8 sequence at `i`, or 0.
std::size_t sequence_length(std::string_view text, std::size_t i) {
    const auto first = byte_at(text, i);
    std::size_t length = 0;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
    }
    if (length == 0 || i + length > text.size()) {
        return 0;
    }
    for (std::size_t k = 1; k < length; ++k) {
        if ((byte_at(text, i + k) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    return length;
}

bool is_control(std::string_view sequence) {
    const auto first = byte_at(sequence, 0);
    const bool c0 = sequence.size() == 1 && (first < 0x20 || first == 0x7F);
    // U+0080 to U+009F: some terminals take them for escape sequences.
    const bool c1 = sequence.size() == 2 && first == 0xC2 && byte_at(sequence, 1) < 0xA0;
    return c0 || c1;
}

} // namespace

std::string paint(std::string_view text, Tone tone, bool colour) {
    const auto start = colour_of(tone);
    if (!colour || start.empty() || text.empty()) {
        return std::string(text);
    }
    return std::string(start) + std::string(text) + "\033[0m";
}

std::string printable(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto length = sequence_length(text, i);
        if (length == 0) {
            clean += '?';
            ++i;
            continue;
        }
        const auto sequence = text.substr(i, length);
        if (is_control(sequence)) {
            clean += ' ';
        } else {
            clean += sequence;
        }
        i += length;
    }
    return clean;
}

std::size_t width_of(std::string_view text) {
    std::size_t columns = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((byte_at(text, i) & 0xC0U) != 0x80U) {
            ++columns;
        }
    }
    return columns;
}

std::string shortened(std::string_view text, std::size_t columns) {
    constexpr std::string_view ellipsis = "...";
    if (width_of(text) <= columns) {
        return std::string(text);
    }
    if (columns <= ellipsis.size()) {
        return std::string(ellipsis.substr(0, columns));
    }
    std::size_t end = 0;
    for (std::size_t left = columns - ellipsis.size(); end < text.size(); ++end) {
        const bool starts_one = (byte_at(text, end) & 0xC0U) != 0x80U;
        if (starts_one && left-- == 0) {
            break;
        }
    }
    return std::string(text.substr(0, end)) + std::string(ellipsis);
}

} // namespace methos::cli
