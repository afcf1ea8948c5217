#include "core/wire/frames.hpp"

#include "core/wire/check.hpp"
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <chrono>

namespace methos::wire {

namespace {

using google::protobuf::io::CodedInputStream;

enum class Level { Frame, Body, Entry };

/// Whether a length-delimited field holds a message whose own fields are to be counted: the bodies
/// of a frame, and the entries of the long lists inside them.
bool holds_entry(Level level, int body, int field) {
    if (level == Level::Frame) {
        return (field >= Frame::kHelloFieldNumber && field <= Frame::kInventoryFieldNumber) ||
               (field >= Frame::kLaunchFieldNumber && field <= Frame::kAckFieldNumber) ||
               (field >= Frame::kStreamOpenFieldNumber && field <= Frame::kStreamEndFieldNumber);
    }
    if (level == Level::Entry) {
        return false;
    }
    switch (body) {
    case Frame::kHelloFieldNumber:
        return field == Hello::kHostFieldNumber;
    case Frame::kLaunchFieldNumber:
        return field == Launch::kSpecsFieldNumber || field == Launch::kTasksFieldNumber;
    case Frame::kStreamDataFieldNumber:
        return field == StreamData::kLinesFieldNumber;
    case Frame::kInventoryFieldNumber:
    case Frame::kKillFieldNumber:
    case Frame::kStatusFieldNumber:
    case Frame::kAckFieldNumber:
        return field == 1;
    default:
        return false;
    }
}

/// Counts fields down to the entries of lists, before protobuf makes an object of each: two bytes
/// on the wire can cost two hundred of memory. False when malformed or over the budget.
bool count_fields(CodedInputStream& in, Level level, int body, std::size_t& budget) {
    for (auto tag = in.ReadTag(); tag != 0; tag = in.ReadTag()) {
        if (budget == 0) {
            return false;
        }
        --budget;
        const int field = static_cast<int>(tag >> 3U);
        std::uint64_t number = 0;
        std::uint32_t length = 0;
        switch (tag & 7U) {
        case 0:
            if (!in.ReadVarint64(&number)) {
                return false;
            }
            break;
        case 1:
            if (!in.Skip(8)) {
                return false;
            }
            break;
        case 5:
            if (!in.Skip(4)) {
                return false;
            }
            break;
        case 2: {
            if (!in.ReadVarint32(&length) || length > frame_bytes_max) {
                return false;
            }
            const int bytes = static_cast<int>(length);
            if (!holds_entry(level, body, field)) {
                if (!in.Skip(bytes)) {
                    return false;
                }
                break;
            }
            const auto limit = in.PushLimit(bytes);
            const bool at_top = level == Level::Frame;
            if (!count_fields(
                    in, at_top ? Level::Body : Level::Entry, at_top ? field : body, budget) ||
                in.BytesUntilLimit() != 0) {
                return false;
            }
            in.PopLimit(limit);
            break;
        }
        default: // groups: the schema has none
            return false;
        }
    }
    return in.ConsumedEntireMessage();
}

void check_hello(Check& check, const Hello& hello) {
    check.text("build", hello.build(), name_bytes_max);
    check.length("features", hello.features_size(), features_max);
    for (const auto& feature : hello.features()) {
        check.name("feature", feature, name_bytes_max);
    }
    check.that(hello.protocol_min() <= hello.protocol_max(), "protocol", "range is empty");
    check.that(Hello::Connection_IsValid(hello.connection()), "connection", "is of no known kind");
    check.text("join_secret", hello.join_secret(), name_bytes_max);
    check.text("host_key", hello.host_key(), name_bytes_max);
    check.that(hello.has_host(), "host", "is missing");
}

void check_welcome(Check& check, const Welcome& welcome) {
    check.text("cluster", welcome.cluster(), name_bytes_max);
    check.text("build", welcome.build(), name_bytes_max);
    check.range("beat_interval_ms", welcome.beat_interval_ms(), 1, beat_interval_ms_max);
    check.range("beats_to_loss", welcome.beats_to_loss(), 1, beats_to_loss_max);
}

void check_launch(Check& check, const Launch& launch) {
    check.length("specs", launch.specs_size());
    check.length("tasks", launch.tasks_size());
}

void check_kill(Check& check, const Kill& kill) {
    check.length("tasks", kill.tasks_size());
    for (const auto& task : kill.tasks()) {
        check.that(task.number() != 0 || !task.name().empty(), "task", "has no number and no name");
        check.text("name", task.name(), name_bytes_max);
        check.range(
            "grace_ms", task.grace_ms(), -1, std::chrono::milliseconds(kill_grace_max).count());
    }
}

void check_ack(Check& check, const Ack& ack) {
    check.length("tasks", ack.tasks_size());
    for (const auto& task : ack.tasks()) {
        check.that(task.number() != 0 || !task.name().empty(), "task", "has no number and no name");
        check.text("name", task.name(), name_bytes_max);
    }
}

void check_stream_open(Check& check, const StreamOpen& open) {
    check.that(open.stream() != 0, "stream", "is 0");
    if (open.pull_image().empty()) {
        check.name("task", open.task(), name_bytes_max);
    }
    check.text("pull_image", open.pull_image(), name_bytes_max);
    check.range("tail", open.tail(), -1, INT32_MAX);
    check.range("since_ms", open.since_ms(), 0, wall_time_ms_max);
    check.range("credit_bytes", open.credit_bytes(), 0, stream_credit_bytes_max);
}

void check_stream_data(Check& check, const StreamData& data) {
    check.that(data.stream() != 0, "stream", "is 0");
    check.length("lines", data.lines_size());
    for (const auto& line : data.lines()) {
        check.range("channel", line.channel(), 1, 2);
        check.that(line.text().size() <= text_bytes_max, "text", "is too long");
    }
    check.text("message", data.pull().message(), text_bytes_max);
    check.text("image_id", data.pull().image_id(), name_bytes_max);
}

void check_stream_credit(Check& check, const StreamCredit& credit) {
    check.that(credit.stream() != 0, "stream", "is 0");
    check.range("bytes", credit.bytes(), 0, stream_credit_bytes_max);
}

void check_stream_end(Check& check, const StreamEnd& end) {
    check.that(end.stream() != 0, "stream", "is 0");
    check.text("error", end.error(), text_bytes_max);
    check.text("code", end.code(), name_bytes_max);
}

void check_body(Check& check, const Frame& frame) {
    switch (frame.body_case()) {
    case Frame::kHello:
        return check_hello(check, frame.hello());
    case Frame::kWelcome:
        return check_welcome(check, frame.welcome());
    case Frame::kRefused:
        return check.text("message", frame.refused().message(), text_bytes_max);
    case Frame::kInventory:
        return check.length("tasks", frame.inventory().tasks_size());
    case Frame::kLaunch:
        return check_launch(check, frame.launch());
    case Frame::kKill:
        return check_kill(check, frame.kill());
    case Frame::kStatus:
        return check.length("tasks", frame.status().tasks_size());
    case Frame::kAck:
        return check_ack(check, frame.ack());
    case Frame::kStreamOpen:
        return check_stream_open(check, frame.stream_open());
    case Frame::kStreamData:
        return check_stream_data(check, frame.stream_data());
    case Frame::kStreamCredit:
        return check_stream_credit(check, frame.stream_credit());
    case Frame::kStreamEnd:
        return check_stream_end(check, frame.stream_end());
    case Frame::kBeat:
    case Frame::kGoodbye: // any grace is legal; the master caps it
    case Frame::kHost:    // mapping.hpp checks it
    case Frame::BODY_NOT_SET:
        return;
    }
}

Error malformed(std::string problem) {
    return Error(Code::Protocol, "bus frame: " + std::move(problem));
}

/// Length of the UTF-8 character at the start of `text`, 0 when it is not one.
std::size_t character_length(std::string_view text) {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                               : first >= 0xe0 && first <= 0xef ? 3
                               : first >= 0xf0 && first <= 0xf4 ? 4
                                                                : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t at = 1; at < length; ++at) {
        if ((byte(at) & 0xc0U) != 0x80U) {
            return 0;
        }
    }
    // Overlong forms, surrogates and numbers past U+10FFFF show in the second byte.
    const unsigned second = byte(1);
    const bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                     (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return bad ? 0 : length;
}

/// protobuf prints a line on stderr for each string that is not UTF-8; a peer must not be able to
/// fill our logs.
const bool protobuf_is_quiet = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
}();

} // namespace

