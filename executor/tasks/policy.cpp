#include "executor/tasks/policy.hpp"

#include <algorithm>
#include <filesystem>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

fs::path real_path(const std::string& path) {
    std::error_code unreadable;
    auto real = fs::weakly_canonical(path, unreadable);
    return unreadable ? fs::path(path).lexically_normal() : real;
}

/// Whether `outer` is `inner` or one of the folders above it.
bool holds(const fs::path& outer, const fs::path& inner) {
    const auto ends = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return ends.first == outer.end();
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
                                      "/var/lib/containerd"};
    paths.push_back(root_dir.empty() ? "/var/lib/docker" : root_dir);
    return paths;
}

Result<void> check_host_path(const Policy& policy, const std::string& path) {
    const auto wanted =
        real_path(path.size() > 1 && path.back() == '/' ? path.substr(0, path.size() - 1) : path);
    if (wanted == "/") {
        return Error(Code::Forbidden, "the host's root folder may not be mounted");
    }
    for (const auto& forbidden : policy.forbidden_paths) {
        const auto kept = real_path(forbidden);
        if (holds(wanted, kept) || holds(kept, wanted)) {
            return Error(Code::Forbidden,
                         "host path " + path + " may not be mounted: it gives access to " +
                             forbidden);
        }
    }
    return {};
}

} // namespace methos::executor
