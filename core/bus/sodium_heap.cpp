// Replaces libsodium's guarded heap in the master. libzmq takes each CURVE connection's keys from
// sodium_allocarray, whose guard pages cost some thirty mprotect calls and their TLB shootdowns per
// handshake: 10,000 executors that come back at once take 7.6 s with it and 4.6 s without. Here the
// keys live on the ordinary heap and are still wiped before they are freed.
//
// The dynamic linker prefers an executable's symbols to a library's, so these take effect where the
// executable exports them: core_bus_sodium_heap_dep links this file whole and exports the three
// names. Not compatible with sodium_mprotect_*, which neither libzmq nor Methos calls.
#include <sodium/utils.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

/// Stands before each block; keeps the block aligned as malloc would.
struct alignas(std::max_align_t) Header {
    std::size_t bytes;
};

} // namespace

extern "C" {

void* sodium_malloc(const std::size_t size) {
    if (size > SIZE_MAX - sizeof(Header)) {
        errno = ENOMEM;
        return nullptr;
    }
    auto* header = static_cast<Header*>(std::malloc(sizeof(Header) + size));
    if (header == nullptr) {
        return nullptr;
    }
    header->bytes = size;
    return header + 1;
}

void* sodium_allocarray(std::size_t count, std::size_t size) {
    if (count > 0 && size >= SIZE_MAX / count) {
        errno = ENOMEM;
        return nullptr;
    }
    return sodium_malloc(count * size);
}

void sodium_free(void* block) {
    if (block == nullptr) {
        return;
    }
    auto* header = static_cast<Header*>(block) - 1;
    sodium_memzero(block, header->bytes);
    std::free(header);
}

} // extern "C"
