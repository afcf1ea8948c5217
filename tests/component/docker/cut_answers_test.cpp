// Answers that end too early: every typed call is asked of a fake Engine that does what it is told
// and closes the connection within its answer. Four answers, one of each shape, are cut at every
// byte, head and chunk marks included; all others at seeded places. A cut answer is a Failure that
// says so: never a value, never a refusal, never a stream that seems to have ended. A command's
// output has neither length nor end mark; there the exit code is what must be true.
#include "tests/component/docker/questions.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace methos::test {

namespace {

constexpr std::uint64_t seed = 20'10'24;
constexpr std::size_t bytes_max = 64 * 1024; ///< no answer here is as long
/// Of the end of an answer in chunks, "0\r\n\r\n": when the first byte is there, all is.
constexpr std::size_t end_mark_bytes_max = 4;

struct CutOutcome : Outcome {
    bool cut = false;
};

CutOutcome ask_cut(EngineBench& bench, const Question& question, std::size_t bytes) {
    FakeFault fault;
    fault.kind = FakeFault::Kind::CutAnswer;
    fault.bytes = bytes;
    const int before = bench.fake->cuts();
    CutOutcome outcome{ask_damaged(bench, question, fault)};
    outcome.cut = bench.fake->cuts() > before;
    return outcome;
}

/// From the first byte on until the answer is whole; `step` says how far the next cut is.
template <class Step>
void cut_again_and_again(const Question& question, Step step) {
    EngineBench bench;
    bench.fake->keep_alive(false); // else libcurl may ask again by itself (faults_test)
    const auto whole = ask_cut(bench, question, bytes_max);
    REQUIRE_FALSE(whole.cut);
    REQUIRE(whole.value);
    std::size_t bytes = 1;
    std::optional<std::size_t> whole_from;
    for (; bytes < bytes_max; bytes += step()) {
        const auto outcome = ask_cut(bench, question, bytes);
        INFO(question.name << ", cut after " << bytes << " bytes");
        const auto code = outcome.error.code;
        if (outcome.value) {
            whole_from = whole_from.value_or(bytes);
            CHECK(outcome.value == whole.value);
        } else if (code != Code::Protocol && code != Code::Unavailable) {
            FAIL(outcome.error.to_string());
        }
        if (!outcome.cut) {
            break;
        }
    }
    CHECK(bytes > 80); // a head alone is longer
    REQUIRE(whole_from);
    CHECK_FALSE(ask_cut(bench, question, *whole_from + end_mark_bytes_max).cut);
}

/// Whatever is there of the output, the exit code is the command's.
void check_cut_output(EngineBench& bench, const Question& question) {
    bool cut = true;
    for (std::size_t bytes = 1; cut; ++bytes) {
        const auto outcome = ask_cut(bench, question, bytes);
        INFO("cut after " << bytes << " bytes");
        if (outcome.value && *outcome.value != "3" && *outcome.value != "3hello\n") {
            FAIL("a value: " << *outcome.value);
        }
        CHECK((outcome.cut || outcome.value == "3hello\n"));
        cut = outcome.cut;
    }
}

} // namespace

TEST_CASE("an answer that is cut at any byte is no answer") {
    for (const auto& question : one_of_each_shape()) {
        DYNAMIC_SECTION(question.name) {
            cut_again_and_again(question, [] { return std::size_t{1}; });
        }
    }
}

TEST_CASE("no other answer is believed either when it was cut") {
    std::mt19937_64 random(seed);
    constexpr std::size_t step_max = 40;
    for (const auto& question : the_others()) {
        DYNAMIC_SECTION(question.name) {
            INFO("seed " << seed);
            cut_again_and_again(question, [&random] { return 1 + random() % step_max; });
        }
    }
}

TEST_CASE("a command whose output is cut has its own exit code or none") {
    EngineBench bench;
    bench.fake->keep_alive(false);
    check_cut_output(bench, output_question());
}

} // namespace methos::test
