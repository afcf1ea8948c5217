// The Engine's framing of a container's output without a tty: [channel,0,0,0,length BE32] payload,
// cut anywhere. Pure and bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace methos::docker {

enum class Channel : std::uint8_t { In = 0, Out = 1, Err = 2, System = 3 };

struct Frame {
    Channel channel = Channel::Out;
    std::string payload; ///< at most the parser's payload_bytes_max
    bool is_cut = false; ///< there was more, and it was dropped
};

class FrameParser {
  public:
    /// A frame that says it is longer is no frame.
    static constexpr std::uint32_t frame_bytes_max = 16 * 1024 * 1024;

    explicit FrameParser(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

    /// Appends the frames that are complete with these bytes. Throws Failure(Protocol) when the
    /// bytes are no frames (a tty's output read as frames looks so).
    void feed(std::string_view bytes, std::vector<Frame>& frames);

    /// The stream may end here: no frame is half read.
    [[nodiscard]] bool is_between_frames() const noexcept {
        return header_size_ == 0 && remaining_ == 0;
    }

  private:
    static constexpr std::size_t header_bytes = 8;

    void begin_frame();

    std::size_t payload_bytes_max_;
    std::array<unsigned char, header_bytes> header_{};
    std::size_t header_size_ = 0;
    std::uint32_t remaining_ = 0;
    Frame frame_;
};

} // namespace methos::docker
