#include "executor/tasks/docker_age.hpp"

#include "core/base/units.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>

namespace methos::executor {

namespace {

WallTime changed_at(const std::string& path) {
    struct stat found {};

    if (::stat(path.c_str(), &found) != 0) {
        return {};
    }
    const auto since = std::chrono::seconds(found.st_mtim.tv_sec) +
                       std::chrono::nanoseconds(found.st_mtim.tv_nsec);
    return WallTime(std::chrono::duration_cast<WallTime::duration>(since));
}

/// Empty when there is none.
std::string first_word_of(const std::string& path) {
    std::string word;
    std::ifstream(path) >> word;
    return word;
}

/// A pid file stays behind when dockerd is killed.
bool names_a_dockerd(const std::string& pid_file, const std::string& proc_dir) {
    const auto pid =
        parse_int(first_word_of(pid_file), 1, std::numeric_limits<std::int32_t>::max());
    return pid && first_word_of(proc_dir + "/" + std::to_string(*pid) + "/comm") == "dockerd";
}

} // namespace

WallTime docker_listens_since(const std::string& socket_path, const std::string& proc_dir) {
    const auto pid_file = std::filesystem::path(socket_path).replace_extension(".pid").string();
    const auto socket_made = changed_at(socket_path);
    return names_a_dockerd(pid_file, proc_dir) ? std::max(socket_made, changed_at(pid_file))
                                               : socket_made;
}

} // namespace methos::executor
