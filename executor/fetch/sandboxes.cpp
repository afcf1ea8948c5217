#include "executor/fetch/sandboxes.hpp"

#include "core/base/descriptor.hpp"
#include "core/observe/log.hpp"

#include <boost/asio/post.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

constexpr const char* removed_prefix = ".removed-"; // no container's name begins so
constexpr mode_t folder_mode = 0700;

} // namespace

Sandboxes::Sandboxes(std::string folder, boost::asio::thread_pool& pool)
    : folder_(std::move(folder)), pool_(pool) {}

std::string Sandboxes::path_of(const std::string& name) const {
    return folder_ + "/" + name;
}

std::string Sandboxes::clear_place_for(const std::string& name) {
    if (::mkdir(folder_.c_str(), folder_mode) != 0 && errno != EEXIST) {
        throw_errno("cannot make the folder of sandboxes " + folder_);
    }
    remove(name);
    return path_of(name);
}

void Sandboxes::remove(const std::string& name) {
    constexpr int tries_max = 1000; // names that an earlier executor's removals have left
    const auto path = path_of(name);
    for (int i = 0; i < tries_max; ++i) {
        const auto aside = folder_ + "/" + removed_prefix + std::to_string(++removed_);
        if (::rename(path.c_str(), aside.c_str()) == 0) {
            remove_in_background(aside);
            return;
        }
        if (errno == ENOENT) {
            return;
        }
        if (errno != ENOTEMPTY && errno != EEXIST) {
            break;
        }
    }
    log::warning("cannot remove a sandbox", {{"path", path}});
}

void Sandboxes::collect(const std::set<std::string>& kept) {
    std::error_code missing;
    std::vector<std::string> left;
    for (fs::directory_iterator at(folder_, missing), end; !missing && at != end;
         at.increment(missing)) {
        auto name = at->path().filename().string();
        if (name.starts_with(removed_prefix)) {
            remove_in_background(at->path().string());
        } else if (!kept.contains(name)) {
            left.push_back(std::move(name));
        }
    }
    for (const auto& name : left) {
        log::info("removing a sandbox that no task has any more", {{"sandbox", name}});
        remove(name);
    }
}

void Sandboxes::remove_in_background(const std::string& path) {
    boost::asio::post(pool_, [path] {
        std::error_code failed; // what is left is collected at the next connect to Docker
        fs::remove_all(path, failed);
    });
}

} // namespace methos::executor
