// Follows one pull by the lines of its stream: layers and bytes, the digest, the error that comes
// inside a 200, and whether anything real still happens. Pure: time comes in.
#pragma once

#include "core/base/clock.hpp"
#include "executor/docker/values.hpp"

#include <map>
#include <optional>
#include <string>

namespace methos::docker {

class PullParser {
  public:
    /// Takes one line. True when the progress changed visibly. Throws Failure(Protocol) when it is
    /// not JSON, or names more layers than an image can have.
    bool take_line(const std::string& line);

    [[nodiscard]] const PullProgress& progress() const noexcept { return progress_; }

    /// The text of errorDetail; the Engine ends the stream after it.
    [[nodiscard]] const std::optional<std::string>& error() const noexcept { return error_; }

    /// "sha256:..." of the manifest; empty before the Engine told it.
    [[nodiscard]] const std::string& digest() const noexcept { return digest_; }

    /// Whether a layer had to be fetched: otherwise the Engine had all of it before.
    [[nodiscard]] bool is_new() const noexcept { return is_new_; }

  private:
    struct Layer {
        std::int64_t download_done = 0;
        std::int64_t download_total = 0;
        std::int64_t unpack_done = 0;
        int stage = 0;
        bool sized = false; ///< the Engine told its size, or has all of it
        bool done = false;
    };

    void
    take_layer(Layer& layer, const std::string& status, std::int64_t current, std::int64_t total);
    void sum_up();

    std::map<std::string, Layer> layers_;
    PullProgress progress_;
    std::optional<std::string> error_;
    std::string digest_;
    bool is_new_ = false;
};

/// Decides when a pull that still talks has stopped moving.
class StallWatch {
  public:
    explicit StallWatch(Duration limit) : limit_(limit) {}

    /// After each line: the measure of progress and the time. True: give it up.
    [[nodiscard]] bool is_stalled(std::uint64_t work, MonoTime now);

  private:
    Duration limit_;
    std::uint64_t work_ = 0;
    std::optional<MonoTime> idle_since_; ///< the first line that brought nothing
};

} // namespace methos::docker