Result<Frame> parse_frame(std::string_view bytes) {
    static_cast<void>(protobuf_is_quiet);
    if (bytes.size() > frame_bytes_max) {
        return malformed("it is longer than " + std::to_string(frame_bytes_max) + " bytes");
    }
    const int size = static_cast<int>(bytes.size());
    // protobuf's own parser takes bytes as unsigned char and does not write to them.
    CodedInputStream in(reinterpret_cast<const std::uint8_t*>(bytes.data()), size);
    std::size_t budget = entries_max;
    if (!count_fields(in, Level::Frame, 0, budget)) {
        return malformed(budget == 0 ? "it has more than " + std::to_string(entries_max) + " fields"
                                     : std::string("it is not well formed"));
    }
    Frame frame;
    if (!frame.ParseFromArray(bytes.data(), size)) {
        return malformed("it is not well formed, or a text in it is not UTF-8");
    }
    Check check("bus frame " + std::string(name_of(frame.body_case())));
    check_body(check, frame);
    return check.finish(std::move(frame));
}

std::string serialize(const Frame& frame) {
    return frame.SerializeAsString();
}

std::string_view name_of(Frame::BodyCase body) {
    switch (body) {
    case Frame::kHello:
        return "HELLO";
    case Frame::kWelcome:
        return "WELCOME";
    case Frame::kRefused:
        return "REFUSED";
    case Frame::kBeat:
        return "BEAT";
    case Frame::kGoodbye:
        return "GOODBYE";
    case Frame::kHost:
        return "HOST";
    case Frame::kInventory:
        return "INVENTORY";
    case Frame::kLaunch:
        return "LAUNCH";
    case Frame::kKill:
        return "KILL";
    case Frame::kStatus:
        return "STATUS";
    case Frame::kAck:
        return "ACK";
    case Frame::kStreamOpen:
        return "STREAM_OPEN";
    case Frame::kStreamData:
        return "STREAM_DATA";
    case Frame::kStreamCredit:
        return "STREAM_CREDIT";
    case Frame::kStreamEnd:
        return "STREAM_END";
    case Frame::BODY_NOT_SET:
        break;
    }
    return "UNKNOWN";
}

