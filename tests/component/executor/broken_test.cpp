// What becomes of an executor when a part of it fails that nothing can do without: it says so, and
// does not go on as a host that beats and does nothing.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include "executor/fetch/fetcher.hpp"
#include "executor/images/puller.hpp"
#include "executor/tasks/runner.hpp"

#include <stdexcept>

namespace methos::executor::test {

using namespace std::chrono_literals;

namespace {

std::string failure_of(ClusterOfOne& one) {
    std::string what;
    one.run([](ClusterOfOne& lab, std::string& said) -> awaitable<> {
        try {
            co_await lab.executor->broken();
        } catch (const Failure& failure) {
            said = failure.what();
        }
    }(one, what));
    return what;
}

} // namespace

SCENARIO("an executor of which a lasting part has failed says so") {
    ClusterOfOne one;
    bool fails = false;
    one.senses.measure_disk = [&fails](const std::string&) {
        if (fails) {
            throw std::runtime_error("the disk cannot be measured");
        }
        return DiskSpace{};
    };
    one.senses.look_interval = 5ms;
    one.start();
    one.run_until([&] { return one.master.inventories > 0; });
    fails = true;
    CHECK(failure_of(one).find("the disk cannot be measured") != std::string::npos);
    fails = false;
    one.stop(false);
}

SCENARIO("an order that cannot be carried out breaks the runner") {
    ClusterOfOne one;
    http::Client client(one.loop.get_executor(), http::ClientOptions());
    docker::Engine engine(client, one.options.docker_socket);
    ImagePuller images(one.loop.get_executor(), engine, PullerOptions());
    Fetcher files(one.loop.get_executor(), client, FetchOptions());
    std::string said;
    RunnerHandlers handlers;
    handlers.send = [](const auto&) {};
    handlers.docker_changed = [] {};
    handlers.inventory_due = [] { throw std::runtime_error("no inventory today"); };
    handlers.broke = [&said](const Error& error) { said = error.to_string(); };
    TaskRunner runner(one.loop.get_executor(), engine, images, files, RunnerOptions(), handlers);
    runner.start();
    one.run_until([&] { return !said.empty(); });
    CHECK(said.find("no inventory today") != std::string::npos);
    one.run(runner.stop());
    one.run(files.stop());
    one.run(images.stop());
}

SCENARIO("long words about many tasks do not break the session") {
    constexpr int tasks = 150; // of 60 kB each: more than a frame may hold
    Joined one;
    one.master.edit = [](TaskLaunch&, TaskSpec& spec) {
        FetchItem item;
        item.uri = "gopher://" + std::string(60'000, 'x');
        spec.fetch = {item};
    };
    for (int i = 0; i < tasks; ++i) {
        one.master.launch("demo." + std::to_string(i), "demo:1");
    }
    const auto has_told_all = [&] {
        for (int i = 0; i < tasks; ++i) {
            if (!one.master.has("demo." + std::to_string(i), TaskState::Error)) {
                return false;
            }
        }
        return true;
    };
    one.run_until(has_told_all);
    CHECK(one.master.hellos == 1);
    CHECK(one.master.last("demo.0")->message.size() <= 4096);
    one.stop();
}

} // namespace methos::executor::test
