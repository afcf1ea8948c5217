#include "cli/client/target.hpp"

#include "cli/output/words.hpp"

#include <CLI/CLI.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace methos::cli {

namespace {

constexpr const char* default_url = "http://127.0.0.1:8080";
constexpr const char* default_registry = "http://127.0.0.1:5000";
constexpr std::size_t token_bytes_max = 4096;

std::string trimmed(const std::string& text) {
    constexpr const char* blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string::npos) {
        return "";
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

Result<std::string> read_token_file(const std::string& path) {
    std::ifstream file(path);
    std::string token(token_bytes_max, '\0');
    file.read(token.data(), static_cast<std::streamsize>(token.size()));
    token.resize(static_cast<std::size_t>(file.gcount()));
    if (!file.is_open() || trimmed(token).empty()) {
        return Error(Code::InvalidInput, "cannot read a token from " + path);
    }
    return trimmed(token);
}

/// A token with blanks or control characters would break the request apart.
bool is_legal_token(const std::string& token) {
    for (const char c : token) {
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7F) {
            return false;
        }
    }
    return true;
}

Result<std::string> checked_url(std::string url, const std::string& source) {
    while (!url.empty() && url.back() == '/') {
        url.pop_back();
    }
    const bool has_scheme = url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
    const auto rest = has_scheme ? url.substr(url.find("//") + 2) : std::string();
    if (rest.empty() || rest.find_first_of(" \t\r\n?#") != std::string::npos) {
        return Error(Code::InvalidInput,
                     source + " is '" + url + "', which is no URL like http://127.0.0.1:8080");
    }
    return url;
}

std::string* field_of(ContextEntry& entry, const std::string& name) {
    if (name == "url") {
        return &entry.url;
    }
    if (name == "token") {
        return &entry.token;
    }
    if (name == "token-file") {
        return &entry.token_file;
    }
    if (name == "ca-file") {
        return &entry.ca_file;
    }
    return name == "registry" ? &entry.registry : nullptr;
}

Result<ContextFile> load_context_file(const std::string& path) {
    if (path.empty()) {
        return ContextFile();
    }
    std::ifstream file(path);
    if (!file) {
        return ContextFile();
    }
    return parse_context_file(file, path);
}

std::string header_of(const std::string& name) {
    return "[contexts." + name + "]";
}

bool sets_current(const std::string& line) {
    const auto text = trimmed(line);
    const auto equals = text.find('=');
    return equals != std::string::npos && trimmed(text.substr(0, equals)) == "current";
}

std::string host_of(const std::string& url) {
    auto host = url.substr(url.find("//") + 2);
    host.resize(std::min(host.size(), host.find('/')));
    const auto bracket = host.find(']');
    if (!host.empty() && host.front() == '[' && bracket != std::string::npos) {
        host = host.substr(1, bracket - 1);
    } else {
        host.resize(std::min(host.size(), host.rfind(':')));
    }
    std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return host;
}

/// Whether the URL leads to this machine. What is not plainly so (a user, an odd number) is not.
bool is_own(const std::string& url, const Environment& environment) {
    const auto host = host_of(url);
    in_addr v4{};
    const bool is_v4 = ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
    const bool is_loopback = is_v4 && (ntohl(v4.s_addr) >> 24U) == 127;
    return url.find('@') == std::string::npos &&
           (is_loopback || host == "::1" || host == "localhost" ||
            environment.own_hosts.contains(host));
}

/// Fills in the token; the contract's order is METHOS_TOKEN, the context, the local master's file.
Result<void> choose_token(Target& target,
                          const Environment& environment,
                          const ContextEntry& entry,
                          const std::string& context_label) {
    const auto given = environment.get("METHOS_TOKEN");
    if (!given.empty()) {
        target.token = trimmed(given);
        target.token_source = "METHOS_TOKEN";
    } else if (!entry.token.empty()) {
        target.token = entry.token;
        target.token_source = context_label;
    } else if (!entry.token_file.empty()) {
        auto token = read_token_file(entry.token_file);
        if (!token) {
            return Error(token.error()).with_context(context_label);
        }
        target.token = *token;
        target.token_source = entry.token_file + " of " + context_label;
    } else if (!is_own(target.url, environment)) {
        return {}; // the master's answer says how to give a token
    } else if (auto token = read_token_file(environment.admin_token_file); token) {
        target.token = *token;
        target.token_source = environment.admin_token_file;
    }
    if (!is_legal_token(target.token)) {
        return Error(Code::InvalidInput,
                     "the token of " + target.token_source +
                         " has blanks or control characters in it, so it is none");
    }
    return {};
}

} // namespace

std::string Environment::get(const std::string& name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
}

std::string Environment::config_file() const {
    const auto config = get("XDG_CONFIG_HOME");
    if (!config.empty() && config.front() == '/') {
        return config + "/methos/config.toml";
    }
    const auto home = get("HOME");
    return home.empty() ? "" : home + "/.config/methos/config.toml";
}

