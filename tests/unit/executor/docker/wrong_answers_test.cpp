// Answers of an Engine that is broken, or of something that is none: each field in turn is taken
// away or made to be of another kind, each document is cut at every byte, and texts come that are
// no answer at all. A decoder may refuse a document only for a field without which it is no answer;
// else it gives a value in which nothing but the damaged field is different.
#include "core/base/error.hpp"
#include "executor/docker/decode.hpp"
#include "executor/docker/pull_parser.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/executor/docker/answer_kinds.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace methos::docker {

namespace {

using Json = nlohmann::json;
using Pointer = Json::json_pointer;

// ---- damage ----------------------------------------------------------------------------------

/// What it decodes to; nothing when it is refused as it should be.
std::optional<Fields> decode(const AnswerKind& kind, const std::string& text) {
    try {
        return kind.decode(text);
    } catch (const Failure& failure) {
        CHECK(failure.code() == Code::Protocol);
        CHECK(failure.error().message.find("Engine's") != std::string::npos);
    }
    return std::nullopt;
}

/// All values of the document, from the whole of it down.
void collect_places(const Json& value, const std::string& place, std::vector<std::string>& places) {
    places.push_back(place);
    if (!value.is_structured()) {
        return;
    }
    for (const auto& entry : value.items()) {
        auto key = entry.key();
        for (std::size_t slash = 0; (slash = key.find('/', slash)) != std::string::npos;
             slash += 2) {
            key.replace(slash, 1, "~1");
        }
        key.insert(0, "/");
        collect_places(entry.value(), place + key, places);
    }
}

/// Whether one is the other or within it.
bool touches(const std::string& place, const std::string& other) {
    const auto& shorter = place.size() < other.size() ? place : other;
    const auto& longer = place.size() < other.size() ? other : place;
    return longer.starts_with(shorter) &&
           (longer.size() == shorter.size() || longer[shorter.size()] == '/');
}

const std::vector<Json>& replacements() {
    static const std::vector<Json> all{
        Json(),
        Json(true),
        Json(-1),
        Json(3.7),
        Json(1e300),
        Json(std::numeric_limits<std::uint64_t>::max()),
        Json(""),
        Json("wrong"),
        Json(std::string("a\0b", 3)),
        Json::array(),
        Json::object(),
        Json::parse(R"([[[{"Id":{}}]]])"),
        Json::parse(R"({"":null,"80/tcp":7,"Id":[],"Test":{}})"),
    };
    return all;
}

void check_damaged(const AnswerKind& kind, const std::string& place, const Json& document) {
    const auto sound = kind.decode(kind.answer);
    const auto decoded = decode(kind, document.dump());
    if (!decoded) {
        const bool may_refuse =
            std::any_of(kind.required.begin(), kind.required.end(), [&place](const auto& needed) {
                return touches(place, needed);
            });
        CHECK(may_refuse);
        return;
    }
    for (const auto& [source, value] : *decoded) {
        const auto before = sound.find(source);
        if (!touches(place, source) && (before == sound.end() || before->second != value)) {
            FAIL(source << " became " << value);
        }
    }
}

} // namespace

TEST_CASE("a field that is missing or of another kind changes no other, and invents nothing") {
    for (const auto& kind : answer_kinds()) {
        DYNAMIC_SECTION(kind.name) {
            const auto sound = Json::parse(kind.answer);
            REQUIRE(decode(kind, kind.answer));
            std::vector<std::string> places;
            collect_places(sound, "", places);
            for (const auto& place : places) {
                for (const auto& replacement : replacements()) {
                    auto damaged = sound;
                    damaged[Pointer(place)] = replacement;
                    INFO(place << " is " << replacement.dump());
                    check_damaged(kind, place, damaged);
                }
            }
        }
    }
}

TEST_CASE("a document that is cut anywhere is refused") {
    for (const auto& kind : answer_kinds()) {
        DYNAMIC_SECTION(kind.name) {
            const std::string whole = kind.answer;
            for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
                INFO("cut after " << bytes << " bytes");
                CHECK_FALSE(decode(kind, whole.substr(0, bytes)));
            }
        }
    }
}

