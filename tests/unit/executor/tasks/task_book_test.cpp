// The task book: what a host's tasks do together. When an inventory is the truth, whose a found
// container is, what becomes of orders for tasks that are not there. One task's own life is
// lifecycle_test's.
#include "executor/tasks/task_book.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;
using Status = ContainerFacts::Status;

ContainerFacts container_of(const std::string& task, Status status) {
    ContainerFacts facts;
    facts.id = "c-" + task;
    facts.status = status;
    facts.task = task;
    facts.host = "h1";
    facts.app = "/demo";
    facts.attempt = 1;
    facts.started_at = WallTime(1'000'000s);
    facts.finished_at = WallTime(1'000'000s);
    return facts;
}

/// A host whose Docker lists what the test says.
struct Bench {
    Bench() {
        now.mono = MonoTime(100s);
        now.wall = WallTime(1'000'000s);
        book.session_opened();
    }

    /// Docker is there with these containers, and inspect says what the list said.
    Orders to_known(const std::vector<ContainerFacts>& list) {
        auto orders = book.docker_up(list, now);
        for (const auto& facts : list) {
            auto more = book.inspected(facts.id, event::Seen{facts}, now);
            std::move(more.begin(), more.end(), std::back_inserter(orders));
        }
        return orders;
    }

    Orders launch(const std::string& name) {
        auto spec = std::make_shared<TaskSpec>();
        spec->app = "/demo";
        TaskLaunch launch;
        launch.number = TaskNumber(7);
        launch.name = TaskName(name);
        return book.launch(std::move(spec), std::move(launch), now);
    }

    /// The terminal status of a task reaches the master.
    Orders acknowledge(const std::string& name) {
        Orders orders;
        for (const auto& status : book.take_updates(now)) {
            if (status.name == TaskName(name)) {
                orders = book.acknowledge(TaskNumber(), status.name, status.stamp, now);
            }
        }
        return orders;
    }

    Orders acknowledge_all() {
        Orders orders;
        for (const auto& status : book.take_updates(now)) {
            auto more = book.acknowledge(TaskNumber(), status.name, status.stamp, now);
            std::move(more.begin(), more.end(), std::back_inserter(orders));
        }
        return orders;
    }

    TaskBook book{"h1"};
    Now now;
};

template <class Wanted>
std::size_t count(const Orders& orders) {
    return static_cast<std::size_t>(
        std::count_if(orders.begin(), orders.end(), [](const Order& order) {
            return std::holds_alternative<Wanted>(order);
        }));
}

template <class Wanted>
bool asks_for(const Orders& orders, const std::string& task) {
    return std::any_of(orders.begin(), orders.end(), [&task](const Order& order) {
        const auto* perform = std::get_if<order::Perform>(&order);
        return perform != nullptr && perform->task == TaskName(task) &&
               std::holds_alternative<Wanted>(perform->action);
    });
}

TaskState state_of(const TaskBook& book, const std::string& name) {
    for (const auto& status : book.inventory()) {
        if (status.name == TaskName(name)) {
            return status.state;
        }
    }
    return TaskState::Unknown;
}

} // namespace

