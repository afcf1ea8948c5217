#include "executor/docker/path.hpp"

#include "core/base/json.hpp"
#include "core/http/message.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>

namespace methos::docker {

namespace {

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_one_of(char c, std::string_view set) {
    return set.find(c) != std::string_view::npos;
}

constexpr std::size_t name_bytes_max = 1024;

} // namespace

bool is_container_name(const std::string& name) {
    return !name.empty() && name.size() <= name_bytes_max && is_alphanumeric(name.front()) &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return is_alphanumeric(c) || is_one_of(c, "_.-");
           });
}

bool is_image_reference(const std::string& reference) {
    if (reference.empty() || reference.size() > name_bytes_max) {
        return false;
    }
    std::size_t start = 0;
    while (start <= reference.size()) {
        const auto slash = std::min(reference.find('/', start), reference.size());
        const auto component = std::string_view(reference).substr(start, slash - start);
        const bool legal = !component.empty() &&
                           (is_alphanumeric(component.front()) || component.front() == '[') &&
                           component.find("..") == std::string_view::npos &&
                           std::all_of(component.begin(), component.end(), [](char c) {
                               return is_alphanumeric(c) || is_one_of(c, "_.-:@+[]");
                           });
        if (!legal) {
            return false;
        }
        start = slash + 1;
    }
    return true;
}

Query& Query::add(const std::string& name, const std::string& value) {
    if (!value.empty()) {
        text_ += text_.empty() ? "?" : "&";
        text_ += name + "=" + http::percent_encode(value);
    }
    return *this;
}

std::string filters_json(const Filters& filters) {
    return dump_json(nlohmann::json(filters));
}

std::vector<std::string>
label_filters(const std::vector<std::pair<std::string, std::string>>& labels) {
    std::vector<std::string> result;
    for (const auto& [key, value] : labels) {
        result.push_back(value.empty() ? key : key + "=" + value);
    }
    return result;
}

} // namespace methos::docker
