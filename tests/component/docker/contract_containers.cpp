// What an Engine promises of containers: their life from create to remove, names, ports, exit
// codes, and each mistake told apart from the others.
#include "tests/component/docker/bench.hpp"
#include "tests/component/docker/contract.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

namespace methos::test::contract {

namespace {

using namespace docker;

awaitable<void> a_container_lives_its_life(Engine& engine) {
    Case test(engine);
    auto config = test.script("exec sleep 1000");
    config.environment.emplace_back("COLOUR", "blue = green");
    config.cpu_milli = 500;
    config.memory_bytes = 64 * 1024 * 1024;
    const auto id = co_await create(test, std::move(config));
    const auto created = co_await inspect(test);
    CHECK(created.id == id);
    CHECK(created.name == test.name);
    CHECK(created.status == ContainerStatus::Created);
    CHECK_FALSE(created.is_failed_start());
    CHECK(created.started_at == 0);
    CHECK(created.created_at > 0);
    CHECK(created.labels.at("methos.contract") == test.name);
    CHECK(std::count(
              created.environment.begin(), created.environment.end(), "COLOUR=blue = green") == 1);
    CHECK(created.image == contract_image);
    CHECK(created.log_driver == "json-file");

    co_await start(test);
    const auto again = co_await engine.start_container(id);
    CHECK(again.value() == StartOutcome::AlreadyRunning);
    const auto running = co_await inspect(test);
    CHECK(running.is_running());
    CHECK(running.pid > 0);
    CHECK(running.started_at > 0);
    CHECK(running.finished_at == 0);

    const auto rows = co_await engine.list_containers(test.mine());
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == id);
    CHECK(rows[0].name == test.name);
    CHECK(rows[0].status == ContainerStatus::Running);
    CHECK(rows[0].image_id == running.image_id);
    CHECK(rows[0].labels.at("methos.contract") == test.name);

    const auto stopped = co_await engine.stop_container(id, std::chrono::seconds(10));
    CHECK(stopped.value() == StopOutcome::Stopped);
    const auto stopped_again = co_await engine.stop_container(id, std::chrono::seconds(1));
    CHECK(stopped_again.value() == StopOutcome::WasNotRunning);
    const auto exited = co_await inspect(test);
    CHECK(exited.status == ContainerStatus::Exited);
    CHECK(exited.exit_code == 143); // SIGTERM reached it: there is an init
    CHECK(exited.finished_at >= exited.started_at);
    CHECK(exited.pid == 0);

    auto running_only = test.mine();
    running_only.running_only = true;
    const auto none = co_await engine.list_containers(running_only);
    CHECK(none.empty());
    co_await remove(test);
    const auto gone = co_await engine.inspect_container(id);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().fault == EngineFault::NoSuchContainer);
}

awaitable<void> what_is_not_there_is_said_so(Engine& engine) {
    const std::string name = "methos-contract-nobody";
    const auto started = co_await engine.start_container(name);
    REQUIRE_FALSE(started);
    CHECK(started.error().fault == EngineFault::NoSuchContainer);
    const auto stopped = co_await engine.stop_container(name, std::chrono::seconds(1));
    CHECK(stopped.value() == StopOutcome::NoSuchContainer);
    const auto killed = co_await engine.kill_container(name, "SIGKILL");
    CHECK(killed.value() == KillOutcome::NoSuchContainer);
    const auto removed = co_await engine.remove_container(name, true);
    CHECK(removed.value() == RemoveOutcome::NoSuchContainer);
    LogQuery query;
    const auto log = co_await engine.logs(name, query);
    REQUIRE_FALSE(log);
    CHECK(log.error().fault == EngineFault::NoSuchContainer);
    ExecRequest request;
    request.command = {"true"};
    const auto executed = co_await engine.exec(name, request);
    REQUIRE_FALSE(executed);
    CHECK(executed.error().fault == EngineFault::NoSuchContainer);
}

awaitable<void> a_name_belongs_to_one(Engine& engine) {
    Case test(engine);
    auto config = test.script("exec sleep 1000");
    const auto id = co_await create(test, config);
    const auto second = co_await engine.create_container(config, test.name);
    REQUIRE_FALSE(second);
    CHECK(second.error().fault == EngineFault::NameConflict);
    CHECK(second.error().status == 409);
    CHECK(second.error().holder == id);
    co_await remove(test);
}

