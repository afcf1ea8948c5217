// Names of content: sha256 digests as registries write them, and the hasher that makes them.
// Pure; OpenSSL's EVP stays inside digest.cpp.
#pragma once

#include "core/base/error.hpp"

#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace methos::proxy {

/// "sha256:<64 lower-case hex digits>". Other algorithms are refused by parse().
class Digest {
  public:
    /// Errors: InvalidInput, with what is wrong in the text.
    [[nodiscard]] static Result<Digest> parse(std::string_view text);
    /// From the bare 64 digits, as file names hold them.
    [[nodiscard]] static Result<Digest> from_hex(std::string_view hex);

    [[nodiscard]] const std::string& hex() const noexcept { return hex_; }

    [[nodiscard]] std::string to_string() const { return "sha256:" + hex_; }

    friend auto operator<=>(const Digest&, const Digest&) = default;
    friend bool operator==(const Digest&, const Digest&) = default;

  private:
    std::string hex_;
};

/// A running SHA-256. Copies continue from the same point, which is how a reader that leaves a
/// broken fill goes on by itself.
class Sha256 {
  public:
    Sha256();
    Sha256(const Sha256& other);
    Sha256& operator=(const Sha256& other);
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(std::string_view bytes);
    /// The digest of what came so far; more may follow.
    [[nodiscard]] Digest digest() const;

    [[nodiscard]] static Digest of(std::string_view bytes);

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

} // namespace methos::proxy

template <>
struct std::hash<methos::proxy::Digest> {
    std::size_t operator()(const methos::proxy::Digest& digest) const noexcept {
        return std::hash<std::string>{}(digest.hex());
    }
};
