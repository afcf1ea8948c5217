// The figures of a pull that people see: fed with the lines of real and of broken pulls, none
// falls, none is more than its total, and the percentage says neither too much too soon nor 100 too
// early.
#include "executor/docker/pull_parser.hpp"
#include "executor/images/progress_gauge.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace methos;
using namespace methos::executor;

namespace {

std::string line(const std::string& layer, const std::string& status) {
    return R"({"status":")" + status + R"(","id":")" + layer + R"(","progressDetail":{}})";
}

std::string line(const std::string& layer,
                 const std::string& status,
                 std::int64_t current,
                 std::int64_t total) {
    return R"({"status":")" + status + R"(","id":")" + layer + R"(","progressDetail":{"current":)" +
           std::to_string(current) + R"(,"total":)" + std::to_string(total) + "}}";
}

/// One pull's tries, and what was shown after each line.
struct Watched {
    void say(const std::string& text) {
        const auto before = gauge.shown();
        parser.take_line(text);
        gauge.take(parser.progress());
        const auto& now = gauge.shown();
        CHECK(now.bytes_done >= before.bytes_done);
        CHECK(now.bytes_total >= before.bytes_total);
        CHECK(now.percent >= before.percent);
        CHECK(now.layers_done >= before.layers_done);
        CHECK(now.layers_total >= before.layers_total);
        CHECK(now.bytes_done <= now.bytes_total);
        CHECK(now.layers_done <= now.layers_total);
        CHECK(now.percent < 100);
    }

    void try_again() { parser = docker::PullParser(); }

    docker::PullParser parser;
    ProgressGauge gauge;
};

} // namespace

TEST_CASE("the percentage is that of the bytes, with unknown layers taken to be like the others") {
    Watched pull;
    pull.say(line("a", "Already exists"));
    CHECK(pull.gauge.shown().percent == 0); // of what is still to come nothing is known
    pull.say(line("b", "Pulling fs layer"));
    pull.say(line("c", "Pulling fs layer"));
    pull.say(line("b", "Downloading", 50, 100));
    CHECK(pull.gauge.shown().percent == 25);
    CHECK(pull.gauge.shown().bytes_total == 100);
    pull.say(line("b", "Downloading", 100, 100));
    pull.say(line("b", "Download complete"));
    CHECK(pull.gauge.shown().percent == 50);
    pull.say(line("c", "Downloading", 100, 300));
    CHECK(pull.gauge.shown().percent == 50);
    pull.say(line("c", "Download complete"));
    pull.say(line("b", "Pull complete"));
    pull.say(line("c", "Pull complete"));
    CHECK(pull.gauge.shown().percent == 99); // the image itself is yet to come
    CHECK(pull.gauge.shown().layers_done == 3);
    CHECK(pull.gauge.to_string() == "0.0/0.0 MB, 3/3 layers");
}

TEST_CASE("a size that the registry does not tell is not taken for what has come of it") {
    Watched pull;
    pull.say(line("a", "Pulling fs layer"));
    pull.say(line("a", "Downloading", 700, 0));
    CHECK(pull.gauge.shown().percent == 0);
    CHECK(pull.gauge.shown().bytes_done == 700);
    pull.say(line("a", "Downloading", 900, -1));
    CHECK(pull.gauge.shown().percent == 0);
    pull.say(line("a", "Download complete"));
    CHECK(pull.gauge.shown().percent == 99);
}

TEST_CASE("another try, which finds layers here, does not run backwards") {
    Watched pull;
    for (const auto* layer : {"a", "b"}) {
        pull.say(line(layer, "Pulling fs layer"));
        pull.say(line(layer, "Downloading", 80, 100));
    }
    pull.say(line("a", "Pull complete"));
    pull.say(line("b", "Downloading", 10, 90)); // cut, and begun again with a smaller total
    CHECK(pull.gauge.shown().percent == 90);
    pull.try_again();
    pull.say(line("a", "Already exists"));
    pull.say(line("b", "Pulling fs layer"));
    pull.say(line("b", "Downloading", 5, 100));
    CHECK(pull.gauge.shown().percent == 90);
    CHECK(pull.gauge.shown().bytes_total == 200);
}

TEST_CASE("whatever the Engine says, the figures stay possible") {
    constexpr const char* words[] = {"Pulling fs layer",
                                     "Downloading",
                                     "Verifying Checksum",
                                     "Download complete",
                                     "Extracting",
                                     "Pull complete",
                                     "Already exists",
                                     "Retrying in 1 second"};
    const auto seed = GENERATE(range(1U, 20U));
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](std::uint32_t limit) { return random() % limit; };
    Watched pull;
    for (int i = 0; i < 300; ++i) {
        if (below(50) == 0) {
            pull.try_again();
        }
        const auto current = static_cast<std::int64_t>(below(1000)) - 10;
        const auto total = static_cast<std::int64_t>(below(1000)) - 10;
        pull.say(line(std::to_string(below(6)), words[below(8)], current, total));
    }
}
