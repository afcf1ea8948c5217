// JSON text in and out: what of a bad document is said, refused or replaced, and that depth is
// bounded where it is asked for.
#include "core/base/json.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using nlohmann::json;

namespace {

std::string nested(std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
}

} // namespace

TEST_CASE("a bad document is told with its place, or comes back discarded") {
    CHECK(parse_json(R"({"a":[1,"x"]})").at("a").at(1) == "x");
    try {
        static_cast<void>(parse_json(R"({"a":!})"));
        FAIL("it was taken");
    } catch (const json::parse_error& failure) {
        CHECK(failure.byte == 6);
    }
    CHECK(try_parse_json(R"({"a":1})").at("a") == 1);
    for (const std::string bad : {"", "{", "[1,]", "{}{}", "\"\xff\"", "1e999"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_json(bad), json::exception);
        CHECK_THROWS_AS(parse_json(bad, 8), json::exception);
        CHECK_THROWS_AS(parse_ordered_json(bad), json::exception);
        CHECK(try_parse_json(bad).is_discarded());
        CHECK(try_parse_ordered_json(bad).is_discarded());
    }
}

TEST_CASE("a document is taken down to the depth that is asked for") {
    CHECK(dump_json(parse_json(nested(8), 8)) == nested(8));
    CHECK(parse_json(nested(9), 8).is_discarded());
    CHECK(parse_json(R"({"a":{"b":{}}})", 2).is_discarded());
    CHECK(parse_json("null", 0).is_null());
    CHECK(parse_json(nested(100'000), 8).is_discarded());
}

TEST_CASE("fields stand in their order only where that is asked for") {
    const auto* text = R"({"b":1,"a":2})";
    CHECK(dump_json(parse_json(text)) == R"({"a":2,"b":1})");
    CHECK(dump_json(parse_ordered_json(text)) == text);
    CHECK(dump_json(try_parse_ordered_json(text)) == text);
    CHECK(dump_json(parse_ordered_json("{\"b\":[1]}"), 2) == "{\n  \"b\": [\n    1\n  ]\n}");
}

TEST_CASE("text that is not UTF-8 is replaced, or refused where it must arrive as it is") {
    const json bad{{"a", "x\xff"}};
    CHECK(dump_json(bad) == "{\"a\":\"x\xEF\xBF\xBD\"}");
    CHECK(dump_json(nlohmann::ordered_json(bad)) == dump_json(bad));
    REQUIRE(dump_json_exactly(bad).has_error());
    CHECK(dump_json_exactly(bad).error().code == Code::InvalidInput);
    CHECK(dump_json_exactly(json{{"a", "\xC3\xA9"}}).value() == "{\"a\":\"\xC3\xA9\"}");
}
