// The state of one blob on its way from an upstream into the cache, and what its readers may see of
// it. Pure: the bytes are moved by upstream/blob_fills.
//
//   Connecting --head--> Receiving --all, hash right--> Verified
//                            |-- disk full --> Detached (readers go on by themselves)
//        any ----------------+-- error, hash wrong --> Failed
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace methos::proxy {

/// The end of a body that no client gets before the whole body's hash is known to be right: a body
/// with a wrong digest is never completed to anybody.
constexpr std::uint64_t held_back_bytes = 64 * 1024;

class FillState {
  public:
    enum class Phase { Connecting, Receiving, Verified, Failed, Detached };

    [[nodiscard]] Phase phase() const noexcept { return phase_; }

    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

    /// The whole length, when the upstream said it or the body has ended.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return total_; }

    /// The head of an answer came. False when it contradicts an earlier one: another length.
    [[nodiscard]] bool begin(std::optional<std::uint64_t> total) {
        if (phase_ == Phase::Connecting) {
            phase_ = Phase::Receiving;
        }
        if (total_ && total && *total != *total_) {
            return false;
        }
        if (total) {
            total_ = total;
        }
        return true;
    }

    /// `bytes` more are in the file. False when they are more than was announced.
    [[nodiscard]] bool receive(std::uint64_t bytes) {
        received_ += bytes;
        return !total_ || received_ <= *total_;
    }

    /// The upstream's body ended: is that all of it?
    [[nodiscard]] bool is_whole() const { return !total_ || received_ == *total_; }

    void verified() {
        total_ = received_;
        phase_ = Phase::Verified;
    }

    void fail() { phase_ = Phase::Failed; }

    void detach() { phase_ = Phase::Detached; }

    [[nodiscard]] bool ended() const {
        return phase_ == Phase::Verified || phase_ == Phase::Failed || phase_ == Phase::Detached;
    }

    /// How many bytes from the start readers may have.
    [[nodiscard]] std::uint64_t readable() const {
        if (phase_ == Phase::Verified) {
            return received_;
        }
        if (phase_ == Phase::Failed) {
            return 0;
        }
        const auto end = total_.value_or(received_);
        return std::min(received_, end > held_back_bytes ? end - held_back_bytes : 0);
    }

    /// A body that is held back as a whole can be answered with a proper status when it fails.
    [[nodiscard]] bool is_small() const { return total_ && *total_ <= held_back_bytes; }

  private:
    Phase phase_ = Phase::Connecting;
    std::uint64_t received_ = 0;
    std::optional<std::uint64_t> total_;
};

} // namespace methos::proxy
