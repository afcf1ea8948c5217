#include "master/frameworks/services/definition/json_fields.hpp"

#include <cmath>

namespace methos::services {

using nlohmann::json;

namespace {

constexpr double exact_integer_max = 9007199254740992.0; // 2^53: above it doubles skip integers

} // namespace

bool read_string(const json& value,
                 const std::string& path,
                 Problems& problems,
                 std::string& target) {
    if (!value.is_string()) {
        problems.mistyped.add(path, "error.expected.jsstring");
        return false;
    }
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > string_bytes_max) {
        problems.invalid.add(
            path, "must not be longer than " + std::to_string(string_bytes_max) + " bytes");
        return false;
    }
    if (text.find('\0') != std::string::npos) {
        problems.invalid.add(path, "must not contain a NUL character");
        return false;
    }
    target = text;
    return true;
}

bool read_integer(const json& value,
                  const std::string& path,
                  Problems& problems,
                  std::int64_t& target) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            target = static_cast<std::int64_t>(number);
            return true;
        }
    } else if (value.is_number_integer()) {
        target = value.get<std::int64_t>();
        return true;
    } else if (value.is_number_float()) {
        const auto number = value.get<double>();
        if (std::trunc(number) == number && std::abs(number) <= exact_integer_max) {
            target = static_cast<std::int64_t>(number);
            return true;
        }
    } else {
        problems.mistyped.add(path, "error.expected.jsnumber");
        return false;
    }
    problems.mistyped.add(path, "error.expected.int");
    return false;
}

JsonFields::JsonFields(const json& object, std::string path, Problems& problems)
    : object_(&object), path_(std::move(path)), problems_(&problems) {
    if (!object.is_object()) {
        problems.mistyped.add(path_.empty() ? "/" : path_, "error.expected.jsobject");
    }
}

const json* JsonFields::find(const char* name) const {
    if (!object_->is_object()) {
        return nullptr;
    }
    const auto found = object_->find(name);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::read(const char* name, std::string& target) const {
    if (const auto* field = find(name)) {
        read_string(*field, path_of(name), *problems_, target);
    }
}

void JsonFields::read(const char* name, std::optional<std::string>& target) const {
    std::string text;
    const auto* field = find(name);
    if (field != nullptr && read_string(*field, path_of(name), *problems_, text)) {
        target = std::move(text);
    }
}

void JsonFields::read(const char* name, bool& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (field->is_boolean()) {
        target = field->get<bool>();
    } else {
        mistyped(name, "error.expected.jsboolean");
    }
}

void JsonFields::read(const char* name, double& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (field->is_number()) {
        target = field->get<double>();
    } else {
        mistyped(name, "error.expected.jsnumber");
    }
}

void JsonFields::read(const char* name,
                      std::int64_t& target,
                      std::int64_t min,
                      std::int64_t max) const {
    const auto* field = find(name);
    std::int64_t number = 0;
    if (field == nullptr || !read_integer(*field, path_of(name), *problems_, number)) {
        return;
    }
    if (number < min) {
        invalid(name,
                "got " + std::to_string(number) + ", expected " + std::to_string(min) + " or more");
    } else if (number > max) {
        invalid(name,
                "got " + std::to_string(number) + ", expected " + std::to_string(max) + " or less");
    } else {
        target = number;
    }
}

void JsonFields::read_port(const char* name, std::uint16_t& target) const {
    std::int64_t number = target;
    read(name, number, 0, 65535);
    target = static_cast<std::uint16_t>(number);
}

void JsonFields::read(const char* name, std::vector<std::string>& target) const {
    if (!has(name)) {
        return;
    }
    target.clear();
    each(name, [&](const json& item, const std::string& path) {
        std::string text;
        if (read_string(item, path, *problems_, text)) {
            target.push_back(std::move(text));
        }
    });
}

void JsonFields::read(const char* name, std::map<std::string, std::string>& target) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (!field->is_object()) {
        mistyped(name, "error.expected.jsobject");
        return;
    }
    if (field->size() > list_items_max) {
        invalid(name, "must not have more than " + std::to_string(list_items_max) + " entries");
        return;
    }
    target.clear();
    for (const auto& [key, value] : field->items()) {
        std::string text;
        if (!value.is_null() && read_string(value, path_of(name) + "/" + key, *problems_, text)) {
            target[key] = std::move(text);
        }
    }
}

void JsonFields::require(const char* name, std::string& target) const {
    if (has(name)) {
        read(name, target);
    } else {
        mistyped(name, "error.path.missing");
    }
}

void JsonFields::each(
    const char* name,
    const std::function<void(const json& item, const std::string& path)>& each) const {
    const auto* field = find(name);
    if (field == nullptr) {
        return;
    }
    if (!field->is_array()) {
        mistyped(name, "error.expected.jsarray");
        return;
    }
    if (field->size() > list_items_max) {
        invalid(name, "must not have more than " + std::to_string(list_items_max) + " items");
        return;
    }
    std::size_t index = 0;
    for (const auto& item : *field) {
        each(item, path_of(name, index++));
    }
}

void JsonFields::mistyped(const std::string& name, const std::string& message) const {
    problems_->mistyped.add(path_of(name), message);
}

void JsonFields::invalid(const std::string& name, const std::string& message) const {
    problems_->invalid.add(path_of(name), message);
}

} // namespace methos::services
