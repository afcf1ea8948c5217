// A folder of a test's own under the system's temporary folder, removed with all it holds.
#pragma once

#include "core/base/ids.hpp"

#include <filesystem>
#include <string>
#include <system_error>

namespace methos::test {

class TemporaryFolder {
  public:
    TemporaryFolder()
        : path_(std::filesystem::temp_directory_path() / ("methos-test-" + random_hex(8))) {
        std::filesystem::create_directory(path_);
    }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// The path of `name` in it, whether it exists or not.
    [[nodiscard]] std::string file(const std::string& name) const {
        return (path_ / name).string();
    }

  private:
    std::filesystem::path path_;
};

} // namespace methos::test
