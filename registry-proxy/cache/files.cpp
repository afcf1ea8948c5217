#include "registry-proxy/cache/files.hpp"

#include "core/base/ids.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace methos::proxy {

namespace {

void sync_folder(const std::filesystem::path& folder) {
    const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor || ::fsync(descriptor.get()) != 0) {
        throw_errno("cannot sync the folder " + folder.string());
    }
}

} // namespace

TempFile::TempFile(std::filesystem::path path) : path_(std::move(path)) {
    descriptor_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!descriptor_) {
        throw_errno("cannot create " + path_.string());
    }
}

TempFile::TempFile(TempFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::move(other.descriptor_)) {
    other.path_.clear();
}

TempFile::~TempFile() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

void TempFile::write_at(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written =
            ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            throw_errno("cannot write " + path_.string());
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
}

void TempFile::commit(const std::filesystem::path& place) {
    if (::fsync(descriptor_.get()) != 0) {
        throw_errno("cannot sync " + path_.string());
    }
    rename_to(place);
    sync_folder(place.parent_path());
}

void TempFile::rename_to(const std::filesystem::path& place) {
    std::error_code error; // a folder that could not be made shows in rename
    std::filesystem::create_directories(place.parent_path(), error);
    if (::rename(path_.c_str(), place.c_str()) != 0) {
        throw_errno("cannot rename " + path_.string() + " to " + place.string());
    }
    path_.clear();
}

std::string read_at(int descriptor, std::uint64_t offset, std::size_t length) {
    std::string bytes(length, '\0');
    std::size_t got = 0;
    while (got < length) {
        const auto n =
            ::pread(descriptor, bytes.data() + got, length - got, static_cast<off_t>(offset + got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw_errno("cannot read a cached file");
        }
        if (n == 0) {
            break;
        }
        got += static_cast<std::size_t>(n);
    }
    bytes.resize(got);
    return bytes;
}

std::optional<std::string> read_file(const std::filesystem::path& path, std::size_t max) {
    const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return std::nullopt;
        }
        throw_errno("cannot open " + path.string());
    }

    struct stat status {};

    if (::fstat(descriptor.get(), &status) != 0) {
        throw_errno("cannot stat " + path.string());
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > max) {
        throw Failure(Code::ResourceExhausted,
                      path.string() + " is larger than " + std::to_string(max) + " bytes");
    }
    return read_at(descriptor.get(), 0, size);
}

void write_file(const std::filesystem::path& path, std::string_view bytes, bool durable) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    TempFile file(path.parent_path() / ("." + random_hex(8) + ".tmp"));
    file.write_at(0, bytes);
    if (durable) {
        file.commit(path);
        return;
    }
    file.rename_to(path);
}

} // namespace methos::proxy
