// Paths of apps and groups: resolving and checking.
#include "master/frameworks/services/definition/app_parse.hpp"

#include <algorithm>

namespace methos::services {

namespace {

constexpr std::size_t path_bytes_max = 1024;

bool is_label_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/// One segment: labels of [a-z0-9-] joined by dots, none beginning or ending with a dash.
bool valid_segment(const std::string& segment) {
    std::size_t begin = 0;
    while (true) {
        const auto end = std::min(segment.find('.', begin), segment.size());
        if (end == begin || segment[begin] == '-' || segment[end - 1] == '-') {
            return false;
        }
        if (!std::all_of(segment.begin() + static_cast<std::ptrdiff_t>(begin),
                         segment.begin() + static_cast<std::ptrdiff_t>(end),
                         is_label_character)) {
            return false;
        }
        if (end == segment.size()) {
            return true;
        }
        begin = end + 1;
    }
}

std::vector<std::string> segments_of(const std::string& path) {
    std::vector<std::string> segments;
    std::size_t begin = 0;
    while (begin < path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        if (end > begin) {
            segments.push_back(path.substr(begin, end - begin));
        }
        begin = end + 1;
    }
    return segments;
}

} // namespace

std::string absolute_path(const std::string& path, const std::string& parent) {
    std::vector<std::string> resolved;
    const bool relative = path.empty() || path.front() != '/';
    for (const auto& segment : segments_of(relative ? parent + "/" + path : path)) {
        if (segment == "..") {
            if (!resolved.empty()) {
                resolved.pop_back();
            }
        } else if (segment != ".") {
            resolved.push_back(segment);
        }
    }
    std::string absolute;
    for (const auto& segment : resolved) {
        absolute += "/" + segment;
    }
    return absolute.empty() ? "/" : absolute;
}

bool valid_app_path(const std::string& absolute) {
    const auto segments = segments_of(absolute);
    return !segments.empty() && absolute.front() == '/' && absolute.size() <= path_bytes_max &&
           std::all_of(segments.begin(), segments.end(), valid_segment);
}

} // namespace methos::services
