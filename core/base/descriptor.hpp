// An owned file descriptor, and what a failed system call on one means. Nothing else: what is done
// with it is its owner's business.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <utility>

namespace methos {

/// Closed when it is destroyed. Empty when it holds no number from 0 on.
class Descriptor {
  public:
    Descriptor() = default;

    explicit Descriptor(int number) : number_(number) {}

    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();

    [[nodiscard]] int get() const noexcept { return number_; }

    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    explicit operator bool() const noexcept { return number_ >= 0; }

  private:
    int number_ = -1;
};

/// Throws what errno says as Failure: "<what>: No space left on device". ResourceExhausted when the
/// disk, a quota or the size of a file is the limit, else Internal; the cause is the errno.
[[noreturn]] void throw_errno(const std::string& what);

} // namespace methos
