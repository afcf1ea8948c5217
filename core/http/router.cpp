// Which route a method and a path belong to, and the small helpers of Request and Response. Pure:
// no sockets here.
#include "core/http/server.hpp"

#include <algorithm>

namespace methos::http {

namespace {

std::vector<std::string_view> split_path(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        const auto end = path.find('/');
        if (end != 0) {
            segments.push_back(path.substr(0, end));
        }
        path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    }
    return segments;
}

using Segments = std::vector<std::string_view>;
using Params = std::map<std::string, std::string>;

std::string join_decoded(const Segments& path, std::size_t from, std::size_t to) {
    std::string joined;
    for (std::size_t i = from; i < to; ++i) {
        joined += (i == from ? "" : "/") + percent_decode(path[i]);
    }
    return joined;
}

/// Matches pattern[p...] against path[s...]. A star takes as much as it can, then gives back.
bool match_from(const std::vector<RoutePattern::Part>& pattern,
                std::size_t p,
                const Segments& path,
                std::size_t s,
                Params& params) {
    if (p == pattern.size()) {
        return s == path.size();
    }
    const auto& part = pattern[p];
    if (part.kind == RoutePattern::Kind::Literal) {
        return s < path.size() && path[s] == part.text &&
               match_from(pattern, p + 1, path, s + 1, params);
    }
    if (part.kind == RoutePattern::Kind::One) {
        if (s >= path.size() || !match_from(pattern, p + 1, path, s + 1, params)) {
            return false;
        }
        params[part.text] = percent_decode(path[s]);
        return true;
    }
    const bool last = p + 1 == pattern.size();
    const std::size_t shortest = last ? s : s + 1;
    for (std::size_t end = path.size() + 1; end-- > shortest;) {
        if (match_from(pattern, p + 1, path, end, params)) {
            params[part.text] = join_decoded(path, s, end);
            return true;
        }
    }
    return false;
}

RoutePattern compile(const Route& route) {
    auto malformed = [&route](const std::string& why) {
        return Failure(Code::Internal, "route " + route.method + " " + route.pattern + ": " + why);
    };
    if (route.pattern.empty() || route.pattern.front() != '/') {
        throw malformed("a pattern begins with a slash");
    }
    RoutePattern compiled;
    for (const auto segment : split_path(route.pattern)) {
        RoutePattern::Part part;
        part.text = std::string(segment);
        if (segment.front() == '{' && segment.back() == '}' && segment.size() > 2) {
            const bool star = segment[segment.size() - 2] == '*';
            part.kind = star ? RoutePattern::Kind::Many : RoutePattern::Kind::One;
            part.text = std::string(segment.substr(1, segment.size() - (star ? 3 : 2)));
        }
        if (part.text.empty() || part.text.find_first_of("{}*") != std::string::npos) {
            throw malformed("segment \"" + std::string(segment) +
                            "\" is neither text nor {name} nor {name*}");
        }
        compiled.parts.push_back(std::move(part));
    }
    return compiled;
}

} // namespace

void Router::add(Route route) {
    if (route.auth == Auth::Undeclared) {
        throw Failure(Code::Internal,
                      "route " + route.method + " " + route.pattern +
                          " does not declare who may call it");
    }
    if (!route.handler) {
        throw Failure(Code::Internal,
                      "route " + route.method + " " + route.pattern + " has no handler");
    }
    patterns_.push_back(compile(route));
    routes_.push_back(std::move(route));
}

Router::Match Router::match(const std::string& method, const std::string& path) const {
    const auto segments = split_path(path);
    Match found;
    bool exact = false;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const auto& route = routes_[i];
        const bool same = route.method == method;
        const bool stands_in = route.method == "*" || (method == "HEAD" && route.method == "GET");
        if (found.route != nullptr && !(same && method == "HEAD")) {
            continue;
        }
        Params params;
        if (!match_from(patterns_[i].parts, 0, segments, 0, params)) {
            continue;
        }
        found.path_known = true;
        if (!same && !stands_in) {
            found.allowed_methods.push_back(route.method);
            continue;
        }
        if (found.route == nullptr || (same && !exact)) {
            found.route = &route;
            found.params = std::move(params);
            exact = same;
        }
        if (method != "HEAD" || exact) {
            break;
        }
    }
    if (found.route != nullptr) {
        found.allowed_methods.clear();
        return found;
    }
    auto& allowed = found.allowed_methods;
    if (std::find(allowed.begin(), allowed.end(), "GET") != allowed.end()) {
        allowed.emplace_back("HEAD");
    }
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    return found;
}

std::optional<std::string> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::vector<std::string> Request::query_values(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : query) {
        if (key == name) {
            values.push_back(value);
        }
    }
    return values;
}

bool Request::query_flag(std::string_view name, bool otherwise) const {
    const auto value = query_value(name);
    if (!value) {
        return otherwise;
    }
    if (iequals(*value, "true")) {
        return true;
    }
    return iequals(*value, "false") ? false : otherwise;
}

Response::Response(int status_, std::string content_type, std::string body_)
    : status(status_), body(std::move(body_)) {
    headers.add("Content-Type", std::move(content_type));
}

} // namespace methos::http
