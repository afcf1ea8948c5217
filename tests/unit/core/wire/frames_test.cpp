// Frames: what arrives whole, what is refused, what of newer builds is ignored; and the recorded
// session of protocol 1, which every later build must still read and write.
#include "core/wire/frames.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/wire_samples.hpp"

#include <functional>
#include <random>
#include <set>

using namespace methos;
using namespace methos::wire;
using Catch::Matchers::Contains;

namespace {

std::string of_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        bytes += static_cast<char>(std::stoul(hex.substr(at, 2), nullptr, 16));
    }
    return bytes;
}

std::string to_hex(const std::string& bytes) {
    static constexpr const char* digits = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4U];
        hex += digits[byte & 15U];
    }
    return hex;
}

Frame sample(Frame::BodyCase body) {
    for (auto& frame : samples::frames()) {
        if (frame.body_case() == body) {
            return frame;
        }
    }
    FAIL("no such sample");
    return {};
}

std::string refusal(const std::string& bytes) {
    const auto frame = parse_frame(bytes);
    if (frame) {
        return "accepted";
    }
    CHECK(frame.error().code == Code::Protocol);
    return frame.error().message;
}

} // namespace

TEST_CASE("a frame of each kind arrives whole") {
    std::set<Frame::BodyCase> kinds;
    std::set<std::string_view> names;
    for (const auto& frame : samples::frames()) {
        const auto arrived = parse_frame(serialize(frame));
        REQUIRE(arrived);
        CHECK(arrived->body_case() == frame.body_case());
        CHECK(arrived->SerializeAsString().size() == frame.SerializeAsString().size());
        CHECK(mark_of(*arrived) == SessionMark{7'000'000'001, 12});
        kinds.insert(frame.body_case());
        names.insert(name_of(frame.body_case()));
    }
    CHECK(kinds.size() == 15);
    CHECK(names.size() == 15);
    CHECK(names.count("UNKNOWN") == 0);
}

TEST_CASE("log lines carry bytes that are not text") {
    const auto frame = parse_frame(serialize(sample(Frame::kStreamData)));
    REQUIRE(frame);
    CHECK(frame->stream_data().lines(0).text() == std::string("raw \xff\0 bytes", 12));
}

TEST_CASE("what a newer build adds is ignored") {
    auto bytes = serialize(sample(Frame::kBeat));
    SECTION("an unknown field") {
        bytes += of_hex("a006"
                        "07"); // field 100, varint
        bytes += of_hex("aa06"
                        "03"
                        "616263"); // field 101, three bytes
        const auto frame = parse_frame(bytes);
        REQUIRE(frame);
        CHECK(frame->beat().sequence() == 5);
    }
    SECTION("an unknown field inside a body") {
        const auto frame = parse_frame(of_hex("6a05"
                                              "0805"
                                              "a00607"));
        REQUIRE(frame);
        CHECK(frame->beat().sequence() == 5);
    }
    SECTION("an unknown body") {
        const auto frame = parse_frame(of_hex("0807"
                                              "d202"
                                              "03"
                                              "0a0161")); // field 42, a message
        REQUIRE(frame);
        CHECK(frame->body_case() == Frame::BODY_NOT_SET);
        CHECK(frame->session() == 7);
        CHECK(name_of(frame->body_case()) == "UNKNOWN");
    }
    SECTION("no body at all") {
        CHECK(parse_frame("")->body_case() == Frame::BODY_NOT_SET);
    }
}

TEST_CASE("frames that are not well formed are refused") {
    for (const auto& frame : samples::frames()) {
        const auto bytes = serialize(frame);
        // A cut at a field's border leaves a legal frame; any other must be refused, none may
        // crash.
        std::size_t refused = 0;
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            refused += parse_frame(bytes.substr(0, length)) ? 0U : 1U;
        }
        INFO(name_of(frame.body_case()));
        CHECK(refused >= bytes.size() - 8);
    }
    CHECK(refusal("\xff\xff\xff\xff") != "accepted");
    CHECK(refusal(std::string(1, '\0')) != "accepted");
    CHECK(refusal(of_hex("53"
                         "54")) != "accepted");           // a group
    CHECK(refusal(of_hex("62ffffffff0f")) != "accepted"); // a length of -1
    CHECK(refusal("GET / HTTP/1.1\r\nHost: x\r\n\r\n") != "accepted");
    CHECK(refusal(of_hex("6204"
                         "1202"
                         "c328")) != "accepted"); // REFUSED with invalid UTF-8
    CHECK_THAT(refusal(std::string(frame_bytes_max + 1, 'x')), Contains("longer"));
}

TEST_CASE("small frames that would cost much memory are refused before they do") {
    // Two bytes for each empty entry of INVENTORY; each would become an object of 200 bytes.
    std::string entries;
    for (std::size_t i = 0; i < 600'000; ++i) {
        entries += of_hex("0a00");
    }
    std::string frame = of_hex("8201");
    auto length = entries.size();
    for (; length >= 128; length >>= 7U) {
        frame += static_cast<char>((length & 127U) | 128U);
    }
    frame += static_cast<char>(length);
    CHECK_THAT(refusal(frame + entries), Contains("fields"));
}

TEST_CASE("bodies without a type in the model are checked, and the refusal names the field") {
    struct Case {
        Frame::BodyCase body;
        const char* field; ///< "accepted": must get in
        std::function<void(Frame&)> spoil;
    };

    const std::string too_long(text_bytes_max + 1, 'x');
    const std::string long_name(name_bytes_max + 1, 'x');
    const std::vector<Case> cases = {
        {Frame::kHello, "protocol", [](Frame& f) { f.mutable_hello()->set_protocol_min(3); }},
        {Frame::kHello,
         "connection",
         [](Frame& f) { f.mutable_hello()->set_connection(Hello::Connection(2)); }},
        {Frame::kHello, "host", [](Frame& f) { f.mutable_hello()->clear_host(); }},
        {Frame::kHello, "build", [&](Frame& f) { f.mutable_hello()->set_build(long_name); }},
        {Frame::kHello,
         "join_secret",
         [&](Frame& f) { f.mutable_hello()->set_join_secret(long_name); }},
        {Frame::kHello, "host_key", [&](Frame& f) { f.mutable_hello()->set_host_key(long_name); }},
        {Frame::kHello,
         "features",
         [](Frame& f) {
             for (std::size_t i = 0; i < features_max; ++i) {
                 f.mutable_hello()->add_features("x");
             }
         }},
        {Frame::kWelcome,
         "beat_interval_ms",
         [](Frame& f) { f.mutable_welcome()->set_beat_interval_ms(0); }},
        {Frame::kWelcome,
         "beat_interval_ms",
         [](Frame& f) { f.mutable_welcome()->set_beat_interval_ms(0xffffffffU); }},
        {Frame::kWelcome,
         "beats_to_loss",
         [](Frame& f) { f.mutable_welcome()->set_beats_to_loss(0); }},
        {Frame::kRefused, "message", [&](Frame& f) { f.mutable_refused()->set_message(too_long); }},
        {Frame::kRefused,
         "accepted", // a reason of a newer build; its message still speaks
         [](Frame& f) { f.mutable_refused()->set_why(Refused::Why(77)); }},
        {Frame::kKill,
         "task",
         [](Frame& f) {
             f.mutable_kill()->mutable_tasks(0)->clear_number();
             f.mutable_kill()->mutable_tasks(0)->clear_name();
         }},
        {Frame::kKill,
         "grace_ms",
         [](Frame& f) { f.mutable_kill()->mutable_tasks(0)->set_grace_ms(-2); }},
        {Frame::kKill,
         "grace_ms",
         [](Frame& f) { f.mutable_kill()->mutable_tasks(0)->set_grace_ms(INT64_MAX); }},
        {Frame::kKill,
         "name",
         [&](Frame& f) { f.mutable_kill()->mutable_tasks(0)->set_name(long_name); }},
        {Frame::kAck,
         "task",
         [](Frame& f) {
             f.mutable_ack()->mutable_tasks(0)->clear_number();
             f.mutable_ack()->mutable_tasks(0)->clear_name();
         }},
        {Frame::kStreamOpen, "stream", [](Frame& f) { f.mutable_stream_open()->clear_stream(); }},
        {Frame::kStreamOpen, "task", [](Frame& f) { f.mutable_stream_open()->clear_task(); }},
        {Frame::kStreamOpen,
         "pull_image",
         [&](Frame& f) { f.mutable_stream_open()->set_pull_image(long_name); }},
        {Frame::kStreamOpen,
         "accepted", // of an image there is no task
         [](Frame& f) {
             f.mutable_stream_open()->clear_task();
             f.mutable_stream_open()->set_pull_image("busybox");
         }},
        {Frame::kStreamOpen, "tail", [](Frame& f) { f.mutable_stream_open()->set_tail(-2); }},
        {Frame::kStreamOpen,
         "since_ms",
         [](Frame& f) { f.mutable_stream_open()->set_since_ms(-1); }},
        {Frame::kStreamOpen,
         "credit_bytes",
         [](Frame& f) { f.mutable_stream_open()->set_credit_bytes(stream_credit_bytes_max + 1); }},
        {Frame::kStreamData, "stream", [](Frame& f) { f.mutable_stream_data()->clear_stream(); }},
        {Frame::kStreamData,
         "channel",
         [](Frame& f) { f.mutable_stream_data()->mutable_lines(0)->set_channel(0); }},
        {Frame::kStreamData,
         "channel",
         [](Frame& f) { f.mutable_stream_data()->mutable_lines(0)->set_channel(3); }},
        {Frame::kStreamData,
         "text",
         [&](Frame& f) { f.mutable_stream_data()->mutable_lines(0)->set_text(too_long); }},
        {Frame::kStreamCredit,
         "bytes",
         [](Frame& f) { f.mutable_stream_credit()->set_bytes(stream_credit_bytes_max + 1); }},
        {Frame::kStreamEnd,
         "error",
         [&](Frame& f) { f.mutable_stream_end()->set_error(too_long); }},
    };
    for (const auto& [body, field, spoil] : cases) {
        auto frame = sample(body);
        spoil(frame);
        INFO(name_of(body) << " " << field);
        CHECK_THAT(refusal(serialize(frame)), Contains(field));
    }
}

TEST_CASE("lists over the limit are refused, lists at the limit are not") {
    const auto with = [](std::size_t count, const std::function<void(Frame&)>& add) {
        Frame frame;
        for (std::size_t i = 0; i < count; ++i) {
            add(frame);
        }
        return refusal(serialize(frame));
    };
    const std::vector<std::function<void(Frame&)>> lists = {
        [](Frame& f) { f.mutable_inventory()->add_tasks(); },
        [](Frame& f) { f.mutable_status()->add_tasks(); },
        [](Frame& f) { f.mutable_launch()->add_tasks(); },
        [](Frame& f) { f.mutable_launch()->add_specs(); },
        [](Frame& f) { f.mutable_kill()->add_tasks()->set_number(1); },
        [](Frame& f) { f.mutable_ack()->add_tasks()->set_number(1); },
        [](Frame& f) {
            f.mutable_stream_data()->set_stream(1);
            f.mutable_stream_data()->add_lines()->set_channel(1);
        },
    };
    for (std::size_t at = 0; at < lists.size(); ++at) {
        INFO("list " << at);
        CHECK(with(list_length_max, lists[at]) == "accepted");
        CHECK_THAT(with(list_length_max + 1, lists[at]), Contains("too many"));
    }
}

TEST_CASE("the protocol is the highest that both ends speak") {
    Hello hello;
    hello.set_protocol_min(1);
    hello.set_protocol_max(5);
    CHECK(*choose_protocol(hello) == 1);
    hello.set_protocol_min(2);
    CHECK_THAT(choose_protocol(hello).error().message, Contains("upgrade the master"));
    hello.set_protocol_min(0);
    hello.set_protocol_max(0);
    CHECK_THAT(choose_protocol(hello).error().message, Contains("upgrade the executor"));
}

TEST_CASE("text from outside is made valid UTF-8 and cut between characters") {
    CHECK(clean_text("plain") == "plain");
    CHECK(clean_text("é€😀") == "é€😀");
    CHECK(clean_text("a\xff"
                     "b") == "a?b");
    CHECK(clean_text(std::string("a\0b", 3)) == "a?b");
    CHECK(clean_text("\xc0\x80") == "??");           // overlong
    CHECK(clean_text("\xe0\x9f\xbf") == "???");      // overlong
    CHECK(clean_text("\xed\xa0\x80") == "???");      // a surrogate
    CHECK(clean_text("\xf4\x90\x80\x80") == "????"); // past U+10FFFF
    CHECK(clean_text("x\xe2\x82") == "x??");         // cut short
    CHECK(clean_text("aé", 2) == "a");
    CHECK(clean_text("aé", 3) == "aé");
    CHECK(clean_text("abc", 0).empty());
}

TEST_CASE("a recorded session of protocol 1 still reads and prints the same") {
    // One frame each: HELLO, WELCOME, INVENTORY, LAUNCH, STATUS, ACK, KILL, BEAT, GOODBYE, REFUSED.
    // Bytes of build 0.1.0. Never change them: a change here is a change of the protocol.
    const std::vector<std::pair<Frame::BodyCase, std::string>> recorded = {
        {Frame::kHello,
         "5274080110011a05302e312e3032067333637265743a07686f73746b657942560a06686f73742d31"
         "1208776f726b65722d311a0831302e302e302e3720a01f2880808080203080808080900342080898"
         "f2011080fa014a090a047261636b12016152012a5801620832302e31302e32346a04312e3431"},
        {Frame::kWelcome, "084d10035a120801120263311a05302e312e3020f4032804"},
        {Frame::kInventory,
         "084d100382012c0a2a12156f6c642e696e7374616e63652d392e5f6170702e311801200238ae9ea6"
         "e5b7334206633066666565"},
        {Frame::kLaunch,
         "084d1003a20185020ac7010805120873657276696365731a042f7765622218323032362d30312d30"
         "325430333a30343a30352e3637385a2a0762757379626f783801420e6874747064202d66202d7020"
         "383052060a01411201315a0c0a047465616d1204626c75656001720d085012037463701a04687474"
         "707a0f0a042f73727612052f6461746118018201150a06756c696d6974120b6e6f66696c653d3130"
         "3234980164a00180808010b801904ec2012030303131323233333434353536363737383839396161"
         "626263636464656566661239082a12157765622e696e7374616e63652d312e5f6170702e31180520"
         "012a0398f201320e0a05504f525430120533313030303a057265712d31"},
        {Frame::kStatus,
         "084d1003b201480a46082a12157765622e696e7374616e63652d312e5f6170702e311802200238ae"
         "9ea6e5b73342066330666665654a0a3137322e31372e302e32520398f201600168ae9ea6e5b733"},
        {Frame::kAck, "084d1003ba01060a04082a1802"},
        {Frame::kKill,
         "084d1003aa01260a24082a12157765622e696e7374616e63652d312e5f6170702e3118ffffffffff"
         "ffffffff01"},
        {Frame::kBeat, "084d10036a020809"},
        {Frame::kGoodbye, "084d1003720408b0ea01"},
        {Frame::kRefused, "084d10036211120f6e6f20737563682073657373696f6e"},
    };
    for (const auto& [body, hex] : recorded) {
        const auto frame = parse_frame(of_hex(hex));
        INFO(name_of(body));
        REQUIRE(frame);
        CHECK(frame->body_case() == body);
        CHECK(to_hex(serialize(*frame)) == hex);
    }
    const auto launch_frame = parse_frame(of_hex(recorded[3].second));
    const auto spec = from_wire(launch_frame->launch().specs(0));
    REQUIRE(spec);
    CHECK(spec->image == "busybox");
    CHECK(spec->command == CommandKind::Shell);
    CHECK(spec->network == NetworkMode::Bridge);
    CHECK(spec->ports == std::vector<methos::PortMapping>{{80, "tcp", "http"}});
    CHECK(spec->resources == Resources{100, 32LL << 20, 0, 0});
    CHECK(spec->kill_grace == std::chrono::seconds(10));
    const auto launch = from_wire(launch_frame->launch().tasks(0));
    REQUIRE(launch);
    CHECK(launch->name.value == "web.instance-1._app.1");
    CHECK(launch->host_ports == std::vector<std::uint16_t>{31'000});
    const auto status = from_wire(parse_frame(of_hex(recorded[4].second))->status().tasks(0));
    REQUIRE(status);
    CHECK(status->state == TaskState::Running);
    CHECK(status->stamp == 2);
    CHECK(status->healthy == true);
}

TEST_CASE("no input crashes the reader: seeded mutations of every frame") {
    const auto seed = GENERATE(1U, 2U);
    std::minstd_rand random(seed);
    const auto below = [&random](std::size_t limit) { return random() % limit; };
    std::vector<std::string> inputs;
    for (const auto& frame : samples::frames()) {
        inputs.push_back(serialize(frame));
    }
    std::size_t accepted = 0;
    for (int round = 0; round < 10'000; ++round) {
        auto bytes = inputs[below(inputs.size())];
        for (auto changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
            bytes[below(bytes.size())] = static_cast<char>(below(256));
        }
        const auto frame = parse_frame(bytes);
        accepted += frame ? 1U : 0U;
        if (!frame) {
            continue;
        }
        for (const auto& spec : frame->launch().specs()) {
            static_cast<void>(from_wire(spec));
        }
        for (const auto& launch : frame->launch().tasks()) {
            static_cast<void>(from_wire(launch));
        }
        for (const auto& status : frame->status().tasks()) {
            static_cast<void>(from_wire(status));
        }
        static_cast<void>(from_wire(frame->host()));
    }
    INFO("seed " << seed);
    CHECK(accepted > 100); // the mutations reach past the outer form
    CHECK(accepted < 9'900);
}
