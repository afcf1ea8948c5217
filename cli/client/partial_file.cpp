#include "cli/client/partial_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace methos::cli {

PartialFile::PartialFile(std::string path)
    : path_(std::move(path)), partial_(path_ + ".partial"),
      descriptor_(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) {
        fail("create");
    }
    if (::fchmod(descriptor_, 0600) != 0) {
        fail("protect");
    }
}

PartialFile::~PartialFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        ::unlink(partial_.c_str());
    }
}

void PartialFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            fail("write");
        }
        bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
}

void PartialFile::finish() {
    if (::fsync(descriptor_) != 0) {
        fail("write");
    }
    if (::rename(partial_.c_str(), path_.c_str()) != 0) {
        fail("rename");
    }
    ::close(std::exchange(descriptor_, -1));
    const auto folder = std::filesystem::absolute(path_).parent_path();
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        // A file system that cannot sync a folder keeps its names in another way.
        (void)::fsync(directory);
        ::close(directory);
    }
}

void PartialFile::fail(const std::string& what) const {
    const int number = errno;
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    throw Failure(Error(full ? Code::ResourceExhausted : Code::InvalidInput,
                        "cannot " + what + " " + partial_ + ": " +
                            std::generic_category().message(number) +
                            (full ? "; nothing of it is left" : ""),
                        Cause{Cause::Kind::Errno, number}));
}

} // namespace methos::cli
