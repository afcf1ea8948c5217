#include "master/shell/secrets.hpp"

#include "core/base/ids.hpp"
#include "core/state/state_file.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace methos::master {

namespace {

constexpr std::size_t secret_bytes = 32;

[[noreturn]] void fail_on(const std::string& what, const std::string& path) {
    const int number = errno;
    const auto code =
        number == ENOSPC || number == EDQUOT ? Code::ResourceExhausted : Code::Internal;
    const char* advice =
        code == Code::ResourceExhausted ? "; free space there, or give another --data-dir" : "";
    throw Failure(Error(code,
                        "cannot " + what + " " + path + ": " +
                            std::strerror(number) + // NOLINT(concurrency-mt-unsafe)
                            advice,
                        Cause{Cause::Kind::Errno, number}));
}

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail_on("read", path);
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Makes a rename durable: without it a power cut may bring the old name back.
void sync_folder_of(const std::string& path) {
    const auto folder = path.substr(0, path.rfind('/'));
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        fail_on("open", folder);
    }
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    if (!synced) {
        fail_on("sync", folder);
    }
}

/// Writes a secret so that it is there whole or not at all, and readable by its owner only.
void write_secret(const std::string& path, const std::string& text) {
    const auto temporary = path + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        fail_on("create", temporary);
    }
    errno = ENOSPC; // what a write that stops half-way means; it sets no errno
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fchmod(file, 0600) == 0 && ::fsync(file) == 0;
    if (!written) {
        const int number = errno;
        ::close(file);
        ::unlink(temporary.c_str());
        errno = number;
        fail_on("write", temporary);
    }
    ::close(file);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        fail_on("rename", temporary);
    }
    sync_folder_of(path);
}

std::string without_newline(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

std::string key_path(const std::string& data_dir) {
    return data_dir + "/bus.key";
}

[[noreturn]] void refuse_lost_state(const std::string& data_dir, const std::string& what) {
    throw Failure(
        Code::Conflict,
        data_dir + " holds the key of a cluster (bus.key), but its state.db " + what +
            ": the state was lost. Bring it back: methos snapshot restore FILE --data-dir " +
            data_dir +
            " --force, or put a copy of state.db there. Only to begin a new cluster, "
            "remove bus.key and join.token as well: every host then has to join again with the new "
            "token");
}

} // namespace

void make_data_dir(const std::string& data_dir) {
    std::string path;
    std::istringstream parts(data_dir);
    std::string part;
    if (data_dir.empty()) {
        throw Failure(Code::InvalidInput, "--data-dir must not be empty");
    }
    path = data_dir.front() == '/' ? "" : ".";
    bool made = false;
    while (std::getline(parts, part, '/')) {
        if (part.empty()) {
            continue;
        }
        path += "/" + part;
        made = ::mkdir(path.c_str(), 0755) == 0;
        if (!made && errno != EEXIST) {
            fail_on("create the data directory", path);
        }
    }
    // Only what was just made is closed to others: an existing folder may be everybody's.
    if (made && ::chmod(data_dir.c_str(), 0700) != 0) {
        fail_on("protect the data directory", data_dir);
    }
}

std::optional<ClusterSecrets> find_cluster_secrets(const std::string& data_dir) {
    const auto path = key_path(data_dir);
    const auto text = read_file(path);
    if (!text) {
        return std::nullopt;
    }
    std::istringstream lines(*text);
    ClusterSecrets secrets;
    std::getline(lines, secrets.keys.secret_key);
    std::getline(lines, secrets.join_secret);
    auto public_key = bus::public_key_of(secrets.keys.secret_key);
    if (!public_key || secrets.join_secret.empty()) {
        throw Failure(Code::InvalidInput,
                      path + " is damaged: restore it, or remove it and join every host again "
                             "with the new token");
    }
    secrets.keys.public_key = std::move(*public_key);
    return secrets;
}

ClusterSecrets make_cluster_secrets(const std::string& data_dir) {
    ClusterSecrets secrets{bus::make_curve_keys(), random_hex(secret_bytes)};
    write_secret(key_path(data_dir), secrets.keys.secret_key + "\n" + secrets.join_secret + "\n");
    return secrets;
}

void require_state_of_keys(const std::string& data_dir) {
    struct ::stat found {};

    const auto path = data_dir + "/" + state::state_file_name;
    if (::stat(path.c_str(), &found) == 0) {
        if (found.st_size == 0) {
            refuse_lost_state(data_dir, "is empty");
        }
    } else if (errno == ENOENT) {
        refuse_lost_state(data_dir, "is missing");
    } else {
        fail_on("look at", path);
    }
}

void refuse_state_without_cluster(const std::string& data_dir) {
    refuse_lost_state(data_dir, "holds no cluster");
}

std::string load_admin_token(const std::string& data_dir) {
    const auto path = data_dir + "/admin.token";
    if (const auto text = read_file(path)) {
        auto token = without_newline(*text);
        if (token.size() < 16) {
            throw Failure(Code::InvalidInput,
                          path + " holds no usable token (16 characters at least): remove the file "
                                 "to get a new one");
        }
        return token;
    }
    auto token = random_hex(secret_bytes);
    write_secret(path, token + "\n");
    return token;
}

void write_join_token(const std::string& data_dir, const std::string& token) {
    const auto path = data_dir + "/join.token";
    const auto text = token + "\n";
    if (read_file(path) == text) {
        return; // as at most starts: nothing to write, so a full disk is no matter
    }
    write_secret(path, text);
}

bool equal_secrets(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string digest_of(std::string_view secret) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (EVP_Digest(secret.data(), secret.size(), digest.data(), &length, EVP_sha256(), nullptr) !=
        1) {
        throw Failure(Code::Internal, "SHA-256 is not available");
    }
    static constexpr std::array<char, 17> digits{"0123456789abcdef"};
    std::string text;
    for (unsigned int i = 0; i < length; ++i) {
        text += digits.at(digest.at(i) >> 4U);
        text += digits.at(digest.at(i) & 0x0fU);
    }
    return text;
}

} // namespace methos::master