TEST_CASE("what is no answer is refused, whoever sent it") {
    const std::vector<std::string> texts{
        "",
        " \r\n",
        "OK",
        "7",
        "\"text\"",
        "true",
        "[[]]",
        "[null]",
        "{",
        "}",
        "{}{}",
        "{\"Id\":\"a\"} and more",
        "{\"Id\":\"caf\xe9\"}",
        "{\"Id\":1e999}",
        R"({"message":"an error inside a 200"})",
        "<html><head><title>502 Bad Gateway</title></head></html>",
        std::string(1, '\0'),
    };
    for (const auto& kind : answer_kinds()) {
        for (const auto& text : texts) {
            const bool is_event = std::string(kind.name) == "event";
            if (is_event && text.starts_with("{\"message")) {
                continue; // an event of no type, which nobody asked for and nobody looks at
            }
            INFO(kind.name << ": " << text.substr(0, 80));
            CHECK_FALSE(decode(kind, text));
        }
    }
}

TEST_CASE("a large answer is read, whatever else is in it, and a deep one does no harm") {
    constexpr std::size_t large = 10 * 1024 * 1024;
    constexpr std::size_t deep = 200'000;
    const std::string state = R"(,"State":{"Status":"running"}})";
    const auto container =
        decode_container(R"({"Id":"a","Unknown":")" + std::string(large, 'x') + "\"" + state);
    CHECK(container.id == "a");
    CHECK(container.is_running());
    const auto nested = std::string(deep, '[') + std::string(deep, ']');
    CHECK(decode_container(R"({"Id":"a","Unknown":)" + nested + state).is_running());
    CHECK_THROWS_AS(decode_container(nested), Failure);
    CHECK_THROWS_AS(decode_container(std::string(deep, '[')), Failure);
}

TEST_CASE("a container or command that has ended says with which code, or nothing") {
    const std::string code =
        GENERATE("", R"(,"ExitCode":null)", R"(,"ExitCode":"0")", R"(,"ExitCode":[0])");
    INFO(code);
    const auto container = [&code](const std::string& status) {
        return R"({"Id":"a","State":{"Status":")" + status + "\"" + code + "}}";
    };
    CHECK_THROWS_AS(decode_container(container("exited")), Failure);
    CHECK_THROWS_AS(decode_container(container("dead")), Failure);
    CHECK(decode_container(container("running")).exit_code == 0);
    CHECK(decode_container(container("created")).exit_code == 0);
    CHECK_THROWS_AS(decode_exec_state(R"({"Running":false)" + code + "}"), Failure);
    CHECK(decode_exec_state(R"({"Running":true)" + code + "}").running);
}

TEST_CASE("numbers that do not fit are not told, rather than others") {
    const std::string number = GENERATE("18446744073709551615", "9223372036854775808", "1e300");
    CHECK(decode_info(R"({"ID":"a","MemTotal":)" + number + "}").memory_bytes == 0);
    CHECK(decode_container(R"({"Id":"a","State":{"Status":"running","Pid":)" + number + "}}").pid ==
          0);
    CHECK(decode_exec_state(R"({"Running":true,"Pid":)" + number + "}").pid == 0);
    CHECK(decode_event(R"({"timeNano":)" + number + "}").time == 0);
}

TEST_CASE("an Engine's refusal is told in its words, or in what came instead of them") {
    CHECK(decode_message(R"({"message":["no","text"]})") == R"({"message":["no","text"]})");
    CHECK(decode_message(R"({"message":""})") == R"({"message":""})");
    CHECK(decode_message(R"({"mess)") == R"({"mess)");
    CHECK(decode_message("null") == "null");
    constexpr std::size_t message_bytes_max = 4096;
    CHECK(decode_message(std::string(100'000, 'x')).size() == message_bytes_max);
}

TEST_CASE("a pull's line of wrong kinds is no progress and no crash") {
    const auto sound = Json::parse(
        R"({"id":"layer1","status":"Downloading","progressDetail":{"current":5,"total":10}})");
    std::vector<std::string> places;
    collect_places(sound, "", places);
    for (const auto& place : places) {
        for (const auto& replacement : replacements()) {
            auto damaged = sound;
            damaged[Pointer(place)] = replacement;
            INFO(place << " is " << replacement.dump());
            PullParser parser;
            parser.take_line(damaged.dump());
            CHECK(parser.progress().bytes_done >= 0);
            CHECK(parser.progress().bytes_total >= parser.progress().bytes_done);
            CHECK(parser.progress().layers_total <= 1);
            CHECK_FALSE(parser.error());
        }
    }
    PullParser parser;
    CHECK_THROWS_AS(parser.take_line("{\"status\":"), Failure);
    CHECK_THROWS_AS(parser.take_line("{\"status\":\"caf\xe9\"}"), Failure);
}

} // namespace methos::docker
