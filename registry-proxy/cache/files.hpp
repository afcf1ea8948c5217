// The few file operations the cache is made of: whole reads, and writes that are either there
// completely or not at all. Blocking; durable steps are run on the pool by the
// callers.
#pragma once

#include "core/base/descriptor.hpp"
#include "core/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace methos::proxy {

/// A file under construction; removed unless it is renamed to its place.
class TempFile {
  public:
    /// Throws Failure (ResourceExhausted when the disk is full).
    explicit TempFile(std::filesystem::path path);
    TempFile(TempFile&& other) noexcept;
    TempFile& operator=(TempFile&&) = delete;
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    ~TempFile();

    [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

    /// Writes at `offset`; doing it again after a failure is harmless. Throws Failure
    /// (ResourceExhausted when the disk is full).
    void write_at(std::uint64_t offset, std::string_view bytes);

    /// Makes it durable and gives it its name. Throws Failure.
    void commit(const std::filesystem::path& place);
    /// Gives it its name; after a power loss it may be gone. Throws Failure.
    void rename_to(const std::filesystem::path& place);

  private:
    std::filesystem::path path_;
    Descriptor descriptor_;
};

/// Up to `length` bytes at `offset`; short at the end of the file. Throws Failure.
[[nodiscard]] std::string read_at(int descriptor, std::uint64_t offset, std::size_t length);

/// The whole file, or nothing when there is none. Throws Failure for other errors or above `max`.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path,
                                                   std::size_t max);

/// Replaces a small file at once; durable when `durable`. Throws Failure.
void write_file(const std::filesystem::path& path, std::string_view bytes, bool durable);

} // namespace methos::proxy
