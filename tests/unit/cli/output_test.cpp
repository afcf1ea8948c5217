// How the command line lays out what it prints: tables, ages, numbers, and text that must not reach
// a terminal as it came.
#include "cli/output/progress.hpp"
#include "cli/output/table.hpp"
#include "cli/output/words.hpp"
#include "tests/support/catch.hpp"

#include <sstream>

using namespace methos;
using namespace methos::cli;
using namespace std::chrono_literals;

TEST_CASE("a table is aligned, and no line ends in blanks", "[cli]") {
    Table table({"ID", "IMAGE", "STATUS"});
    table.add({"/a", "a-long-image:1", "Running"});
    table.add({"/much-longer", "", "x"});
    table.add({"/short"});
    CHECK(table.render(false) == "ID            IMAGE           STATUS\n"
                                 "/a            a-long-image:1  Running\n"
                                 "/much-longer  -               x\n"
                                 "/short        -               -\n");
}

TEST_CASE("colour does not move columns", "[cli]") {
    Table table({"A", "B"});
    table.add({Cell("up", Tone::Good), "1"});
    table.add({"down", "2"});
    const auto text = table.render(true);
    CHECK(text.find("\033[32mup\033[0m    1\n") != std::string::npos);
    CHECK(text.find("down  2\n") != std::string::npos);
}

TEST_CASE("columns are counted in characters, not bytes", "[cli]") {
    Table table({"NAME", "N"});
    table.add({"Grün", "1"});
    table.add({"Blau", "2"});
    CHECK(table.render(false) == "NAME  N\nGrün  1\nBlau  2\n");
}

TEST_CASE("what the master says cannot drive the terminal", "[cli]") {
    CHECK(printable("a\033[2Jb\nc\td") == "a [2Jb c d");
    CHECK(printable("\xC2\x9B"
                    "31m") == " 31m");
    CHECK(printable("\xFF\xC3") == "??");
    CHECK(printable("Grün €") == "Grün €");
    Table table({"A"});
    table.add({"x\r\ny"});
    CHECK(table.render(false) == "A\nx  y\n");
}

TEST_CASE("long text is cut at a character", "[cli]") {
    CHECK(shortened("abcdef", 6) == "abcdef");
    CHECK(shortened("abcdefg", 6) == "abc...");
    CHECK(shortened("äöüäöü", 5) == "äö...");
    CHECK(shortened("abc", 2) == "..");
}

TEST_CASE("ages are told in the largest unit that still says something", "[cli]") {
    const auto row = GENERATE(table<Duration, std::string>({{-5s, "0s"},
                                                            {0s, "0s"},
                                                            {119s, "119s"},
                                                            {120s, "2m"},
                                                            {7199s, "119m"},
                                                            {2h, "2h"},
                                                            {47h, "47h"},
                                                            {48h, "2d"},
                                                            {2400h, "100d"}}));
    CHECK(age_of(std::get<0>(row)) == std::get<1>(row));
}

TEST_CASE("an instant that is none has no age", "[cli]") {
    WallTime now;
    REQUIRE(parse_wall_time("2026-01-01T00:01:00.000Z", now));
    CHECK(age_since("2026-01-01T00:00:00.000Z", now) == "60s");
    CHECK(age_since("", now).empty());
    CHECK(age_since("yesterday", now).empty());
}

TEST_CASE("numbers carry no digits that say nothing", "[cli]") {
    CHECK(plain_number(0.1) == "0.1");
    CHECK(plain_number(2) == "2");
    CHECK(plain_number(1.25) == "1.25");
    CHECK(plain_number(0) == "0");
    CHECK(plain_number(100) == "100");
    CHECK(megabytes(128) == "128 MB");
    CHECK(megabytes(7680) == "7.5 GB");
    CHECK(counted(1, "instance") == "1 instance");
    CHECK(counted(0, "instance") == "0 instances");
    CHECK(listed({"a", "b", "c"}) == "a, b and c");
}

TEST_CASE("progress is one line per change for programs, one rewritten line on a terminal",
          "[cli]") {
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err};
    SECTION("a file") {
        Progress progress(terminal);
        progress.show("1 of 2");
        progress.show("1 of 2");
        progress.show("2 of 2");
        CHECK(err.str() == "1 of 2\n2 of 2\n");
    }
    SECTION("no terminal, and something counts") {
        Progress progress(terminal);
        progress.show("0 of 2 running, 1 pulling (12.3/45.6 MB, 2/5 layers)");
        progress.show("0 of 2 running, 1 pulling (45.6/45.6 MB, 5/5 layers)");
        progress.show("0 of 2 running, 2 delayed (will be tried again in 1m5s; it failed: code 3)");
        progress.show(
            "0 of 2 running, 2 delayed (will be tried again in 748ms; it failed: code 3)");
        progress.show(
            "1 of 2 running, 1 delayed (will be tried again in 246ms; it failed: code 3)");
        CHECK(err.str() ==
              "0 of 2 running, 1 pulling (12.3/45.6 MB, 2/5 layers)\n"
              "0 of 2 running, 2 delayed (will be tried again in 1m5s; it failed: code 3)\n"
              "1 of 2 running, 1 delayed (will be tried again in 246ms; it failed: code 3)\n");
    }
    SECTION("a terminal") {
        terminal.err_is_tty = true;
        terminal.columns = 20;
        {
            Progress progress(terminal);
            progress.show("a text that is longer than the terminal");
        }
        CHECK(err.str() == "\r\033[Ka text that is l...\r\033[K");
    }
    CHECK(out.str().empty());
}
