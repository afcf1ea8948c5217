// One task's sandbox on the host, written to without ever leaving it: every path is walked part by
// part from the folder's own descriptor and no symbolic link is followed, whatever an archive or
// the task itself has put there. Blocking: used on the fetcher's threads only.
#pragma once

#include "core/base/descriptor.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos::executor {

/// Where in the sandbox: what parts_inside() gives, never empty.
using InnerPath = std::vector<std::string>;

class SandboxFolder {
  public:
    /// Makes the folder, writable for every user of the container as /tmp is; it must not exist.
    /// Throws Failure, as everything here does when the disk or the file system says no.
    [[nodiscard]] static SandboxFolder make(const std::string& path);
    /// One that is there.
    [[nodiscard]] static SandboxFolder open(const std::string& path);

    /// A new, empty file; missing folders above it are made, and what had its name is replaced
    /// unless that is a folder.
    [[nodiscard]] Descriptor create_file(const InnerPath& path, unsigned mode) const;
    void make_folder(const InnerPath& path, unsigned mode) const;
    /// `target` is not looked at: it counts inside of the container only.
    void make_symlink(const InnerPath& path, const std::string& target) const;
    /// A second name of a file of this sandbox.
    void make_hardlink(const InnerPath& path, const InnerPath& target) const;
    void make_executable(const InnerPath& path) const;

    /// For reading; empty when there is no such regular file.
    [[nodiscard]] Descriptor find_file(const InnerPath& path) const;
    /// The text of a small file. Nothing when there is none or it is larger.
    [[nodiscard]] std::optional<std::string> find_text(const InnerPath& path,
                                                       std::size_t bytes_max) const;

  private:
    explicit SandboxFolder(Descriptor folder) : folder_(std::move(folder)) {}

    [[nodiscard]] Descriptor folder_of(const InnerPath& path, bool make) const;
    [[nodiscard]] Descriptor place_for(const InnerPath& path) const;

    Descriptor folder_;
};

/// All of `bytes`. Throws Failure (ResourceExhausted when the disk is full).
void write_all(int descriptor, std::string_view bytes);

} // namespace methos::executor
