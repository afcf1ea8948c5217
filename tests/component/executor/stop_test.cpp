// Orderly stops at every point of an executor's beginning: between any two turns of the loop, from
// the first call to Docker to a pull under way. What is cut short ends as cancelled, and nobody
// takes that for a failure.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/catch.hpp"

#include <sstream>
#include <string>

namespace methos::executor::test {

namespace {

/// Starts an executor and gives it a task as soon as it has joined; stops it after so many turns
/// of the loop, whatever it was about to do. Returns the lines above info that it wrote meanwhile.
std::string complaints_when_stopped_after(int turns, ClusterOfOne& one) {
    const methos::test::CapturedStderr captured;
    one.start();
    bool launched = false;
    for (int turn = 0; turn < turns; ++turn) {
        one.loop.restart();
        one.loop.run_one_for(std::chrono::milliseconds(1));
        if (!launched && one.master.inventories > 0) {
            launched = true;
            one.master.launch("demo.1", "other:1");
        }
    }
    one.stop();
    std::istringstream lines(captured.text());
    std::string line;
    std::string complaints;
    while (std::getline(lines, line)) {
        if (line.find(" info ") == std::string::npos) {
            complaints += line + "\n";
        }
    }
    return complaints;
}

} // namespace

SCENARIO("an orderly stop is no reason to complain, whatever it interrupts") {
    constexpr int turns_while_pulling = 20;
    int turns_end = 1000; // until it was seen to pull
    bool has_pulled = false;
    for (int turns = 0; turns < turns_end; ++turns) {
        ClusterOfOne one;
        methos::test::FakePull pull;
        pull.hold = true;
        one.docker.add_remote("other:1", pull);
        INFO("stopped after " << turns << " turns");
        CHECK(complaints_when_stopped_after(turns, one) == "");
        if (!has_pulled && one.docker.pulls_started("other:1") > 0) {
            has_pulled = true;
            turns_end = turns + turns_while_pulling;
        }
    }
    CHECK(has_pulled);
}

} // namespace methos::executor::test