Result<ContextFile> parse_context_file(std::istream& text, const std::string& name) {
    ContextFile file;
    for (const auto& item : CLI::ConfigTOML().from_config(text)) {
        if (item.name == "++" || item.name == "--") {
            continue; // CLI11's marks for the start and the end of a section
        }
        const bool one_value =
            item.inputs.size() == 1 && item.inputs.front().find('"') == std::string::npos;
        if (!one_value) {
            return Error(Code::InvalidInput,
                         name + ": '" + item.fullname() +
                             "' must be one value in quotes, without # and quotes inside");
        }
        std::string* field = nullptr;
        if (item.parents.empty() && item.name == "current") {
            field = &file.current;
        } else if (item.parents.size() == 2 && item.parents.front() == "contexts") {
            field = field_of(file.contexts[item.parents.back()], item.name);
        }
        if (field == nullptr) {
            return Error(Code::InvalidInput,
                         name + ": '" + item.fullname() +
                             "' is not known; there are current, and below [contexts.NAME] url, "
                             "token, token-file, ca-file and registry");
        }
        *field = item.inputs.front();
    }
    return file;
}

Result<Target> resolve_target(const Environment& environment, const std::string& context_name) {
    const auto path = environment.config_file();
    const auto file = load_context_file(path);
    if (!file) {
        return file.error();
    }
    const auto name = context_name.empty() ? file->current : context_name;
    const auto found = file->contexts.find(name);
    if (!name.empty() && found == file->contexts.end()) {
        std::vector<std::string> known;
        for (const auto& [known_name, entry] : file->contexts) {
            known.push_back(known_name);
        }
        return Error(Code::NotFound,
                     "there is no context '" + name + "' in " +
                         (path.empty() ? "~/.config/methos/config.toml" : path) +
                         (known.empty() ? "; write [contexts." + name + "] with url and token there"
                                        : "; there are " + listed(known)));
    }
    ContextEntry entry = name.empty() ? ContextEntry() : found->second;
    const auto label = "context " + name + " in " + path;

    const auto given_url = environment.get("METHOS_URL");
    auto url = checked_url(!given_url.empty()  ? given_url
                           : entry.url.empty() ? default_url
                                               : entry.url,
                           !given_url.empty() ? "METHOS_URL" : "the url of " + label);
    if (!url) {
        return url.error();
    }
    const auto own_url = checked_url(entry.url.empty() ? default_url : entry.url, label);
    const bool other_master = own_url && *own_url != *url;
    if (context_name.empty() && other_master) {
        entry = ContextEntry();
    }
    Target target;
    target.url = *url;
    const auto given_registry = environment.get("METHOS_REGISTRY");
    target.registry = !given_registry.empty()  ? given_registry
                      : entry.registry.empty() ? default_registry
                                               : entry.registry;
    // SSL_CERT_FILE is about all that this person's programs talk to, ca-file about this master.
    target.ca_file = entry.ca_file.empty() ? environment.get("SSL_CERT_FILE") : entry.ca_file;
    if (!target.ca_file.empty() && !std::ifstream(target.ca_file)) {
        return Error(
            Code::InvalidInput,
            "cannot read " + target.ca_file + ", which " +
                (entry.ca_file.empty() ? std::string("SSL_CERT_FILE") : "ca-file of " + label) +
                " names");
    }
    if (auto chosen = choose_token(target, environment, entry, label); !chosen) {
        return chosen.error();
    }
    return target;
}

std::string without_context_entry(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    std::string kept;
    std::string line;
    bool inside = false;
    bool at_top = true;
    while (std::getline(lines, line)) {
        const auto content = trimmed(line);
        if (!content.empty() && content.front() == '[') {
            inside = content == header_of(name);
            at_top = false;
        }
        const bool names_it = at_top && sets_current(line) &&
                              trimmed(content.substr(content.find('=') + 1)) == "\"" + name + "\"";
        if (!inside && !names_it) {
            kept += line + "\n";
        }
    }
    return kept;
}

std::string
with_context_entry(const std::string& text, const std::string& name, const ContextEntry& entry) {
    const auto others = without_context_entry(text, name);
    bool has_current = false;
    std::istringstream lines(others);
    std::string line;
    while (std::getline(lines, line) && (line.empty() || line.front() != '[')) {
        has_current = has_current || sets_current(line);
    }
    std::string result = has_current ? "" : "current = \"" + name + "\"\n";
    result += others + header_of(name) + "\n";
    const auto add = [&result](const char* key, const std::string& value) {
        if (!value.empty()) {
            result += std::string(key) + " = \"" + value + "\"\n";
        }
    };
    add("url", entry.url);
    add("token", entry.token);
    add("token-file", entry.token_file);
    add("ca-file", entry.ca_file);
    add("registry", entry.registry);
    return result;
}

} // namespace methos::cli
