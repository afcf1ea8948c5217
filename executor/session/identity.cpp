#include "executor/session/identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

constexpr const char* id_file_name = "host.id";
constexpr std::size_t id_bytes = 16;
constexpr std::size_t key_bytes = 32;
constexpr std::size_t file_bytes_max = 4096;

[[noreturn]] void fail(const std::string& what, const fs::path& path, int number) {
    throw Failure(Error(Code::Internal,
                        what + " " + path.string() + ": " + std::strerror(number),
                        Cause{Cause::Kind::Errno, number}));
}

std::optional<std::string> load(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail("cannot read", path, errno);
    }
    std::string text(file_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

/// Temporary file, fsync, rename: after a crash the file is whole or absent.
void save(const fs::path& path, const std::string& text) {
    const auto temporary = path.string() + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        fail("cannot write", temporary, errno);
    }
    const auto line = text + "\n";
    const bool written =
        ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
        ::fsync(file) == 0;
    const int number = errno;
    ::close(file);
    if (!written) {
        fail("cannot write", temporary, number);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        fail("cannot write", path, errno);
    }
}

template <class Make>
std::string load_or_make(const fs::path& path, const Make& make) {
    if (auto known = load(path)) {
        return *known;
    }
    auto fresh = make();
    save(path, fresh);
    return fresh;
}

bool is_hex(const std::string& text, std::size_t bytes) {
    return text.size() == 2 * bytes &&
           text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void check_hex(const std::string& text, std::size_t bytes, const fs::path& path) {
    if (!is_hex(text, bytes)) {
        throw Failure(Code::InvalidInput,
                      path.string() +
                          " is damaged; restore it, or remove it to join as a new host");
    }
}

} // namespace

bool is_host_id(const std::string& text) {
    return is_hex(text, id_bytes);
}

bool has_host_id(const std::string& data_dir) {
    std::error_code error;
    return fs::exists(fs::path(data_dir) / id_file_name, error);
}

HostIdentity load_or_make_identity(const std::string& data_dir, const std::string& known_id) {
    const fs::path folder(data_dir);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
        fail("cannot make the data directory", folder, error.value());
    }
    ::chmod(folder.c_str(), 0700);

    HostIdentity identity;
    const auto id_file = folder / id_file_name;
    identity.id = HostId(load_or_make(
        id_file, [&known_id] { return known_id.empty() ? random_hex(id_bytes) : known_id; }));
    check_hex(identity.id.value, id_bytes, id_file);

    const auto key_file = folder / "host.key";
    identity.key = load_or_make(key_file, [] { return random_hex(key_bytes); });
    check_hex(identity.key, key_bytes, key_file);

    const auto curve_file = folder / "curve.key";
    identity.curve.secret_key =
        load_or_make(curve_file, [] { return bus::make_curve_keys().secret_key; });
    const auto public_key = bus::public_key_of(identity.curve.secret_key);
    if (!public_key) {
        throw Failure(Code::InvalidInput,
                      curve_file.string() + " is damaged; remove it and a new key is made");
    }
    identity.curve.public_key = *public_key;
    return identity;
}

} // namespace methos::executor
