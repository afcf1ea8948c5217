#include "core/base/descriptor.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace methos {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
}

Descriptor::~Descriptor() {
    if (number_ >= 0) {
        ::close(number_);
    }
}

void throw_errno(const std::string& what) {
    const int number = errno;
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    throw Failure(Error(full ? Code::ResourceExhausted : Code::Internal,
                        what + ": " + std::system_category().message(number),
                        Cause{Cause::Kind::Errno, number}));
}

} // namespace methos
