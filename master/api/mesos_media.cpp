#include "master/api/mesos_media.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace methos::master {

namespace {

/// "application/json" of " Application/JSON ; charset=utf-8".
std::string media_type(const std::string& text) {
    auto type = text.substr(0, text.find(';'));
    std::erase_if(type, [](unsigned char c) { return std::isspace(c) != 0; });
    std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return type;
}

bool takes_json(const std::string& accept) {
    for (std::size_t begin = 0; begin <= accept.size();) {
        const auto end = std::min(accept.find(',', begin), accept.size());
        const auto type = media_type(accept.substr(begin, end - begin));
        if (type == "application/json" || type == "application/*" || type == "*/*") {
            return true;
        }
        begin = end + 1;
    }
    return false;
}

} // namespace

http::Response mesos_refusal(int status, const std::string& message) {
    return http::Response(status, "text/plain; charset=utf-8", message);
}

std::optional<http::Response> refuse_content_type(const http::Request& request) {
    const auto type = request.headers.get("Content-Type");
    if (!type) {
        return mesos_refusal(400, "Expecting 'Content-Type' to be present");
    }
    if (media_type(*type) != "application/json") {
        return mesos_refusal(415, "Expecting 'Content-Type' of application/json");
    }
    return std::nullopt;
}

std::optional<http::Response> refuse_accept(const http::Request& request) {
    const auto accept = request.headers.get("Accept");
    if (accept && !media_type(*accept).empty() && !takes_json(*accept)) {
        return mesos_refusal(406, "Expecting 'Accept' to allow application/json");
    }
    return std::nullopt;
}

const nlohmann::json& member(const nlohmann::json& object, const char* name) {
    static const nlohmann::json null;
    if (!object.is_object()) {
        return null;
    }
    const auto found = object.find(name);
    return found == object.end() ? null : *found;
}

void allow_post_only(http::Router& router, const std::string& pattern) {
    http::Route route;
    route.method = "*";
    route.pattern = pattern;
    route.auth = http::Auth::Token;
    route.handler = [](http::Request request) -> awaitable<http::Response> {
        auto response = mesos_refusal(
            405, "Expecting one of { 'POST' }, but received '" + request.method + "'");
        response.headers.set("Allow", "POST");
        co_return response;
    };
    router.add(std::move(route));
}

} // namespace methos::master
