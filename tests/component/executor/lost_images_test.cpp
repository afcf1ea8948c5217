// Images that are not where they were a moment ago: gone between the look and the create, taken
// away from under a running container, pulled without an error and not there, and wanted by one of
// two tasks only. A whole executor against a fake Docker.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor::test {

namespace {

using methos::test::FakeFault;
using methos::test::FakePull;

FakePull held_pull() {
    FakePull pull;
    pull.hold = true;
    return pull;
}

} // namespace

SCENARIO("an image that vanishes before its container is created is pulled") {
    Joined one;
    one.docker.add_remote("demo:1");
    FakeFault hold;
    hold.call = "POST /containers/create";
    hold.kind = FakeFault::Kind::Hold;
    one.docker.inject(hold);
    one.master.launch("demo.1", "demo:1");
    one.run_until([&] { return one.docker.held() == 1; });
    one.docker.untag("demo:1");
    one.docker.release_held();
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    CHECK(one.docker.pulls_started("demo:1") == 1);
    CHECK(one.docker.count("POST /containers/create") == 2);
    CHECK(one.starts() == 1);
}

SCENARIO("a task whose image lost its name runs on, and the next one gets the image again") {
    Joined one;
    one.docker.add_remote("demo:1");
    one.launch_and_wait("demo.1");
    one.docker.untag("demo:1");

    WHEN("another task wants it") {
        one.launch_and_wait("demo.2");
        CHECK(one.docker.pulls_started("demo:1") == 1);
        CHECK(one.starts() == 2);
    }
    WHEN("the executor is started again") {
        one.stop(false);
        one.master.statuses.clear();
        one.start();
        one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
        CHECK(one.docker.pulls_started("demo:1") == 0); // nobody needs it
        CHECK(one.starts() == 1);
    }
    CHECK(one.master.states("demo.1") == std::vector{TaskState::Running});
    one.master.kill("demo.1", 1000);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
}

SCENARIO("one of two tasks that wait for an image leaves, and the other one gets it") {
    Joined one;
    one.docker.add_remote("other:1", held_pull());
    const bool first_leaves = GENERATE(true, false);
    const std::string leaves = first_leaves ? "demo.1" : "demo.2";
    const std::string stays = first_leaves ? "demo.2" : "demo.1";
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.docker.pulls_held() == 1; });
    one.master.launch("demo.2", "other:1");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Staging); });
    one.master.kill(leaves, 0);
    one.run_until([&] { return one.master.has(leaves, TaskState::Killed); });
    CHECK(one.docker.pulls_active() == 1);
    one.docker.release_pulls();
    one.run_until([&] { return one.master.has(stays, TaskState::Running); });
    CHECK(one.docker.count("POST /images/create") == 1);
    CHECK(one.docker.containers().size() == 1);
    CHECK(one.master.last(leaves)->state == TaskState::Killed);
}

SCENARIO("a pull that ends well and brings no image is tried again") {
    Joined one;
    FakePull vanishing;
    vanishing.vanishes = true;
    one.docker.add_remote("other:1", vanishing);
    one.master.launch("demo.1", "other:1");
    one.run_until([&] { return one.docker.pulls_started("other:1") == 1; });
    one.run_until([&] { return one.docker.pulls_active() == 0; });
    CHECK(one.docker.containers().empty());
    one.docker.add_remote("other:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    CHECK(one.docker.pulls_started("other:1") == 2);
}

} // namespace methos::executor::test
