#include "master/frameworks/external/definition/framework_read.hpp"

#include <algorithm>

namespace methos::external {

namespace {

constexpr std::size_t id_bytes_max = 255;
constexpr std::size_t role_bytes_max = 255;
constexpr std::size_t roles_max = 100;
constexpr std::size_t text_bytes_max = std::size_t{4} * 1024;  ///< of a name, a user, a URL
constexpr std::size_t info_bytes_max = std::size_t{64} * 1024; ///< of all texts together
constexpr double failover_seconds_max = 1e9; ///< 31 years; more does not fit a Duration

/// Why a role cannot be called that; empty when it can.
std::string why_no_role(const std::string& role) {
    if (role == "*") {
        return "";
    }
    if (role.empty()) {
        return "Empty role name is invalid";
    }
    if (role == "." || role == ".." || role.front() == '-') {
        return "Role name '" + role + "' is invalid: it must not be '.', '..' or start with '-'";
    }
    if (role.size() > role_bytes_max) {
        return "Role names must not be longer than " + std::to_string(role_bytes_max) + " bytes";
    }
    const bool legal = std::all_of(role.begin(), role.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7f && c != '\\' && c != '*';
    });
    if (!legal || role.front() == '/' || role.back() == '/' ||
        role.find("//") != std::string::npos) {
        return "Role name '" + role + "' is invalid: it holds a blank, '*', '\\' or a stray '/'";
    }
    return "";
}

void read_roles(const MessageFields& fields, FrameworkInfo& info) {
    std::string role;
    fields.read("role", role);
    fields.read("roles", info.roles);
    const bool multi_role = info.can("MULTI_ROLE");
    if (multi_role && fields.has("role")) {
        fields.wrong("role", "must not be set when the framework is MULTI_ROLE capable");
    }
    if (!multi_role && !info.roles.empty()) {
        fields.wrong("roles", "must not be set when the framework is not MULTI_ROLE capable");
    }
    if (!multi_role) {
        info.roles.assign(1, role.empty() ? "*" : role);
    }
}

std::size_t bytes_of(const FrameworkInfo& info) {
    auto bytes = info.name.size() + info.user.size() + info.principal.size() +
                 info.hostname.size() + info.webui_url.size();
    for (const auto& [key, value] : info.labels) {
        bytes += key.size() + value.value_or("").size();
    }
    for (const auto& capability : info.capabilities) {
        bytes += capability.size();
    }
    return bytes;
}

} // namespace

std::string why_no_id(const std::string& text) {
    if (text.empty()) {
        return "ID must not be empty";
    }
    if (text.size() > id_bytes_max) {
        return "ID must not be greater than 255 characters";
    }
    if (text == "." || text == "..") {
        return "'" + text + "' is disallowed";
    }
    const bool legal = std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x20 && byte != 0x7f && c != '/' && c != '\\';
    });
    return legal ? "" : "'" + text + "' contains invalid characters";
}

FrameworkInfo read_framework_info(const MessageFields& fields) {
    FrameworkInfo info;
    fields.read_id("id", info.id.value);
    fields.require("user", info.user);
    fields.require("name", info.name);
    fields.read("principal", info.principal);
    fields.read("hostname", info.hostname);
    fields.read("webui_url", info.webui_url);
    fields.read("checkpoint", info.checkpoint);
    fields.each("capabilities", [&](const MessageFields& item) {
        std::string type;
        item.read("type", type);
        if (!type.empty()) {
            info.capabilities.insert(std::move(type));
        }
    });
    read_roles(fields, info);
    double failover_seconds = 0;
    fields.read("failover_timeout", failover_seconds);
    if (failover_seconds < 0) {
        fields.wrong("failover_timeout", "must not be negative");
    }
    failover_seconds = std::clamp(failover_seconds, 0.0, failover_seconds_max);
    info.failover_timeout =
        std::chrono::milliseconds(static_cast<std::int64_t>(failover_seconds * 1000));
    fields.message("labels").each("labels", [&](const MessageFields& item) {
        std::string key;
        item.require("key", key);
        std::optional<std::string> value;
        if (item.has("value")) {
            item.read("value", value.emplace());
        }
        info.labels.emplace_back(std::move(key), std::move(value));
    });
    return info;
}

std::string why_unusable(const FrameworkInfo& info,
                         const std::vector<std::string>& suppressed_roles) {
    if (!info.id.empty()) {
        if (const auto why = why_no_id(info.id.value); !why.empty()) {
            return "'FrameworkInfo.id' is invalid: " + why;
        }
    }
    if (info.roles.size() > roles_max) {
        return "'FrameworkInfo.roles' holds more than " + std::to_string(roles_max) + " roles";
    }
    auto sorted = info.roles;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        return "'FrameworkInfo.roles' contains duplicate items";
    }
    for (const auto& role : sorted) {
        if (const auto why = why_no_role(role); !why.empty()) {
            return "'FrameworkInfo.roles' contains an invalid role: " + why;
        }
    }
    for (const auto& role : suppressed_roles) {
        if (!std::binary_search(sorted.begin(), sorted.end(), role)) {
            return "Suppressed role '" + role + "' is not one of the framework's roles";
        }
    }
    for (const auto* text : {&info.name, &info.user, &info.principal, &info.hostname}) {
        if (text->size() > text_bytes_max) {
            return "a name in FrameworkInfo is longer than " + std::to_string(text_bytes_max) +
                   " bytes";
        }
    }
    return bytes_of(info) > info_bytes_max
               ? "FrameworkInfo is larger than " + std::to_string(info_bytes_max) + " bytes"
               : "";
}

} // namespace methos::external
