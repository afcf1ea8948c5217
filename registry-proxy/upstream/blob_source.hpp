// One transfer of one blob from its upstream, from a given byte on, whatever the upstream makes of
// ranges. Knows nothing of files or readers.
#pragma once

#include "registry-proxy/cache/digest.hpp"
#include "registry-proxy/upstream/client.hpp"

namespace methos::proxy {

/// A blob in a repository of an upstream.
struct BlobName {
    Upstream upstream;
    std::string repository;
    Digest digest;
};

class BlobSource {
  public:
    /// Asks for the blob from `offset` on. An upstream that ignores ranges sends it from the start;
    /// the bytes before `offset` are then read and dropped. Throws RegistryFailure when the
    /// upstream refuses, Failure when it cannot be reached or answers another range than asked.
    [[nodiscard]] static awaitable<std::shared_ptr<BlobSource>>
    open(std::shared_ptr<UpstreamClient> client, BlobName blob, std::uint64_t offset);

    /// The length of the whole blob, if the upstream says it.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return total_; }

    /// The next bytes from `offset` on; nothing at the end of the upstream's body.
    [[nodiscard]] awaitable<std::optional<std::string>> read();

  private:
    std::shared_ptr<UpstreamClient> client_;
    std::shared_ptr<http::ClientStream> stream_;
    std::optional<std::uint64_t> total_;
    std::uint64_t drop_ = 0;
};

} // namespace methos::proxy
