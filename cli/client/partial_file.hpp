// A file that is there whole or not at all: written as PATH.partial, readable by its owner only,
// and renamed when everything is on the disk. Without finish() nothing is left of it.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <string_view>

namespace methos::cli {

class PartialFile {
  public:
    /// Throws Failure with the path and what to do when it cannot be made. A partial file that an
    /// ended command has left is overwritten.
    explicit PartialFile(std::string path);
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile();

    /// Where it is until finish().
    [[nodiscard]] const std::string& partial_path() const noexcept { return partial_; }

    /// Throws Failure(ResourceExhausted) when the disk is full.
    void write(std::string_view bytes);

    /// Syncs and renames; what was at the path before is replaced.
    void finish();

  private:
    [[noreturn]] void fail(const std::string& what) const;

    std::string path_;
    std::string partial_;
    int descriptor_ = -1;
};

} // namespace methos::cli
