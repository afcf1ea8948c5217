#include "cli/documents/yaml.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace methos::cli {

namespace {

using nlohmann::json;

constexpr int depth_max = 64;
constexpr int values_max = 100'000;

bool all_of(std::string_view text, std::string_view legal) {
    return !text.empty() && text.find_first_not_of(legal) == std::string_view::npos;
}

/// A whole number in the core schema's forms, or a null value.
json integer_of(std::string_view text) {
    constexpr std::string_view digits = "0123456789";
    const bool negative = text.front() == '-';
    auto body = text;
    if (text.front() == '-' || text.front() == '+') {
        body.remove_prefix(1);
    }
    int base = 10;
    std::string_view legal = digits;
    if (body == text && body.substr(0, 2) == "0x") {
        base = 16;
        legal = "0123456789abcdefABCDEF";
    } else if (body == text && body.substr(0, 2) == "0o") {
        base = 8;
        legal = digits.substr(0, 8);
    }
    if (base != 10) {
        body.remove_prefix(2);
    }
    if (!all_of(body, legal)) {
        return {};
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), number, base);
    if (error != std::errc{} || end != body.data() + body.size()) {
        return {};
    }
    if (!negative) {
        return number;
    }
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return {};
    }
    return -static_cast<std::int64_t>(number);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// A decimal fraction, or a null value.
json real_of(std::string_view text) {
    auto body = text;
    if (body.front() == '+') {
        body.remove_prefix(1);
    }
    if (!all_of(body, "0123456789.eE+-") ||
        body.find_first_of("0123456789") == std::string_view::npos) {
        return {};
    }
    double number = 0;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), number);
    if (error != std::errc{} || end != body.data() + body.size() || !std::isfinite(number)) {
        return {};
    }
    return number;
}

/// What an unquoted scalar means in the core schema.
json plain_value(const std::string& text) {
    if (text.empty() || is_one_of(text, {"~", "null", "Null", "NULL"})) {
        return nullptr;
    }
    if (is_one_of(text, {"true", "True", "TRUE"})) {
        return true;
    }
    if (is_one_of(text, {"false", "False", "FALSE"})) {
        return false;
    }
    auto number = integer_of(text);
    if (number.is_null()) {
        number = real_of(text);
    }
    return number.is_null() ? json(text) : number;
}

bool is_endless(std::string_view text) {
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        text.remove_prefix(1);
    }
    return is_one_of(text, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"});
}

[[noreturn]] void fail_at(const YAML::Mark& mark, const std::string& what) {
    const auto place = mark.line < 0 ? std::string()
                                     : "line " + std::to_string(mark.line + 1) + ", column " +
                                           std::to_string(mark.column + 1) + ": ";
    throw Failure(Code::InvalidInput, place + what);
}

class Converter {
  public:
    json convert(const YAML::Node& node, int depth, bool as_text) {
        if (depth > depth_max) {
            fail_at(node.Mark(), "more than " + std::to_string(depth_max) + " levels");
        }
        if (++values_ > values_max) {
            fail_at(node.Mark(), "more than " + std::to_string(values_max) + " values");
        }
        if (node.IsSequence()) {
            auto list = json::array();
            for (const auto& item : node) {
                list.push_back(convert(item, depth + 1, as_text));
            }
            return list;
        }
        if (node.IsMap()) {
            return convert_map(node, depth, as_text);
        }
        return convert_scalar(node, as_text);
    }

  private:
    json convert_map(const YAML::Node& node, int depth, bool as_text) {
        auto object = json::object();
        auto merged = json::object();
        std::set<std::string> seen;
        for (const auto& entry : node) {
            if (!entry.first.IsScalar()) {
                fail_at(entry.first.Mark(), "a key must be a plain word or a quoted text");
            }
            const auto key = entry.first.Scalar();
            if (!seen.insert(key).second) {
                fail_at(entry.first.Mark(), "the key '" + key + "' is given twice");
            }
            if (key == "<<" && entry.first.Tag() == "?") {
                merge_into(merged, entry.second, depth);
                continue;
            }
            const bool text_below = as_text || (depth <= 1 && (key == "env" || key == "labels"));
            object[key] = convert(entry.second, depth + 1, text_below);
        }
        for (const auto& [key, value] : merged.items()) {
            if (!object.contains(key)) {
                object[key] = value;
            }
        }
        return object;
    }

    /// `<<: *base` and `<<: [*a, *b]`: keys that are not there yet, the first one counting.
    void merge_into(json& merged, const YAML::Node& node, int depth) {
        const auto value = convert(node, depth + 1, false);
        const auto sources = value.is_array() ? value : json::array({value});
        for (const auto& source : sources) {
            if (!source.is_object()) {
                fail_at(node.Mark(), "'<<' takes a mapping or a list of mappings");
            }
            for (const auto& [key, item] : source.items()) {
                if (!merged.contains(key)) {
                    merged[key] = item;
                }
            }
        }
    }

    static json convert_scalar(const YAML::Node& node, bool as_text) {
        if (node.IsNull() || !node.IsDefined()) {
            return nullptr;
        }
        const auto& text = node.Scalar();
        const auto& tag = node.Tag();
        const bool plain = tag == "?" || tag.empty();
        if (!plain || tag == "tag:yaml.org,2002:str") {
            if (tag == "!" || tag == "tag:yaml.org,2002:str") {
                return text;
            }
            const auto typed = plain_value(text);
            if (typed.is_string()) {
                fail_at(node.Mark(), "the tag '" + tag + "' is not known here");
            }
            return typed;
        }
        if (as_text && !plain_value(text).is_null()) {
            return text;
        }
        if (is_endless(text)) {
            fail_at(node.Mark(), "'" + text + "' is no number that an app can hold");
        }
        return plain_value(text);
    }

    int values_ = 0;
};

void emit(YAML::Emitter& out, const nlohmann::ordered_json& value) {
    if (value.is_object()) {
        out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
        for (const auto& [key, item] : value.items()) {
            const auto meant = plain_value(key);
            if (!meant.is_string()) {
                out << YAML::Key << YAML::DoubleQuoted << key << YAML::Value;
            } else {
                out << YAML::Key << key << YAML::Value;
            }
            emit(out, item);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
        for (const auto& item : value) {
            emit(out, item);
        }
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        const bool safe = plain_value(text).is_string() && !is_endless(text) && text != "<<" &&
                          std::none_of(text.begin(), text.end(), [](char c) {
                              return static_cast<unsigned char>(c) < 0x20 || c == '\x7F';
                          });
        if (safe) {
            out << text;
        } else {
            out << YAML::DoubleQuoted << text;
        }
    } else if (value.is_null()) {
        out << YAML::Null;
    } else {
        out << dump_json(value); // numbers and booleans read the same in both
    }
}

} // namespace

Result<std::vector<json>> parse_yaml(const std::string& text) {
    try {
        std::vector<json> documents;
        Converter converter;
        for (const auto& node : YAML::LoadAll(text)) {
            if (node.IsNull()) {
                continue;
            }
            documents.push_back(converter.convert(node, node.IsSequence() ? 0 : 1, false));
        }
        return documents;
    } catch (const YAML::Exception& failure) {
        const auto place = failure.mark.is_null()
                               ? std::string()
                               : "line " + std::to_string(failure.mark.line + 1) + ", column " +
                                     std::to_string(failure.mark.column + 1) + ": ";
        return Error(Code::InvalidInput, place + failure.msg);
    } catch (const Failure& failure) {
        return failure.error();
    }
}

std::string to_yaml(const nlohmann::ordered_json& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string(out.c_str(), out.size()) + "\n";
}

} // namespace methos::cli