SCENARIO("an executor that was restarted finds its tasks by their containers") {
    Bench bench;
    const auto one = container_of("demo.1", Status::Running);
    const auto two = container_of("demo.2", Status::Running);

    WHEN("Docker has listed them and only one was looked at") {
        CHECK(count<order::InspectFound>(bench.book.docker_up({one, two}, bench.now)) == 2);
        const auto orders = bench.book.inspected(one.id, event::Seen{one}, bench.now);
        THEN("an inventory would still be a lie") {
            CHECK(count<order::TellInventory>(orders) == 0);
            CHECK_FALSE(bench.book.knows_containers());
        }
        THEN("the last one completes it") {
            const auto last = bench.book.inspected(two.id, event::Seen{two}, bench.now);
            CHECK(count<order::TellInventory>(last) == 1);
            CHECK(bench.book.knows_containers());
            CHECK(bench.book.inventory().size() == 2);
            CHECK(state_of(bench.book, "demo.2") == TaskState::Running);
        }
        THEN("one that is gone meanwhile completes it too") {
            const auto last = bench.book.inspected(two.id, event::Missing(), bench.now);
            CHECK(count<order::TellInventory>(last) == 1);
            CHECK(bench.book.inventory().size() == 1);
        }
    }
    WHEN("Docker cannot inspect one, try after try") {
        (void)bench.book.docker_up({one}, bench.now);
        int tries = 1;
        Orders orders = bench.book.inspected(one.id, event::InspectFailed(), bench.now);
        while (orders.empty() && tries < 100) {
            bench.now.mono = bench.book.next_due().value();
            ++tries;
            REQUIRE(count<order::InspectFound>(bench.book.tick(bench.now)) == 1);
            orders = bench.book.inspected(one.id, event::InspectFailed(), bench.now);
        }
        THEN("what the list said must do in the end") {
            CHECK(tries == 6);
            CHECK(count<order::TellInventory>(orders) == 1);
            CHECK(state_of(bench.book, "demo.1") == TaskState::Running);
        }
        THEN("what the list does not know is told as soon as Docker can say it") {
            (void)bench.book.deliver(TaskName("demo.1"), event::InspectFailed(), bench.now);
            bench.now.mono += 10s;
            (void)bench.book.tick(bench.now);
            auto seen = one;
            seen.ip_addresses = {"172.17.0.2"};
            (void)bench.book.deliver(TaskName("demo.1"), event::Seen{seen}, bench.now);
            const auto* task = bench.book.find(TaskName("demo.1"));
            REQUIRE(task != nullptr);
            CHECK(task->life.last_status().ip_addresses == seen.ip_addresses);
        }
    }
    WHEN("all are known and Docker goes away") {
        (void)bench.to_known({one, two});
        REQUIRE(bench.book.knows_containers());
        (void)bench.book.docker_down(bench.now);
        THEN("what runs there is not known until it has listed them again") {
            CHECK_FALSE(bench.book.knows_containers());
            CHECK(count<order::TellInventory>(bench.book.docker_up({one, two}, bench.now)) == 1);
            CHECK(bench.book.knows_containers());
        }
    }
    WHEN("Docker goes away between two tries") {
        (void)bench.book.docker_up({one}, bench.now);
        (void)bench.book.inspected(one.id, event::InspectFailed(), bench.now);
        (void)bench.book.docker_down(bench.now);
        THEN("nothing is tried until it is back and lists it again") {
            CHECK_FALSE(bench.book.next_due());
            CHECK(count<order::InspectFound>(bench.book.docker_up({one}, bench.now)) == 1);
        }
    }
    WHEN("the container is another host's, on the same Docker") {
        auto foreign = one;
        foreign.host = "h2";
        const auto orders = bench.book.docker_up({foreign}, bench.now);
        THEN("it is let alone") {
            CHECK(count<order::InspectFound>(orders) == 0);
            CHECK(count<order::TellInventory>(orders) == 1);
        }
    }
    WHEN("no container is there") {
        THEN("that is known at once") {
            CHECK(count<order::TellInventory>(bench.book.docker_up({}, bench.now)) == 1);
        }
    }
}

SCENARIO("a kill reaches a task that the restarted executor has not found yet") {
    Bench bench;
    CHECK(bench.book.kill(TaskNumber(7), TaskName("demo.1"), {}, bench.now).empty());
    const auto orders = bench.to_known({container_of("demo.1", Status::Running)});
    CHECK(asks_for<action::Stop>(orders, "demo.1"));
    THEN("what the master has not acknowledged is said first") {
        CHECK(state_of(bench.book, "demo.1") == TaskState::Running);
        (void)bench.acknowledge("demo.1");
        CHECK(state_of(bench.book, "demo.1") == TaskState::Killing);
    }
}

SCENARIO("a kill of a task that is not here") {
    Bench bench;
    (void)bench.to_known({});
    WHEN("nobody knows it") {
        (void)bench.book.kill(TaskNumber(7), TaskName("demo.1"), {}, bench.now);
        THEN("the master hears that it is over") {
            const auto updates = bench.book.take_updates(bench.now);
            REQUIRE(updates.size() == 1);
            CHECK(updates[0].state == TaskState::Dropped);
            CHECK(updates[0].number == TaskNumber(7));
        }
    }
    WHEN("it was refused") {
        TaskLaunch launch;
        launch.number = TaskNumber(7);
        launch.name = TaskName("demo.1");
        bench.book.refuse(launch, TaskState::Error, Reason::PolicyDenied, "no", bench.now);
        (void)bench.book.kill(TaskNumber(7), launch.name, {}, bench.now);
        THEN("the refusal is the one answer, until it is acknowledged") {
            const auto updates = bench.book.take_updates(bench.now);
            REQUIRE(updates.size() == 1);
            CHECK(updates[0].state == TaskState::Error);
            (void)bench.book.acknowledge(TaskNumber(7), TaskName(), updates[0].stamp, bench.now);
            bench.now.mono += 1h;
            CHECK(bench.book.take_updates(bench.now).empty());
        }
    }
}

