#include "master/frameworks/external/definition/message_fields.hpp"

#include <cmath>
#include <limits>

namespace methos::external {

using nlohmann::json;

namespace {

constexpr double exact_integer_max = 9007199254740992.0; // 2^53: above it doubles skip integers

bool read_text(const json& value, const std::string& path, Problem& problem, std::string& target) {
    if (!value.is_string()) {
        problem.add(path, "expected a string");
        return false;
    }
    const auto& text = value.get_ref<const std::string&>();
    if (text.find('\0') != std::string::npos) {
        problem.add(path, "must not contain a NUL character");
        return false;
    }
    target = text;
    return true;
}

std::optional<std::int64_t> integer_of(const json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            return static_cast<std::int64_t>(number);
        }
    } else if (value.is_number_float()) {
        const auto number = value.get<double>();
        if (number >= 0 && number <= exact_integer_max && std::trunc(number) == number) {
            return static_cast<std::int64_t>(number);
        }
    }
    return std::nullopt; // negative, fractional, too large or no number
}

} // namespace

MessageFields::MessageFields(const json& object, std::string path, Problem& problem)
    : object_(&object), path_(std::move(path)), problem_(&problem) {
    if (!object.is_object()) {
        problem.add(path_, "expected an object");
    }
}

const json* MessageFields::find(const char* name) const {
    if (!object_->is_object()) {
        return nullptr;
    }
    const auto found = object_->find(name);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

void MessageFields::read(const char* name, std::string& target) const {
    if (const auto* field = find(name)) {
        read_text(*field, path_of(name), *problem_, target);
    }
}

void MessageFields::read(const char* name, bool& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (field->is_boolean()) {
        target = field->get<bool>();
    } else {
        wrong(name, "expected a boolean");
    }
}

void MessageFields::read(const char* name, double& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (field->is_number()) {
        target = field->get<double>();
    } else {
        wrong(name, "expected a number");
    }
}

void MessageFields::read(const char* name, std::optional<double>& target) const {
    if (has(name)) {
        double number = 0;
        read(name, number);
        target = number;
    }
}

void MessageFields::read(const char* name, std::int64_t& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (const auto number = integer_of(*field)) {
        target = *number;
    } else {
        wrong(name, "expected an integer from 0 to 2^63 - 1");
    }
}

void MessageFields::read(const char* name, std::vector<std::string>& target) const {
    each_value(name, [&](const json& item, const std::string& path) {
        std::string text;
        if (read_text(item, path, *problem_, text)) {
            target.push_back(std::move(text));
        }
    });
}

void MessageFields::read_id(const char* name, std::string& target) const {
    if (const auto* field = find(name)) {
        const MessageFields id(*field, path_of(name), *problem_);
        id.require("value", target);
    }
}

void MessageFields::read_bytes(const char* name, std::string& target) const {
    if (!has(name)) {
        return;
    }
    std::string text;
    read(name, text);
    if (auto bytes = base64_decode(text)) {
        target = std::move(*bytes);
    } else {
        wrong(name, "expected base64");
    }
}

void MessageFields::require(const char* name) const {
    if (object_->is_object() && !has(name)) {
        wrong(name, "missing, and required");
    }
}

void MessageFields::require_id(const char* name, std::string& target) const {
    require(name);
    read_id(name, target);
}

MessageFields MessageFields::message(const char* name) const {
    static const json none = json::object();
    const auto* field = find(name);
    return MessageFields(field == nullptr ? none : *field, path_of(name), *problem_);
}

void MessageFields::each(const char* name,
                         const std::function<void(const MessageFields& item)>& each) const {
    each_value(name, [&](const json& item, const std::string& path) {
        each(MessageFields(item, path, *problem_));
    });
}

void MessageFields::each_value(
    const char* name,
    const std::function<void(const json& item, const std::string& path)>& each) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (!field->is_array()) {
        each(*field, path_of(name));
        return;
    }
    for (std::size_t i = 0; i < field->size(); ++i) {
        if (!(*field)[i].is_null()) {
            each((*field)[i], path_of(name) + "[" + std::to_string(i) + "]");
        }
    }
}

namespace {

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::optional<std::string> base64_decode(const std::string& text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    std::uint32_t bits = 0;
    const auto digits_end = text.find('=');
    const auto padding = digits_end == std::string::npos ? 0 : text.size() - digits_end;
    if (padding > 2 || text.find_first_not_of('=', text.size() - padding) != std::string::npos) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = text[i] == '=' ? 0 : base64_digits.find(text[i]);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
        if (i % 4 == 3) {
            bytes += static_cast<char>((bits >> 16U) & 0xffU);
            bytes += static_cast<char>((bits >> 8U) & 0xffU);
            bytes += static_cast<char>(bits & 0xffU);
            bits = 0;
        }
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

std::string base64_encode(const std::string& bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const auto byte = i + j < bytes.size() ? bytes[i + j] : '\0';
            bits = (bits << 8U) | static_cast<unsigned char>(byte);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            const auto digit = (bits >> (18U - 6U * j)) & 0x3fU;
            text += i + j <= bytes.size() ? base64_digits[digit] : '=';
        }
    }
    return text;
}

} // namespace methos::external
