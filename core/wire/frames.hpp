// The frame both ends of the bus exchange: reading bytes into a checked Frame, making frames, and
// the limits of both. Entities inside (hosts, specs, launches, statuses) are checked by
// mapping.hpp. Pure.
#pragma once

#include "core/base/error.hpp"
#include "core/wire/bus.pb.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace methos::wire {

constexpr std::uint32_t protocol_version = 1;
constexpr std::size_t frame_bytes_max = 8 * 1024 * 1024;
constexpr std::size_t list_length_max = 10'000;   ///< of any list in one frame
constexpr std::size_t text_bytes_max = 64 * 1024; ///< of any string in a frame, messages included
constexpr std::size_t name_bytes_max = 1024;      ///< of names: hosts, tasks, features, keys
constexpr std::size_t features_max = 100;         ///< in one HELLO
constexpr std::size_t entries_max = 500'000;      ///< fields of a frame in all, its lists' included
constexpr std::int64_t beat_interval_ms_max = 600'000;
constexpr std::int64_t beats_to_loss_max = 1'000;
constexpr std::chrono::hours kill_grace_max{24 * 366};
constexpr std::int64_t wall_time_ms_max = 253'402'300'799'999; ///< the end of the year 9999
constexpr std::size_t log_line_overhead_bytes = 16; ///< what a line costs besides its text
constexpr std::uint32_t stream_chunk_bytes_max = 32 * 1024;
constexpr std::uint32_t stream_credit_bytes_max = 256 * 1024; ///< outstanding per host

/// Session and epoch, as each frame carries them. {0, 0} before WELCOME.
struct SessionMark {
    std::uint64_t session = 0;
    std::uint64_t epoch = 0;
    friend bool operator==(const SessionMark&, const SessionMark&) = default;
};

/// Parses and checks the outer form, list lengths, and every body that has no type in the model.
/// A body of a kind that this build does not know gives BODY_NOT_SET: ignore it. Errors: Protocol.
[[nodiscard]] Result<Frame> parse_frame(std::string_view bytes);
[[nodiscard]] std::string serialize(const Frame& frame);

/// "LAUNCH": the body's name for logs and metrics; "UNKNOWN" when not set.
[[nodiscard]] std::string_view name_of(Frame::BodyCase body);

/// An empty frame of a session; the caller fills one body.
[[nodiscard]] Frame make_frame(SessionMark mark);
[[nodiscard]] SessionMark mark_of(const Frame& frame);
[[nodiscard]] Frame make_beat(SessionMark mark, std::uint64_t sequence);
/// `message` is for people; made valid UTF-8 and cut to text_bytes_max.
[[nodiscard]] Frame make_refused(SessionMark mark, Refused::Why why, std::string_view message);
[[nodiscard]] Frame make_goodbye(SessionMark mark, std::uint32_t grace_ms);

/// The highest protocol both ends speak. Errors: Protocol with a sentence that says which end to
/// upgrade.
[[nodiscard]] Result<std::uint32_t> choose_protocol(const Hello& hello);

/// `text` as valid UTF-8 of at most `bytes_max` bytes, cut between characters; what is not UTF-8
/// becomes "?".
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max = text_bytes_max);

} // namespace methos::wire