SCENARIO("an inventory names refused launches until the master knows") {
    Bench bench;
    (void)bench.to_known({container_of("demo.1", Status::Running)});
    TaskLaunch launch;
    launch.number = TaskNumber(8);
    launch.name = TaskName("demo.2");
    bench.book.refuse(launch, TaskState::Error, Reason::PolicyDenied, "no", bench.now);
    CHECK(bench.book.inventory().size() == 2); // of each task one line
    CHECK(state_of(bench.book, "demo.2") == TaskState::Error);
    (void)bench.acknowledge_all();
    CHECK(bench.book.inventory().size() == 1);
}

SCENARIO("a LAUNCH that is repeated makes no second container") {
    Bench bench;
    (void)bench.to_known({container_of("demo.1", Status::Running)});
    (void)bench.acknowledge("demo.1");
    const auto orders = bench.launch("demo.1");
    CHECK(orders.empty());
    const auto updates = bench.book.take_updates(bench.now);
    REQUIRE(updates.size() == 1);
    CHECK(updates[0].state == TaskState::Running);
    CHECK(updates[0].number == TaskNumber(7));
}

SCENARIO("two containers carry one task's labels") {
    Bench bench;
    auto second = container_of("demo.1", Status::Running);
    second.id = "late";
    (void)bench.to_known({container_of("demo.1", Status::Running)});
    const auto orders =
        bench.book.listed({container_of("demo.1", Status::Running), second}, bench.now);
    REQUIRE(count<order::RemoveStray>(orders) == 1);
    for (const auto& order : orders) {
        if (const auto* remove = std::get_if<order::RemoveStray>(&order)) {
            CHECK(remove->container_id == "late");
        }
    }
}

SCENARIO("of two containers of one task a new executor goes on with the one that runs") {
    Bench bench;
    auto ended = container_of("demo.1", Status::Exited);
    ended.id = "ended";
    auto running = container_of("demo.1", Status::Running);
    running.id = "running";
    const bool is_ended_first = GENERATE(true, false);
    const auto list = is_ended_first ? std::vector{ended, running} : std::vector{running, ended};
    (void)bench.book.docker_up(list, bench.now);
    const auto first = bench.book.inspected(list[0].id, event::Seen{list[0]}, bench.now);
    CHECK(bench.book.find(TaskName("demo.1")) == nullptr);
    CHECK(count<order::TellInventory>(first) == 0);
    const auto second = bench.book.inspected(list[1].id, event::Seen{list[1]}, bench.now);
    CHECK(count<order::TellInventory>(second) == 1);
    REQUIRE(bench.book.inventory().size() == 1);
    CHECK(bench.book.inventory().front().state == TaskState::Running);
    CHECK(bench.book.inventory().front().container_id == "running");
    CHECK(count<order::RemoveStray>(bench.book.listed(list, bench.now)) == 1);
}

SCENARIO("two containers of one task are looked at anew when Docker goes away between them") {
    Bench bench;
    auto ended = container_of("demo.1", Status::Exited);
    ended.id = "ended";
    auto gone = container_of("demo.1", Status::Running);
    gone.id = "gone";
    (void)bench.book.docker_up({ended, gone}, bench.now);
    (void)bench.book.inspected("ended", event::Seen{ended}, bench.now);
    (void)bench.book.docker_down(bench.now);
    (void)bench.book.inspected("gone", event::InspectFailed(), bench.now);
    const auto again = bench.to_known({ended});
    CHECK(count<order::InspectFound>(again) == 1);
    CHECK(count<order::TellInventory>(again) == 1);
    CHECK(bench.book.inventory().size() == 1);
}

SCENARIO("only the newest ended container of an app is kept") {
    Bench bench;
    (void)bench.to_known(
        {container_of("demo.1", Status::Exited), container_of("demo.2", Status::Running)});
    CHECK_FALSE(asks_for<action::Remove>(bench.acknowledge("demo.1"), "demo.1"));

    const auto orders =
        bench.book.container_event(TaskName("demo.2"), "c-demo.2", event::Hint{1}, bench.now);
    CHECK(asks_for<action::Inspect>(orders, "demo.2"));
    const auto ended = bench.book.deliver(
        TaskName("demo.2"), event::Seen{container_of("demo.2", Status::Exited)}, bench.now);
    CHECK(asks_for<action::Remove>(ended, "demo.1"));
    CHECK_FALSE(asks_for<action::Remove>(ended, "demo.2"));
}

