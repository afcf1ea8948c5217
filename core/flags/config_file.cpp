#include "core/flags/config_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

namespace methos {

namespace {

constexpr std::size_t config_bytes_max = 1024 * 1024;
constexpr std::size_t shown_bytes_max = 80; ///< of a line that is quoted in an error

/// What was read may be any file: nothing of it reaches a terminal as a control character.
std::string printable(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

Error bad(const std::string& place, const std::string& what) {
    return Error(Code::InvalidInput, place + ": " + what);
}

Result<std::string> read_text(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (file) {
        std::string piece(config_bytes_max + 1, '\0');
        file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        piece.resize(static_cast<std::size_t>(file.gcount()));
        if (piece.size() > config_bytes_max) {
            return bad(printable(path), "a configuration of over 1 MiB is none");
        }
        if (!file.bad()) {
            return piece;
        }
    }
    const auto why = errno == 0 ? EIO : errno;
    return bad(printable(path), "cannot be read: " + std::generic_category().message(why));
}

std::string line_of(const std::string& text, std::size_t number) {
    std::istringstream lines(text);
    std::string line;
    while (number > 0 && std::getline(lines, line)) {
        --number;
    }
    if (line.size() > shown_bytes_max) {
        line.resize(shown_bytes_max);
        line += "...";
    }
    return printable(line);
}

/// As the flag would be written; nothing when a flag can hold no such value.
std::optional<std::string> text_of(const toml::node& value) {
    if (const auto* text = value.as_string()) {
        return text->get();
    }
    if (value.is_integer() || value.is_floating_point() || value.is_boolean()) {
        std::ostringstream text;
        value.visit([&text](const auto& number) { text << number; });
        return text.str();
    }
    return std::nullopt;
}

Result<ConfigEntry>
read_entry(const std::string& key, const toml::node& value, const std::string& place) {
    ConfigEntry entry{key, {}, value.is_array(), place};
    if (value.is_table()) {
        return bad(place,
                   "[" + printable(key) + "] is a section; the keys here are flags, in no section");
    }
    if (printable(key) != key) {
        return bad(place, "the key '" + printable(key) + "' is no flag's name");
    }
    bool legal = true;
    const auto add = [&entry, &legal](const toml::node& one) {
        auto text = text_of(one);
        legal = legal && text.has_value();
        entry.values.push_back(text.value_or(std::string()));
    };
    if (const auto* list = value.as_array()) {
        std::for_each(list->begin(), list->end(), add);
    } else {
        add(value);
    }
    if (!legal) {
        return bad(place,
                   key + " must be a string, a number, true, false, or a list of such values");
    }
    return entry;
}

} // namespace

Result<std::vector<ConfigEntry>> read_config_file(const std::string& path) {
    const auto text = read_text(path);
    if (!text) {
        return text.error();
    }
    const auto place = [&path](const toml::source_region& where) {
        return printable(path) + ":" + std::to_string(where.begin.line);
    };
    std::vector<ConfigEntry> entries;
    try {
        const auto document = toml::parse(*text);
        for (const auto& [key, value] : document) {
            auto entry = read_entry(std::string(key.str()), value, place(value.source()));
            if (!entry) {
                return entry.error();
            }
            entries.push_back(std::move(*entry));
        }
    } catch (const toml::parse_error& wrong) {
        return bad(place(wrong.source()),
                   "this is no TOML: " + printable(std::string(wrong.description())) + ", in '" +
                       line_of(*text, wrong.source().begin.line) + "'");
    }
    return entries;
}

} // namespace methos
