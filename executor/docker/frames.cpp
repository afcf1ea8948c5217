#include "executor/docker/frames.hpp"

#include "core/base/error.hpp"

#include <algorithm>
#include <utility>

namespace methos::docker {

void FrameParser::feed(std::string_view bytes, std::vector<Frame>& frames) {
    while (!bytes.empty()) {
        if (remaining_ == 0) {
            const auto wanted = std::min(header_bytes - header_size_, bytes.size());
            for (std::size_t i = 0; i < wanted; ++i) {
                header_[header_size_++] = static_cast<unsigned char>(bytes[i]);
            }
            bytes.remove_prefix(wanted);
            if (header_size_ < header_bytes) {
                return;
            }
            begin_frame();
        } else {
            const auto taken = std::min<std::size_t>(remaining_, bytes.size());
            const auto room = payload_bytes_max_ - frame_.payload.size();
            frame_.payload.append(bytes.substr(0, std::min(taken, room)));
            frame_.is_cut = frame_.is_cut || taken > room;
            remaining_ -= static_cast<std::uint32_t>(taken);
            bytes.remove_prefix(taken);
        }
        if (remaining_ == 0) {
            header_size_ = 0;
            frames.push_back(std::exchange(frame_, Frame()));
        }
    }
}

void FrameParser::begin_frame() {
    const std::uint32_t length = (std::uint32_t{header_[4]} << 24U) |
                                 (std::uint32_t{header_[5]} << 16U) |
                                 (std::uint32_t{header_[6]} << 8U) | std::uint32_t{header_[7]};
    const bool legal = header_[0] <= 3 && header_[1] == 0 && header_[2] == 0 && header_[3] == 0 &&
                       length <= frame_bytes_max;
    if (!legal) {
        throw Failure(Code::Protocol,
                      "the Engine's output is not framed; does the container have a tty?");
    }
    frame_.channel = static_cast<Channel>(header_[0]);
    remaining_ = length;
}

} // namespace methos::docker