SCENARIO("of tasks without an app some ended containers are kept, the newest") {
    constexpr std::size_t tasks = 20;
    constexpr std::size_t kept = 17; // the last one, and 16 others
    Bench bench;
    std::vector<ContainerFacts> list;
    for (std::size_t i = 0; i < tasks; ++i) {
        list.push_back(container_of("job." + std::to_string(i), Status::Running));
        list.back().app.clear();
    }
    (void)bench.to_known(list);
    Orders orders = bench.acknowledge_all();
    for (auto& facts : list) {
        bench.now.wall += 1s;
        facts.status = Status::Exited;
        facts.finished_at = bench.now.wall;
        const TaskName name(facts.task);
        (void)bench.book.container_event(name, facts.id, event::Hint{0}, bench.now);
        for (auto& more :
             {bench.book.deliver(name, event::Seen{facts}, bench.now), bench.acknowledge_all()}) {
            orders.insert(orders.end(), more.begin(), more.end());
        }
    }
    for (std::size_t i = 0; i < tasks; ++i) {
        INFO("job." << i);
        CHECK(asks_for<action::Remove>(orders, list[i].task) == (i < tasks - kept));
    }
}

SCENARIO("nothing that has ended is kept where nothing is to be") {
    Bench bench;
    bench.book = TaskBook("h1", false);
    bench.book.session_opened();
    (void)bench.to_known({container_of("demo.1", Status::Exited)});
    CHECK(asks_for<action::Remove>(bench.acknowledge("demo.1"), "demo.1"));
}

SCENARIO("a start that waited for its turn is not sent when the task is wanted dead") {
    Bench bench;
    (void)bench.to_known({});
    (void)bench.launch("demo.1");
    CHECK(bench.book.may_start(TaskName("demo.1")));
    (void)bench.book.kill(TaskNumber(7), TaskName(), {}, bench.now);
    CHECK_FALSE(bench.book.may_start(TaskName("demo.1")));
    CHECK_FALSE(bench.book.may_start(TaskName("nobody")));
}

SCENARIO("a start that waited for its turn waits for Docker, too") {
    Bench bench;
    (void)bench.to_known({});
    (void)bench.launch("demo.1");
    (void)bench.book.docker_down(bench.now);
    CHECK_FALSE(bench.book.may_start(TaskName("demo.1")));
    (void)bench.book.docker_up({}, bench.now);
    CHECK(bench.book.may_start(TaskName("demo.1")));
}

SCENARIO("a list that differs from what is known is looked into") {
    Bench bench;
    (void)bench.to_known({container_of("demo.1", Status::Running)});
    CHECK(bench.book.listed({container_of("demo.1", Status::Running)}, bench.now).empty());
    CHECK(asks_for<action::Inspect>(
        bench.book.listed({container_of("demo.1", Status::Exited)}, bench.now), "demo.1"));
}

SCENARIO("a task whose container cannot be inspected goes by the list") {
    Bench bench;
    (void)bench.to_known({});
    const TaskName name("demo.1");
    (void)bench.launch("demo.1");
    (void)bench.book.deliver(name, event::ImageReady{"sha256:1"}, bench.now);
    (void)bench.book.deliver(name, event::Created{"c-demo.1"}, bench.now);
    (void)bench.book.deliver(name, event::Started(), bench.now);
    const auto running = container_of("demo.1", Status::Running);
    CHECK(bench.book.listed({running}, bench.now).empty());
    for (int i = 0; i < 10; ++i) {
        (void)bench.book.deliver(name, event::InspectFailed(), bench.now);
        bench.now.mono += 5s;
        (void)bench.book.tick(bench.now);
    }
    auto foreign = running; // another host's on the same Docker
    foreign.id = "foreign";
    foreign.host = "h2";
    (void)bench.book.listed({foreign, running}, bench.now);
    (void)bench.book.deliver(name, event::InspectFailed(), bench.now);
    CHECK(state_of(bench.book, "demo.1") == TaskState::Running);
    CHECK(bench.book.find(name)->life.container_id() == "c-demo.1");
}

SCENARIO("an ended container that was found again and is started by somebody is removed") {
    Bench bench;
    (void)bench.to_known({container_of("demo.1", Status::Exited)});
    (void)bench.acknowledge("demo.1");
    const auto running = container_of("demo.1", Status::Running);
    const TaskName name("demo.1");

    WHEN("an event tells it") {
        CHECK(asks_for<action::Inspect>(
            bench.book.container_event(name, running.id, event::Runs(), bench.now), "demo.1"));
    }
    WHEN("the event was lost, and the next list tells it") {
        CHECK(asks_for<action::Inspect>(bench.book.listed({running}, bench.now), "demo.1"));
    }
    const auto orders = bench.book.deliver(name, event::Seen{running}, bench.now);
    CHECK(asks_for<action::Remove>(orders, "demo.1"));
    CHECK(count<order::Note>(orders) == 1);
}

} // namespace methos::executor
