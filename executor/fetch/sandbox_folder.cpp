#include "executor/fetch/sandbox_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace methos::executor {

namespace {

constexpr mode_t sandbox_mode = 01777; // the container's user need not be root
constexpr mode_t folder_mode = 0755;
constexpr mode_t executable_mode = 0755;
constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string printed(const InnerPath& path) {
    std::string text;
    for (const auto& part : path) {
        text += (text.empty() ? "" : "/") + part;
    }
    return text;
}

/// Empty when `name` is not a folder (any more); throws for anything else.
Descriptor open_folder(int above, const std::string& name) {
    Descriptor folder(::openat(above, name.c_str(), folder_flags));
    if (!folder && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
        throw_errno("cannot open " + name + " in the sandbox");
    }
    return folder;
}

} // namespace

SandboxFolder SandboxFolder::make(const std::string& path) {
    if (::mkdir(path.c_str(), sandbox_mode) != 0) {
        throw_errno("cannot make the sandbox " + path);
    }
    auto sandbox = open(path);
    if (::fchmod(sandbox.folder_.get(), sandbox_mode) != 0) { // whatever the umask took away
        throw_errno("cannot set the mode of the sandbox " + path);
    }
    return sandbox;
}

SandboxFolder SandboxFolder::open(const std::string& path) {
    Descriptor folder(::open(path.c_str(), folder_flags));
    if (!folder) {
        throw_errno("cannot open the sandbox " + path);
    }
    return SandboxFolder(std::move(folder));
}

/// The folder that a path's last part is in.
Descriptor SandboxFolder::folder_of(const InnerPath& path, bool make) const {
    Descriptor folder(::openat(folder_.get(), ".", folder_flags));
    if (!folder) {
        throw_errno("cannot open the sandbox");
    }
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
        auto next = open_folder(folder.get(), path[i]);
        if (!next && make) {
            if (::mkdirat(folder.get(), path[i].c_str(), folder_mode) != 0) {
                throw_errno("cannot make the folder of " + printed(path) + " in the sandbox");
            }
            next = open_folder(folder.get(), path[i]);
            if (next && ::fchmod(next.get(), folder_mode) != 0) { // whatever the umask took away
                throw_errno("cannot set the mode of a folder of the sandbox");
            }
        }
        if (!next) {
            return next;
        }
        folder = std::move(next);
    }
    return folder;
}

/// The same, with the last part's name free.
Descriptor SandboxFolder::place_for(const InnerPath& path) const {
    auto folder = folder_of(path, true);
    if (!folder || (::unlinkat(folder.get(), path.back().c_str(), 0) != 0 && errno != ENOENT)) {
        throw_errno("cannot write " + printed(path) + " in the sandbox");
    }
    return folder;
}

Descriptor SandboxFolder::create_file(const InnerPath& path, unsigned mode) const {
    const auto folder = place_for(path);
    Descriptor file(::openat(folder.get(),
                             path.back().c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             static_cast<mode_t>(mode)));
    if (!file || ::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) {
        throw_errno("cannot write " + printed(path) + " in the sandbox");
    }
    return file;
}

void SandboxFolder::make_folder(const InnerPath& path, unsigned mode) const {
    const auto above = folder_of(path, true);
    const auto* name = path.back().c_str();
    const bool made = ::mkdirat(above.get(), name, static_cast<mode_t>(mode)) == 0;
    if (!made && errno != EEXIST) {
        throw_errno("cannot make the folder " + printed(path) + " in the sandbox");
    }
    const auto folder = open_folder(above.get(), path.back());
    if (!folder || ::fchmod(folder.get(), static_cast<mode_t>(mode)) != 0) {
        throw_errno("cannot make the folder " + printed(path) + " in the sandbox");
    }
}

void SandboxFolder::make_symlink(const InnerPath& path, const std::string& target) const {
    const auto folder = place_for(path);
    if (::symlinkat(target.c_str(), folder.get(), path.back().c_str()) != 0) {
        throw_errno("cannot make the link " + printed(path) + " in the sandbox");
    }
}

void SandboxFolder::make_hardlink(const InnerPath& path, const InnerPath& target) const {
    const auto from = folder_of(target, false);
    const auto to = place_for(path);
    // Without AT_SYMLINK_FOLLOW a link to a link is one to the link itself.
    if (!from ||
        ::linkat(from.get(), target.back().c_str(), to.get(), path.back().c_str(), 0) != 0) {
        throw_errno("cannot make the link " + printed(path) + " in the sandbox");
    }
}

void SandboxFolder::make_executable(const InnerPath& path) const {
    const auto file = find_file(path);
    if (!file || ::fchmod(file.get(), executable_mode) != 0) {
        throw_errno("cannot make " + printed(path) + " executable");
    }
}

Descriptor SandboxFolder::find_file(const InnerPath& path) const {
    const auto folder = folder_of(path, false);
    if (!folder) {
        return {};
    }
    // O_NONBLOCK: a fifo of that name must not hold us up.
    Descriptor file(::openat(
        folder.get(), path.back().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));

    struct stat about {};

    if (!file || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
        return {};
    }
    return file;
}

std::optional<std::string> SandboxFolder::find_text(const InnerPath& path,
                                                    std::size_t bytes_max) const {
    const auto file = find_file(path);
    if (!file) {
        return std::nullopt;
    }
    std::string text(bytes_max + 1, '\0');
    std::size_t used = 0;
    while (used < text.size()) {
        const auto n = ::read(file.get(), text.data() + used, text.size() - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        used += static_cast<std::size_t>(n);
    }
    if (used > bytes_max) {
        return std::nullopt;
    }
    text.resize(used);
    return text;
}

void write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            throw_errno("cannot write to the sandbox");
        }
        if (written > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }
}

} // namespace methos::executor