awaitable<void> mistakes_are_told_apart(Engine& engine) {
    Case test(engine);
    auto config = test.script("exit 0");
    config.image = "methos-test/no-such-image:1";
    const auto no_image = co_await engine.create_container(config, test.name);
    REQUIRE_FALSE(no_image);
    CHECK(no_image.error().fault == EngineFault::NoSuchImage);

    config = test.script("exit 0");
    Mount mount;
    mount.source = "/no/such/folder/on/this/host";
    mount.target = "/data";
    config.mounts.push_back(mount);
    const auto no_source = co_await engine.create_container(config, test.name);
    REQUIRE_FALSE(no_source);
    CHECK(no_source.error().fault == EngineFault::BadMount);

    config = test.script("exit 0");
    config.command = {"/no/such/program"};
    config.init = false;
    co_await create(test, config);
    const auto no_program = co_await engine.start_container(test.name);
    REQUIRE_FALSE(no_program);
    CHECK(no_program.error().fault == EngineFault::BadCommand);
    const auto state = co_await inspect(test);
    CHECK(state.is_failed_start());
    CHECK(state.exit_code == 127);
    co_await remove(test);

    config = test.script("exit 0");
    config.network_mode = "methos-no-such-network";
    const auto created = co_await engine.create_container(config, test.name);
    if (created) {
        const auto no_network = co_await engine.start_container(test.name);
        REQUIRE_FALSE(no_network);
        CHECK(no_network.error().fault == EngineFault::NetworkNotFound);
        co_await remove(test);
    } else {
        CHECK(created.error().fault == EngineFault::NetworkNotFound);
    }
}

awaitable<void> exit_codes_and_kills_are_seen(Engine& engine) {
    Case test(engine);
    co_await create(test, test.script("exit 7"));
    co_await start(test);
    const auto exited = co_await wait_for_exit(test);
    CHECK(exited.exit_code == 7);
    CHECK_FALSE(exited.oom_killed);
    const auto late = co_await engine.kill_container(test.name, "SIGKILL");
    CHECK(late.value() == KillOutcome::WasNotRunning);
    co_await remove(test);

    Case other(engine);
    co_await create(other, other.script("exec sleep 1000"));
    co_await start(other);
    const auto refused = co_await engine.remove_container(other.name, false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == EngineFault::InUse);
    const auto used = co_await engine.remove_image(contract_image, false);
    CHECK(used.value() == ImageRemoveOutcome::InUse);
    const auto killed = co_await engine.kill_container(other.name, "SIGKILL");
    CHECK(killed.value() == KillOutcome::Killed);
    const auto dead = co_await wait_for_exit(other);
    CHECK(dead.exit_code == 137);
    co_await remove(other);
}

awaitable<void> what_runs_out_of_memory_is_told(Engine& engine) {
    Case test(engine);
    auto config = test.script("exec tail /dev/zero");
    config.memory_bytes = 16 * 1024 * 1024;
    config.init = false;
    co_await create(test, std::move(config));
    co_await start(test);
    const auto exited = co_await wait_for_exit(test);
    CHECK(exited.exit_code == 137);
    CHECK(exited.oom_killed);
    co_await remove(test);
}

awaitable<void> ports_are_published_once(Engine& engine) {
    Case test(engine);
    auto config = test.script("exec sleep 1000");
    config.network_mode = "bridge";
    PortBinding port;
    port.container_port = 8080;
    config.ports.push_back(port);
    co_await create(test, config);
    co_await start(test);
    const auto running = co_await inspect(test);
    const auto found = std::find_if(running.ports.begin(),
                                    running.ports.end(),
                                    [](const auto& one) { return one.container_port == 8080; });
    REQUIRE(found != running.ports.end());
    CHECK(found->host_port > 0);
    REQUIRE(running.addresses.size() == 1);
    CHECK(running.addresses[0].network == "bridge");
    CHECK_FALSE(running.addresses[0].ip.empty());

    Case second(engine);
    auto same = second.script("exec sleep 1000");
    same.network_mode = "bridge";
    port.host_port = found->host_port;
    same.ports.push_back(port);
    co_await create(second, same);
    const auto refused = co_await engine.start_container(second.name);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == EngineFault::PortConflict);
    const auto failed = co_await inspect(second);
    CHECK(failed.is_failed_start());
    co_await remove(second);
    co_await remove(test);
}

} // namespace

std::vector<Clause> container_clauses() {
    return {
        {"a container lives its life", a_container_lives_its_life},
        {"what is not there is said so", what_is_not_there_is_said_so},
        {"a name belongs to one container", a_name_belongs_to_one},
        {"mistakes are told apart", mistakes_are_told_apart},
        {"exit codes and kills are seen", exit_codes_and_kills_are_seen},
        {"what runs out of memory is told", what_runs_out_of_memory_is_told},
        {"a port is published once", ports_are_published_once},
    };
}

} // namespace methos::test::contract
