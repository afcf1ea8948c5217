#include "core/base/ids.hpp"

#include "core/base/error.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace methos {

namespace {

std::vector<std::uint8_t> random_bytes(std::size_t count) {
    std::vector<std::uint8_t> bytes(count);
    std::size_t filled = 0;
    while (filled < count) {
        const auto got = ::getrandom(bytes.data() + filled, count - filled, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            throw Failure(Code::Internal, "the kernel gives no random bytes (getrandom failed)");
        }
        filled += static_cast<std::size_t>(got);
    }
    return bytes;
}

std::string to_hex(const std::vector<std::uint8_t>& bytes) {
    static constexpr std::array<char, 17> digits{"0123456789abcdef"};
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const auto byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 0x0fU];
    }
    return text;
}

} // namespace

std::string random_hex(std::size_t bytes) {
    return to_hex(random_bytes(bytes));
}

std::string random_uuid() {
    auto bytes = random_bytes(16);
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
    auto text = to_hex(bytes);
    for (const std::size_t at :
         {std::size_t{8}, std::size_t{13}, std::size_t{18}, std::size_t{23}}) {
        text.insert(at, "-");
    }
    return text;
}

} // namespace methos
