#include "registry-proxy/cache/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace methos::proxy {

namespace {

constexpr std::size_t hex_digits = 64;

bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

void require(int ok, const char* what) {
    if (ok != 1) {
        throw Failure(Code::Internal, std::string("OpenSSL cannot compute SHA-256: ") + what);
    }
}

} // namespace

Result<Digest> Digest::parse(std::string_view text) {
    constexpr std::string_view prefix = "sha256:";
    if (text.substr(0, prefix.size()) != prefix) {
        return Error(Code::InvalidInput,
                     "digest '" + std::string(text.substr(0, 80)) +
                         "' does not start with sha256: (no other algorithm is served)");
    }
    return from_hex(text.substr(prefix.size()));
}

Result<Digest> Digest::from_hex(std::string_view hex) {
    if (hex.size() != hex_digits || !std::all_of(hex.begin(), hex.end(), is_lower_hex)) {
        return Error(Code::InvalidInput,
                     "digest '" + std::string(hex.substr(0, 80)) +
                         "' is not made of 64 lower-case hex digits");
    }
    Digest digest;
    digest.hex_ = std::string(hex);
    return digest;
}

struct Sha256::Context {
    Context() : md(EVP_MD_CTX_new()) {
        if (md == nullptr) {
            throw std::bad_alloc();
        }
    }

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    ~Context() { EVP_MD_CTX_free(md); }

    EVP_MD_CTX* md;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    require(EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr), "init");
}

Sha256::Sha256(const Sha256& other) : context_(std::make_unique<Context>()) {
    require(EVP_MD_CTX_copy_ex(context_->md, other.context_->md), "copy");
}

Sha256& Sha256::operator=(const Sha256& other) {
    if (this != &other) {
        *this = Sha256(other);
    }
    return *this;
}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
    require(EVP_DigestUpdate(context_->md, bytes.data(), bytes.size()), "update");
}

Digest Sha256::digest() const {
    const Sha256 copy(*this);
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int length = 0;
    require(EVP_DigestFinal_ex(copy.context_->md, raw.data(), &length), "final");
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    hex.reserve(hex_digits);
    for (unsigned int i = 0; i < length; ++i) {
        hex += digits[raw[i] >> 4U];
        hex += digits[raw[i] & 15U];
    }
    return Digest::from_hex(hex).value();
}

Digest Sha256::of(std::string_view bytes) {
    Sha256 hasher;
    hasher.update(bytes);
    return hasher.digest();
}

} // namespace methos::proxy
