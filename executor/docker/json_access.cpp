#include "executor/docker/json_access.hpp"

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "executor/docker/time_text.hpp"

#include <cmath>
#include <limits>

namespace methos::docker::json_access {

const Json& field(const Json& object, const char* key) {
    static const Json none;
    if (!object.is_object()) {
        return none;
    }
    const auto found = object.find(key);
    return found == object.end() ? none : *found;
}

std::string text(const Json& object, const char* key) {
    const auto& value = field(object, key);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t number(const Json& object, const char* key) {
    const auto& value = field(object, key);
    if (value.is_number_unsigned()) {
        const auto whole = value.get<std::uint64_t>();
        constexpr std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
        return whole <= limit ? static_cast<std::int64_t>(whole) : 0;
    }
    if (value.is_number_integer()) {
        return value.get<std::int64_t>();
    }
    if (value.is_number_float()) {
        constexpr double limit = 9e18;
        const auto real = value.get<double>();
        return std::abs(real) < limit ? static_cast<std::int64_t>(real) : 0;
    }
    return 0;
}

bool has_number(const Json& object, const char* key) {
    return field(object, key).is_number_integer();
}

bool flag(const Json& object, const char* key) {
    const auto& value = field(object, key);
    return value.is_boolean() && value.get<bool>();
}

std::vector<std::string> texts(const Json& object, const char* key) {
    const auto& value = field(object, key);
    std::vector<std::string> result;
    if (value.is_string()) {
        result.push_back(value.get<std::string>());
    } else if (value.is_array()) {
        for (const auto& element : value) {
            if (element.is_string()) {
                result.push_back(element.get<std::string>());
            }
        }
    }
    return result;
}

std::vector<std::string> keys(const Json& object, const char* key) {
    const auto& value = field(object, key);
    std::vector<std::string> result;
    if (value.is_object()) {
        for (const auto& entry : value.items()) {
            result.push_back(entry.key());
        }
    }
    return result;
}

Labels labels(const Json& object, const char* key) {
    const auto& value = field(object, key);
    Labels result;
    if (value.is_object()) {
        for (const auto& entry : value.items()) {
            if (entry.value().is_string()) {
                result.emplace(entry.key(), entry.value().get<std::string>());
            }
        }
    }
    return result;
}

UnixNanos time(const Json& object, const char* key) {
    return parse_time(text(object, key)).value_or(0);
}

Json parse(const std::string& document, const std::string& what) {
    try {
        return parse_json(document);
    } catch (const Json::exception& problem) {
        throw Failure(Code::Protocol, "the Engine's " + what + " is not JSON: " + problem.what());
    }
}

} // namespace methos::docker::json_access
