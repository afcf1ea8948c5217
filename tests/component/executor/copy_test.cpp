// People look into a sick task by `docker commit` and `docker run`. The image has all labels of the
// task; what runs of it is nobody's task, is let alone, and says nothing about the host.
#include "executor/tasks/labels.hpp"
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

namespace methos::executor::test {

namespace {

/// A task that runs, and a container of an image that was committed of it.
struct Committed : Joined {
    Committed() {
        launch_and_wait("demo.1");
        auto& image = docker.add_image("sick:1");
        image.labels = docker.containers().front()->labels;
        methos::test::FakeContainer copy;
        copy.name = "quirky_hopper";
        copy.image = "sick:1";
        copy.image_id = image.id;
        copy.labels = image.labels;
        copy.status = docker::ContainerStatus::Running;
        docker.add_container(copy);
    }

    void list_anew() {
        const auto before = master.inventories;
        docker.go_down();
        docker.come_up();
        run_until([&] { return master.inventories > before; });
    }

    /// Whatever an inventory has set off is over by the time that a task has started.
    void check_that_both_run(const std::string& next) {
        launch_and_wait(next);
        REQUIRE(docker.find("quirky_hopper") != nullptr);
        CHECK(docker.find("quirky_hopper")->status == docker::ContainerStatus::Running);
        CHECK(docker.find("methos-demo.1")->status == docker::ContainerStatus::Running);
        CHECK_FALSE(master.has("demo.1", TaskState::Failed));
    }
};

} // namespace

SCENARIO("a container of an image that was committed of a task is let alone") {
    Committed one;
    one.list_anew();
    one.list_anew();
    one.check_that_both_run("demo.2");
    AND_WHEN("the executor is started again") {
        const auto before = one.master.inventories;
        one.stop();
        one.start();
        one.run_until([&] { return one.master.inventories > before; });
        CHECK(one.master.inventory.size() == 2);
        one.list_anew();
        one.check_that_both_run("demo.3");
    }
    AND_WHEN("the task is gone") {
        one.master.kill("demo.1", 100);
        one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
        one.run_until([&] { return one.docker.find("methos-demo.1") == nullptr; });
        one.list_anew();
        CHECK(one.master.inventory.size() == 1);
        CHECK(one.docker.find("quirky_hopper") != nullptr);
    }
}

SCENARIO("a task's container that somebody has renamed is found again all the same") {
    Joined one;
    one.launch_and_wait("demo.1");
    one.docker.containers().front()->name = "mine";
    const auto before = one.master.inventories;
    one.stop();
    one.start();
    one.run_until([&] { return one.master.inventories > before; });
    REQUIRE(one.master.inventory.size() == 1);
    CHECK(one.master.inventory.front().name == TaskName("demo.1"));
}

SCENARIO("a copy of another host's task does not say which host this is") {
    Committed one;
    const auto id = one.master.host.id;
    one.stop();
    one.docker.remove("methos-demo.1");
    one.options.data_dir = one.folder.file("other");
    one.start();
    one.run_until([&] { return one.master.hellos == 2; });
    CHECK(one.master.host.id != id);
}

} // namespace methos::executor::test
