#include "executor/fetch/fetch_plan.hpp"

#include "core/http/client.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_bytes_max = 255; // of one part of a path, as file systems have it
constexpr std::size_t path_bytes_max = 3000;

Error refuse(const std::string& shown, const std::string& why) {
    return Error(Code::InvalidInput, "cannot fetch " + shown + ": " + why);
}

bool has_control(std::string_view text) {
    return std::any_of(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

/// "https" of "HTTPS://host/a"; "file" of a path of this host; empty when it is neither.
std::string scheme_of(const std::string& uri) {
    const auto end = uri.find("://");
    if (end == std::string::npos) {
        return uri.starts_with('/') ? "file" : "";
    }
    std::string scheme = uri.substr(0, end);
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return scheme;
}

/// The path of "file:///etc/a", "file://localhost/etc/a" and "/etc/a"; empty for another host's.
std::string local_path_of(const std::string& uri) {
    if (uri.starts_with('/')) {
        return uri;
    }
    auto rest = uri.substr(uri.find("://") + 3);
    constexpr std::string_view here = "localhost/";
    if (rest.starts_with(here)) {
        rest.erase(0, here.size() - 1);
    }
    return rest.starts_with('/') ? rest : std::string();
}

/// The last part of the URI's path; empty when there is none.
std::string name_in(const std::string& shown) {
    const auto scheme = shown.find("://");
    const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
    const auto slash = shown.rfind('/');
    const bool has_path = slash != std::string::npos && slash >= begin;
    return has_path ? shown.substr(slash + 1) : std::string();
}

FetchedUse use_of(const FetchItem& item, const std::string& file) {
    constexpr std::array<std::string_view, 8> archives{
        ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"};
    if (item.executable) {
        return FetchedUse::MakeExecutable;
    }
    const bool is_archive = std::any_of(
        archives.begin(), archives.end(), [&file](auto ending) { return file.ends_with(ending); });
    if (item.extract && is_archive) {
        return FetchedUse::Unpack;
    }
    const bool is_gzip = file.ends_with(".gz") && !file.ends_with("/.gz") && file != ".gz";
    return item.extract && is_gzip ? FetchedUse::Gunzip : FetchedUse::Keep;
}

Result<FetchStep> plan_one(const FetchItem& item, const FetchPolicy& policy) {
    FetchStep step;
    const auto begin = item.uri.find_first_not_of(" \t\r\n"); // Mesos passes over it too
    step.uri = begin == std::string::npos ? std::string() : item.uri.substr(begin);
    const auto scheme = scheme_of(step.uri);
    step.local = scheme == "file";
    step.shown = step.local ? step.uri : http::printable_url(step.uri);
    if (step.uri.empty() || has_control(step.uri)) {
        return refuse("a file", "its URI is empty or holds a control character");
    }
    if (!step.local && scheme != "http" && scheme != "https") {
        return refuse(step.shown, "only http://, https:// and file:// can be fetched");
    }
    if (step.local) {
        step.local_path = local_path_of(step.uri);
        if (step.local_path.empty()) {
            return refuse(step.shown, "a file URI names a path of this host: file:///path");
        }
        if (const auto allowed = check_local_path(policy, step.local_path); !allowed) {
            return allowed.error();
        }
    }
    const bool named = !item.output_file.empty();
    const auto parts = parts_inside(named ? item.output_file : name_in(step.shown));
    if (parts.empty()) {
        const std::string why =
            named ? "'" + item.output_file + "' is no path inside the sandbox"
                  : "its path ends in no name for the file; give it one (destPath, output_file)";
        return refuse(step.shown, why);
    }
    for (const auto& part : parts) {
        step.file += (step.file.empty() ? "" : "/") + part;
    }
    step.use = use_of(item, step.file);
    return step;
}

/// Whether `outer` is `inner` or one of the folders above it.
bool holds(const fs::path& outer, const fs::path& inner) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first ==
           outer.end();
}

} // namespace

std::vector<std::string> parts_inside(const std::string& path) {
    std::vector<std::string> parts;
    if (path.empty() || path.front() == '/' || path.back() == '/' || path.size() > path_bytes_max ||
        has_control(path)) {
        return {};
    }
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        auto part = path.substr(begin, end - begin);
        begin = end + 1;
        if (part == ".." || part.size() > name_bytes_max) {
            return {};
        }
        if (!part.empty() && part != ".") {
            parts.push_back(std::move(part));
        }
    }
    return parts;
}

Result<void> check_local_path(const FetchPolicy& policy, const std::string& path) {
    std::error_code unreadable;
    const auto real = fs::weakly_canonical(path, unreadable);
    for (const auto& root : policy.roots) {
        std::error_code missing;
        const auto allowed = fs::weakly_canonical(root, missing);
        if (!unreadable && !missing && holds(allowed, real)) {
            return {};
        }
    }
    return Error(Code::Forbidden,
                 "cannot fetch " + path +
                     ": files of the host are fetched only where the executor's --fetch-root says");
}

Result<std::vector<FetchStep>> plan_fetch(const std::vector<FetchItem>& items,
                                          const FetchPolicy& policy) {
    std::vector<FetchStep> steps;
    for (const auto& item : items) {
        auto step = plan_one(item, policy);
        if (!step) {
            return step.error();
        }
        const bool taken = std::any_of(steps.begin(), steps.end(), [&step](const auto& other) {
            return other.file == step->file;
        });
        if (taken) {
            return refuse(step->shown,
                          "another file to fetch is called '" + step->file +
                              "' too; give one of them another name (destPath, output_file)");
        }
        steps.push_back(std::move(*step));
    }
    return steps;
}

} // namespace methos::executor
