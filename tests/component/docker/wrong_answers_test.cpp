// Answers that are whole and wrong: every typed call is answered by what a broken Engine, or a
// proxy before it, may say with a 200 or another status. The decoders alone are in
// tests/unit/executor/docker; here is the whole way, on connections that are used again.
#include "tests/component/docker/questions.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <vector>

namespace methos::test {

namespace {

const std::string html = "<html><head><title>502 Bad Gateway</title></head></html>";

/// What a value is read from; the others mean what their status means.
bool is_read(const Question& question) {
    const std::string call = question.call;
    return call.starts_with("GET ")
               ? call != "GET /_ping"
               : call == "POST /containers/create" || call == "POST /images/create";
}

FakeFault answer_of(int status, std::string body) {
    FakeFault fault;
    fault.status = status;
    fault.body = std::move(body);
    return fault;
}

std::vector<Question> all_questions() {
    auto all = one_of_each_shape();
    all.insert(all.end(), the_others().begin(), the_others().end());
    return all;
}

/// The connection goes on: the next question is answered as ever.
void check_next(EngineBench& bench, const Question& question, const Outcome& sound) {
    FakeFault none;
    none.kind = FakeFault::Kind::CutAnswer;
    none.bytes = 1024 * 1024;
    CHECK(ask_damaged(bench, question, none).value == sound.value);
}

} // namespace

TEST_CASE("a 200 that holds no answer is a broken protocol, and the next call is as ever") {
    const std::vector<std::string> bodies{
        "", "OK", html, "{", "7", R"({"message":"an error inside a 200"})", "{\"Id\":\"caf\xe9\"}"};
    for (const auto& question : all_questions()) {
        const std::string call = question.call;
        if (!is_read(question) || call == "GET /containers/subject/logs") {
            continue;
        }
        DYNAMIC_SECTION(question.name) {
            EngineBench bench;
            FakeFault none;
            none.kind = FakeFault::Kind::CutAnswer;
            none.bytes = 1024 * 1024;
            const auto sound = ask_damaged(bench, question, none);
            REQUIRE(sound.value);
            for (const auto& body : bodies) {
                INFO(body);
                const auto outcome = ask_damaged(bench, question, answer_of(200, body));
                const bool is_flow = call == "GET /events" || call == "POST /images/create";
                if (!is_flow) {
                    CHECK_FALSE(outcome.value);
                    CHECK(outcome.error.code == Code::Protocol);
                } else if (outcome.value) {
                    CHECK(outcome.value != sound.value);
                }
            }
            check_next(bench, question, sound);
        }
    }
}

TEST_CASE("a proxy's error page is a refusal in its own words, not a value") {
    for (const auto& question : all_questions()) {
        DYNAMIC_SECTION(question.name) {
            EngineBench bench;
            for (const int status : {301, 403, 502}) {
                const auto outcome = ask_damaged(bench, question, answer_of(status, html));
                const auto words = outcome.value ? *outcome.value : outcome.error.to_string();
                INFO(status << ": " << words);
                CHECK(words.find("502 Bad Gateway") != std::string::npos);
                CHECK((!outcome.value || outcome.value->starts_with("refused: ")));
            }
        }
    }
}

} // namespace methos::test
