// What this process writes to stderr while the object lives, logs included, in a file instead. For
// tests of what is said and what is not; one at a time.
#pragma once

#include "tests/support/temporary_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace methos::test {

class CapturedStderr {
  public:
    CapturedStderr() : kept_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
        const int file =
            ::open(path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (kept_ < 0 || file < 0 || ::dup2(file, STDERR_FILENO) < 0) {
            throw std::runtime_error("cannot redirect stderr");
        }
        ::close(file);
    }

    CapturedStderr(const CapturedStderr&) = delete;
    CapturedStderr& operator=(const CapturedStderr&) = delete;

    ~CapturedStderr() {
        (void)std::fflush(stderr);
        ::dup2(kept_, STDERR_FILENO);
        ::close(kept_);
    }

    /// All that was written so far.
    [[nodiscard]] std::string text() const {
        (void)std::fflush(stderr);
        std::ostringstream all;
        all << std::ifstream(path()).rdbuf();
        return all.str();
    }

  private:
    [[nodiscard]] std::string path() const { return folder_.file("stderr"); }

    TemporaryFolder folder_;
    int kept_;
};

} // namespace methos::test
