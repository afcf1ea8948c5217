#include "cli/client/names.hpp"

#include "cli/output/words.hpp"
#include "core/http/message.hpp"

#include <algorithm>
#include <numeric>

namespace methos::cli {

namespace {

constexpr std::size_t uuid_length = 36;
constexpr std::size_t suggestions_max = 3;

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// Where the uuid of a task id starts, or npos.
std::size_t uuid_position(std::string_view name) {
    for (std::size_t i = 0; i + uuid_length <= name.size(); ++i) {
        bool fits = true;
        for (std::size_t k = 0; k < uuid_length && fits; ++k) {
            const bool dash = k == 8 || k == 13 || k == 18 || k == 23;
            const char c = name[i + k];
            const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            fits = dash ? c == '-' : hex;
        }
        if (fits) {
            return i;
        }
    }
    return std::string_view::npos;
}

/// Levenshtein's distance.
std::size_t distance_of(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = row[0];
        row[0] = i;
        for (std::size_t k = 1; k <= b.size(); ++k) {
            const auto replaced = diagonal + (a[i - 1] == b[k - 1] ? 0 : 1);
            diagonal = row[k];
            row[k] = std::min({row[k] + 1, row[k - 1] + 1, replaced});
        }
    }
    return row.back();
}

std::string describe(const HostName& host) {
    return host.hostname + " (" + host.id + ")";
}

} // namespace

std::string absolute_app_id(std::string_view name) {
    std::string id;
    for (const char c : name) {
        if (c != '/') {
            id += (id.empty() ? "/" : "") + std::string(1, c);
        } else if (id.empty() || id.back() != '/') {
            id += '/';
        }
    }
    while (id.size() > 1 && id.back() == '/') {
        id.pop_back();
    }
    return id.empty() ? "/" : id;
}

Result<std::string> app_argument(std::string_view name) {
    auto id = absolute_app_id(name);
    if (id == "/") {
        return Error(Code::InvalidInput,
                     "'" + std::string(name) +
                         "' is no app; write its id, like /demo (`methos ls` shows all)");
    }
    return id;
}

std::string url_path_of(std::string_view name) {
    while (!name.empty() && name.front() == '/') {
        name.remove_prefix(1);
    }
    return http::percent_encode(name, "/");
}

std::string app_id_of_image(std::string_view image) {
    image = image.substr(0, image.find('@'));
    const auto slash = image.rfind('/');
    if (slash != std::string_view::npos) {
        image.remove_prefix(slash + 1);
    }
    image = image.substr(0, image.find(':'));
    std::string name;
    for (const char c : image) {
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (is_lower_or_digit(lower)) {
            name += lower;
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    while (!name.empty() && name.back() == '-') {
        name.pop_back();
    }
    return name.empty() ? "" : "/" + name;
}

bool is_app_id(std::string_view id) {
    if (id.size() < 2 || id.front() != '/') {
        return false;
    }
    char before = '/';
    for (const char c : id.substr(1)) {
        const bool joint = c == '/' || c == '.';
        const bool after_joint = before == '/' || before == '.';
        if (!is_lower_or_digit(c) && c != '-' && !joint) {
            return false;
        }
        if ((after_joint && (joint || c == '-')) || (joint && before == '-')) {
            return false;
        }
        before = c;
    }
    return is_lower_or_digit(before);
}

bool is_task_id(std::string_view name) {
    const auto at = uuid_position(name);
    return at != std::string_view::npos && at > 0;
}

std::string short_task_name(std::string_view task_id) {
    const auto at = uuid_position(task_id);
    return std::string(at == std::string_view::npos ? task_id : task_id.substr(at, 8));
}

std::vector<std::string> similar_names(const std::string& name,
                                       const std::vector<std::string>& known) {
    std::vector<std::pair<std::size_t, std::string>> ranked;
    for (const auto& candidate : known) {
        const bool part = name.size() > 2 && candidate.find(name.substr(1)) != std::string::npos;
        const auto distance = part ? 1 : distance_of(name, candidate);
        if (distance <= std::max<std::size_t>(2, name.size() / 3)) {
            ranked.emplace_back(distance, candidate);
        }
    }
    std::sort(ranked.begin(), ranked.end());
    ranked.resize(std::min(ranked.size(), suggestions_max));
    std::vector<std::string> names;
    names.reserve(ranked.size());
    for (auto& [distance, candidate] : ranked) {
        names.push_back(std::move(candidate));
    }
    return names;
}

Result<std::size_t> find_host(const std::string& name, const std::vector<HostName>& hosts) {
    std::vector<std::size_t> named;
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        if (hosts[i].id == name) {
            return i;
        }
        if (hosts[i].hostname == name) {
            named.push_back(i);
        }
        if (hosts[i].hostname == name || (!name.empty() && hosts[i].id.starts_with(name))) {
            fitting.push_back(i);
        }
    }
    if (named.size() == 1) {
        return named.front(); // a name that an id begins with by chance is still a name
    }
    if (fitting.size() == 1) {
        return fitting.front();
    }
    std::vector<std::string> shown;
    if (fitting.empty()) {
        for (const auto& host : hosts) {
            shown.push_back(describe(host));
        }
        const auto there = shown.empty() ? "no host has joined" : "there are " + listed(shown);
        return Error(Code::NotFound, "there is no host '" + name + "'; " + there);
    }
    for (const auto i : fitting) {
        shown.push_back(describe(hosts[i]));
    }
    return Error(Code::InvalidInput,
                 "'" + name + "' fits several hosts: " + listed(shown) + "; write more of the id");
}

} // namespace methos::cli
