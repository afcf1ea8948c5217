#include "executor/tasks/policy.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <system_error>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t shown_bytes_max = 200; // of a path in a message

std::string shown(const std::string& path) {
    return path.size() <= shown_bytes_max ? path : path.substr(0, shown_bytes_max) + "...";
}

Error not_seen(const std::string& path, const std::string& why) {
    return Error(Code::Forbidden, "host path " + shown(path) + " cannot be looked at: " + why);
}

/// As dockerd reads it: without `.`, `..` and what the text says twice.
fs::path clean(const std::string& path) {
    auto cleaned = fs::path(path).lexically_normal();
    return cleaned.has_filename() || cleaned == "/" ? cleaned : cleaned.parent_path();
}

/// Whether `outer` is `inner` or one of the folders above it.
bool holds(const fs::path& outer, const fs::path& inner) {
    const auto ends = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return ends.first == outer.end();
}

bool touches(const fs::path& wanted, const fs::path& kept) {
    return holds(wanted, kept) || holds(kept, wanted);
}

/// Where the path leads; what is not there yet keeps its text. No `..` may be in it: behind a
/// folder that is not there it would be taken by its text, and so lead past a link.
Result<fs::path> follow_links(const fs::path& cleaned) {
    std::error_code unseen;
    auto real = fs::weakly_canonical(cleaned, unseen);
    if (unseen) {
        return not_seen(cleaned.string(), unseen.message());
    }
    fs::path part;
    for (const auto& name : real) {
        part /= name;
        if (fs::is_symlink(fs::symlink_status(part, unseen))) {
            return not_seen(cleaned.string(), "it goes through a link that leads nowhere");
        }
    }
    return real;
}

/// Judges a cleaned path as it stands; `asked` is what the task has called it.
Result<void> judge(const Policy& policy, const fs::path& path, const std::string& asked) {
    if (path == "/") {
        return Error(Code::Forbidden, "the host's root folder may not be mounted");
    }
    for (const auto& forbidden : policy.forbidden_paths) {
        if (touches(path, clean(forbidden))) {
            return Error(Code::Forbidden,
                         "host path " + shown(asked) + " may not be mounted: it gives access to " +
                             forbidden);
        }
    }
    return {};
}

} // namespace

std::vector<std::string> forbidden_host_paths(const std::string& docker_socket,
                                              const std::string& root_dir) {
    std::vector<std::string> paths = {docker_socket,
                                      "/run/docker.sock",
                                      "/var/run/docker.sock",
                                      "/run/docker", // the usual exec-root
                                      "/var/run/docker",
                                      "/run/containerd", // its socket is as good as Docker's
                                      "/var/run/containerd",
                                      "/var/lib/containerd",
                                      "/var/lib/methos"}; // the tokens and keys of our daemons
    paths.push_back(root_dir.empty() ? "/var/lib/docker" : root_dir);
    return paths;
}

Result<void> check_host_path(const Policy& policy, const std::string& path) {
    if (path.size() >= PATH_MAX) {
        return not_seen(path, std::generic_category().message(ENAMETOOLONG));
    }
    if (path.find('\0') != std::string::npos) {
        return not_seen(path, "it holds a zero byte");
    }
    return judge(policy, clean(path), path);
}

Result<std::string> resolve_host_path(const Policy& policy, const std::string& path) {
    if (const auto allowed = check_host_path(policy, path); !allowed) {
        return allowed.error();
    }
    const auto real = follow_links(clean(path));
    if (!real) {
        return real.error();
    }
    Policy resolved = policy; // both ways to say it: a link may have been made anew meanwhile
    for (const auto& forbidden : policy.forbidden_paths) {
        if (const auto kept = follow_links(clean(forbidden))) {
            resolved.forbidden_paths.push_back(kept->string());
        }
    }
    if (const auto allowed = judge(resolved, *real, path); !allowed) {
        return allowed.error();
    }
    return real->string();
}

} // namespace methos::executor