Frame make_frame(SessionMark mark) {
    Frame frame;
    frame.set_session(mark.session);
    frame.set_epoch(mark.epoch);
    return frame;
}

SessionMark mark_of(const Frame& frame) {
    return SessionMark{frame.session(), frame.epoch()};
}

Frame make_beat(SessionMark mark, std::uint64_t sequence) {
    auto frame = make_frame(mark);
    frame.mutable_beat()->set_sequence(sequence);
    return frame;
}

Frame make_refused(SessionMark mark, Refused::Why why, std::string_view message) {
    auto frame = make_frame(mark);
    frame.mutable_refused()->set_why(why);
    frame.mutable_refused()->set_message(clean_text(message));
    return frame;
}

Frame make_goodbye(SessionMark mark, std::uint32_t grace_ms) {
    auto frame = make_frame(mark);
    frame.mutable_goodbye()->set_grace_ms(grace_ms);
    return frame;
}

Result<std::uint32_t> choose_protocol(const Hello& hello) {
    const auto ours = std::to_string(protocol_version);
    if (hello.protocol_min() > protocol_version) {
        return Error(Code::Protocol,
                     "the executor speaks bus protocol " + std::to_string(hello.protocol_min()) +
                         " or newer, this master " + ours + ": upgrade the master first");
    }
    if (hello.protocol_max() < protocol_version) {
        return Error(Code::Protocol,
                     "the executor speaks bus protocol " + std::to_string(hello.protocol_max()) +
                         " or older, this master " + ours + ": upgrade the executor");
    }
    return protocol_version;
}

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    std::string clean;
    clean.reserve(std::min(text.size(), bytes_max));
    while (!text.empty()) {
        const auto length = character_length(text);
        const auto taken = length == 0 ? 1 : length;
        if (clean.size() + taken > bytes_max) {
            break;
        }
        if (length == 0 || text.front() == '\0') {
            clean += '?';
        } else {
            clean += text.substr(0, length);
        }
        text.remove_prefix(taken);
    }
    return clean;
}

} // namespace methos::wire
