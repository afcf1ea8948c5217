#include "master/frameworks/services/definition/old_spellings.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace methos::services {

using nlohmann::json;

namespace {

bool given(const json& object, const char* name) {
    return object.is_object() && object.contains(name) && !object[name].is_null();
}

/// Takes a field out; null when it was absent.
json take(json& object, const char* name) {
    if (!given(object, name)) {
        if (object.is_object()) {
            object.erase(name);
        }
        return nullptr;
    }
    json value = std::move(object[name]);
    object.erase(name);
    return value;
}

/// [{key: item}, ...] of [item, ...].
json wrapped(const json& items, const char* key) {
    auto list = json::array();
    for (const auto& item : items) {
        list.push_back({{key, item}});
    }
    return list;
}

/// Whether a list of objects says in `key` what the old list says; then giving both is harmless,
/// and older Marathons did print both.
bool agree(const json& old_list, const json& new_list, const char* key) {
    if (!new_list.is_array() || old_list.size() != new_list.size()) {
        return false;
    }
    for (std::size_t i = 0; i < old_list.size(); ++i) {
        if (!given(new_list[i], key) || new_list[i][key] != old_list[i]) {
            return false;
        }
    }
    return true;
}

/// Marathon unpacks an item of `uris` only when its name is one of these; one of `fetch` says
/// itself.
bool is_unpacked(const json& uri) {
    constexpr std::array<std::string_view, 7> endings{
        ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"};
    const auto text = uri.is_string() ? uri.get<std::string>() : std::string();
    return std::any_of(
        endings.begin(), endings.end(), [&text](auto ending) { return text.ends_with(ending); });
}

/// `old_name`: [item] becomes `new_name`: [{key: item}].
void rewrite_list(json& document,
                  const JsonFields& fields,
                  const char* old_name,
                  const char* new_name,
                  const char* key,
                  const char* both) {
    const auto old_list = take(document, old_name);
    if (old_list.is_null()) {
        return;
    }
    if (!old_list.is_array()) {
        fields.mistyped(old_name, "error.expected.jsarray");
    } else if (!given(document, new_name)) {
        document[new_name] = wrapped(old_list, key);
    } else if (!agree(old_list, document[new_name], key)) {
        fields.invalid("", both);
    }
}

void rewrite_uris(json& document, const JsonFields& fields) {
    for (const auto* name : {"uris", "fetch"}) { // an empty one says nothing against the other
        if (given(document, name) && document[name].is_array() && document[name].empty()) {
            document.erase(name);
        }
    }
    const bool only_uris = !given(document, "fetch");
    rewrite_list(
        document, fields, "uris", "fetch", "uri", "cannot specify both uris and fetch fields");
    if (only_uris && given(document, "fetch")) {
        for (auto& item : document["fetch"]) {
            item["extract"] = is_unpacked(item["uri"]);
        }
    }
}

json network_of(const std::string& word) {
    if (word == "HOST") {
        return {{"mode", "host"}};
    }
    if (word == "BRIDGE") {
        return {{"mode", "container/bridge"}};
    }
    if (word == "NONE") {
        return {{"mode", "container"}, {"name", "none"}};
    }
    if (word == "USER") {
        return {{"mode", "container"}};
    }
    return nullptr;
}

/// container.docker.{network, portMappings}. True when networks now come from there.
bool rewrite_docker(json& document, const JsonFields& fields) {
    if (!given(document, "container") || !given(document["container"], "docker") ||
        !document["container"]["docker"].is_object()) {
        return false;
    }
    auto& container = document["container"];
    auto& docker = container["docker"];
    auto mappings = take(docker, "portMappings");
    if (!mappings.is_null()) {
        if (!given(container, "portMappings")) {
            container["portMappings"] = std::move(mappings);
        } else if (container["portMappings"] != mappings) {
            fields.invalid("container", "cannot specify both portMappings and docker.portMappings");
        }
    }
    const auto word = take(docker, "network");
    if (word.is_null()) {
        return false;
    }
    auto network = word.is_string() ? network_of(word.get<std::string>()) : json(nullptr);
    if (network.is_null()) {
        fields.mistyped("container/docker/network",
                        "error.unknown.enum.literal (BRIDGE, HOST, NONE, USER)");
        return false;
    }
    if (given(document, "networks")) {
        fields.invalid("", "must not specify both container.docker.network and networks");
        return false;
    }
    document["networks"] = json::array({std::move(network)});
    return true;
}

/// ipAddress.discovery.ports: [{number, name, protocol}].
json mappings_of(const json& ip_address) {
    if (!given(ip_address, "discovery") || !given(ip_address["discovery"], "ports") ||
        !ip_address["discovery"]["ports"].is_array()) {
        return nullptr;
    }
    auto mappings = json::array();
    for (auto port : ip_address["discovery"]["ports"]) {
        if (port.is_object()) {
            auto number = take(port, "number");
            port["containerPort"] = std::move(number);
        }
        mappings.push_back(std::move(port));
    }
    return mappings;
}

void rewrite_ip_address(json& document, const JsonFields& fields, bool network_is_old) {
    const auto ip_address = take(document, "ipAddress");
    if (ip_address.is_null()) {
        return;
    }
    if (!ip_address.is_object()) {
        fields.mistyped("ipAddress", "error.expected.jsobject");
        return;
    }
    if (!given(document, "networks")) {
        document["networks"] = json::array({{{"mode", "container"}}});
    } else if (!network_is_old) {
        fields.invalid("", "must not specify both ipAddress and networks");
        return;
    } else if (first_network_mode(document) != "container") {
        fields.invalid("ipAddress", "is not allowed with BRIDGE or HOST networks");
        return;
    }
    auto& network = document["networks"][0];
    for (const auto& [from, to] :
         {std::pair("networkName", "name"), std::pair("labels", "labels")}) {
        if (given(ip_address, from)) {
            network[to] = ip_address[from];
        }
    }
    auto mappings = mappings_of(ip_address);
    if (mappings.is_null()) {
        return;
    }
    if (!given(document, "container")) {
        document["container"] = json{{"type", "MESOS"}};
    }
    if (document["container"].is_object() && !given(document["container"], "portMappings")) {
        document["container"]["portMappings"] = std::move(mappings);
    }
}

} // namespace

std::string first_network_mode(const json& document) {
    if (!given(document, "networks") || !document["networks"].is_array() ||
        document["networks"].empty()) {
        return {};
    }
    const auto& network = document["networks"][0];
    if (!network.is_object()) {
        return {};
    }
    // Without a mode, Marathon takes a network for a container network.
    return given(network, "mode") && network["mode"].is_string()
               ? network["mode"].get<std::string>()
               : std::string("container");
}

void rewrite_old_spellings(json& document, const std::string& prefix, Problems& problems) {
    const JsonFields fields(document, prefix, problems);
    const bool network_is_old = rewrite_docker(document, fields);
    rewrite_ip_address(document, fields, network_is_old);
    const auto mode = first_network_mode(document);
    if (!mode.empty() && mode != "host") {
        // Marathon printed service ports of all apps as `ports`, and until 1.4 as portDefinitions
        // too.
        document.erase("ports");
        if (network_is_old) {
            document.erase("portDefinitions");
        }
    }
    if (mode == "host" && network_is_old && given(document["container"], "portMappings") &&
        document["container"]["portMappings"].empty()) {
        document["container"].erase("portMappings");
    }
    rewrite_list(document,
                 fields,
                 "ports",
                 "portDefinitions",
                 "port",
                 "cannot specify both ports and port definitions");
    rewrite_uris(document, fields);
}

} // namespace methos::services
