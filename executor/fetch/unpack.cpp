#include "executor/fetch/unpack.hpp"

#include "core/base/units.hpp"
#include "executor/fetch/fetch_plan.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <vector>

namespace methos::executor {

namespace {

constexpr std::size_t block_bytes = 64 * 1024;
constexpr unsigned permission_bits = 0777;
constexpr unsigned own_folder_bits = 0700; // else what is in it could not be written

struct FreeArchive {
    void operator()(archive* reader) const { archive_read_free(reader); }
};

using Reader = std::unique_ptr<archive, FreeArchive>;

/// One unpacking: what is read, where it goes, and what is left of the limits.
class Unpacking {
  public:
    Unpacking(const SandboxFolder& sandbox,
              const std::string& file,
              const UnpackLimits& limits,
              const std::atomic<bool>& given_up)
        : sandbox_(sandbox), file_(file), limits_(limits), given_up_(given_up),
          source_(sandbox.find_file(parts_inside(file))), reader_(archive_read_new()),
          block_(block_bytes) {
        if (!source_ || !reader_) {
            throw Failure(Code::Internal, file + " is not in the sandbox");
        }
    }

    void read_archives() {
        archive_read_support_format_tar(reader_.get());
        archive_read_support_format_zip(reader_.get());
        archive_read_support_filter_gzip(reader_.get());
        archive_read_support_filter_bzip2(reader_.get());
        archive_read_support_filter_xz(reader_.get());
        open();
    }

    void read_gzip() {
        archive_read_support_format_raw(reader_.get());
        archive_read_support_filter_gzip(reader_.get());
        open();
        if (archive_filter_code(reader_.get(), 0) != ARCHIVE_FILTER_GZIP) {
            refuse("it is no gzip file");
        }
    }

    /// Null at the end.
    archive_entry* next() {
        archive_entry* entry = nullptr;
        const int code = archive_read_next_header(reader_.get(), &entry);
        if (code == ARCHIVE_EOF) {
            return nullptr;
        }
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
            refuse(why());
        }
        if (++entries_ > limits_.entries_max) {
            throw Failure(Code::ResourceExhausted,
                          file_ + " holds more than " + std::to_string(limits_.entries_max) +
                              " files and folders");
        }
        check_given_up();
        return entry;
    }

    void put(archive_entry* entry) {
        const auto name = name_of(entry);
        const auto path = parts_of(name);
        if (path.empty()) {
            return; // "./", the sandbox itself
        }
        if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
            const auto linked = parts_of(target);
            if (linked.empty() || linked == path) {
                refuse("its entry '" + name + "' is a link to nothing");
            }
            sandbox_.make_hardlink(path, linked);
            return;
        }
        const auto mode = static_cast<unsigned>(archive_entry_perm(entry)) & permission_bits;
        switch (archive_entry_filetype(entry)) {
        case AE_IFREG:
            put_file(path, mode);
            return;
        case AE_IFDIR:
            sandbox_.make_folder(path, mode | own_folder_bits);
            return;
        case AE_IFLNK: {
            const char* target = archive_entry_symlink(entry);
            sandbox_.make_symlink(path, target == nullptr ? "" : target);
            return;
        }
        default:
            refuse("its entry '" + name + "' is no file, folder or link");
        }
    }

    void put_file(const InnerPath& path, unsigned mode) {
        const auto out = sandbox_.create_file(path, mode);
        for (;;) {
            check_given_up();
            const auto n = archive_read_data(reader_.get(), block_.data(), block_.size());
            if (n == 0) {
                return;
            }
            if (n < 0) {
                refuse(why());
            }
            const auto size = static_cast<std::size_t>(n);
            if (size > limits_.bytes_max - bytes_) {
                throw Failure(Code::ResourceExhausted,
                              file_ + " unpacks to more than the " +
                                  format_bytes(static_cast<std::int64_t>(limits_.bytes_max)) +
                                  " that are left of the sandbox's limit");
            }
            bytes_ += size;
            write_all(out.get(), std::string_view(block_.data(), size));
        }
    }

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    [[noreturn]] void refuse(const std::string& reason) const {
        throw Failure(Code::InvalidInput, "cannot unpack " + file_ + ": " + reason);
    }

  private:
    void open() {
        if (archive_read_open_fd(reader_.get(), source_.get(), block_bytes) != ARCHIVE_OK) {
            refuse(why());
        }
    }

    void check_given_up() const {
        if (given_up_) {
            throw Failure(Code::Cancelled, "the unpacking of " + file_ + " was given up");
        }
    }

    [[nodiscard]] std::string why() const {
        const char* text = archive_error_string(reader_.get());
        return text == nullptr ? "it is damaged, or no archive" : text;
    }

    [[nodiscard]] std::string name_of(archive_entry* entry) const {
        const char* name = archive_entry_pathname(entry);
        if (name == nullptr) { // not to be said in this process's character set
            name = archive_entry_pathname_utf8(entry);
        }
        if (name == nullptr || *name == '\0') {
            refuse("an entry has no name");
        }
        return name;
    }

    /// Empty for the sandbox itself.
    [[nodiscard]] InnerPath parts_of(std::string name) const {
        const auto given = name;
        while (name.ends_with('/') || name.ends_with("/.")) { // folders
            name.pop_back();
        }
        auto path = parts_inside(name);
        if (path.empty() && name != "." && (!name.empty() || given.starts_with('/'))) {
            refuse("its entry '" + given + "' leads out of the sandbox");
        }
        return path;
    }

    const SandboxFolder& sandbox_;
    const std::string& file_;
    const UnpackLimits& limits_;
    const std::atomic<bool>& given_up_;
    Descriptor source_;
    Reader reader_;
    std::vector<char> block_;
    std::uint64_t bytes_ = 0;
    std::size_t entries_ = 0;
};

} // namespace

std::uint64_t unpack(const SandboxFolder& sandbox,
                     const std::string& file,
                     const UnpackLimits& limits,
                     const std::atomic<bool>& given_up) {
    Unpacking unpacking(sandbox, file, limits, given_up);
    unpacking.read_archives();
    while (auto* entry = unpacking.next()) {
        unpacking.put(entry);
    }
    return unpacking.bytes();
}

std::uint64_t gunzip(const SandboxFolder& sandbox,
                     const std::string& file,
                     const UnpackLimits& limits,
                     const std::atomic<bool>& given_up) {
    constexpr std::size_t ending = 3; // ".gz"
    constexpr unsigned file_mode = 0644;
    Unpacking unpacking(sandbox, file, limits, given_up);
    const auto name = parts_inside(file).back();
    unpacking.read_gzip();
    if (unpacking.next() != nullptr) {
        unpacking.put_file(InnerPath{name.substr(0, name.size() - ending)}, file_mode);
    }
    return unpacking.bytes();
}

} // namespace methos::executor
