// The contract of the Docker Engine as executor/docker relies on it. The same cases run on the fake
// Engine (suite component) and on a real dockerd (suite docker), so that the fake cannot drift.
// What each dockerd says in its own words is compared by what the client makes of it.
#include "core/runtime/async.hpp"
#include "executor/streams/log_reader.hpp"
#include "tests/component/docker/bench.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace methos::test {

namespace {

using namespace docker;
using Kind = EngineBench::Kind;

/// One label per case, so that cases do not see each other's containers.
struct Case {
    explicit Case(Engine& engine_) : engine(engine_), name("methos-contract-" + random_hex(6)) {}

    Engine& engine;
    std::string name;

    [[nodiscard]] ContainerConfig script(const std::string& text) const {
        ContainerConfig config;
        config.image = contract_image;
        config.command = {"/bin/sh", "-c", text};
        config.labels["methos.contract"] = name;
        config.network_mode = "none";
        return config;
    }

    [[nodiscard]] ListQuery mine() const {
        ListQuery query;
        query.labels.emplace_back("methos.contract", name);
        return query;
    }
};

awaitable<std::string> create(Case& test, ContainerConfig config) {
    auto created = co_await test.engine.create_container(std::move(config), test.name);
    co_return std::move(created).value().id;
}

awaitable<void> start(Case& test) {
    auto started = co_await test.engine.start_container(test.name);
    REQUIRE(std::move(started).value() == StartOutcome::Started);
}

awaitable<ContainerState> inspect(Case& test) {
    auto state = co_await test.engine.inspect_container(test.name);
    co_return std::move(state).value();
}

awaitable<ContainerState> wait_for_exit(Case& test) {
    for (;;) {
        auto state = co_await inspect(test);
        if (state.status == ContainerStatus::Exited) {
            co_return state;
        }
        co_await sleep_for(std::chrono::milliseconds(10)); // asks again; asserts no time
    }
}

awaitable<void> remove(Case& test) {
    auto removed = co_await test.engine.remove_container(test.name, true);
    REQUIRE(std::move(removed).value() == RemoveOutcome::Removed);
}

awaitable<std::vector<streams::LogLine>> read_log(Case& test, LogQuery query, bool tty) {
    auto body = co_await test.engine.logs(test.name, query);
    streams::LogFormat format;
    format.tty = tty;
    format.timestamps = query.timestamps;
    streams::LogReader reader(std::move(body).value(), format);
    std::vector<streams::LogLine> all;
    for (;;) {
        const auto lines = co_await reader.read();
        if (lines.empty()) {
            co_return all;
        }
        all.insert(all.end(), lines.begin(), lines.end());
    }
}

std::vector<std::string> texts_of(const std::vector<streams::LogLine>& lines, Channel channel) {
    std::vector<std::string> texts;
    for (const auto& line : lines) {
        if (line.channel == channel) {
            texts.push_back(line.text);
        }
    }
    return texts;
}

// ---- the cases

awaitable<void> knows_its_version(Engine& engine) {
    const auto version = co_await engine.negotiate();
    CHECK(version.api >= ApiVersion{1, 41});
    CHECK(version.api <= version.api_max);
    CHECK_FALSE(version.engine.empty());
    CHECK(version.os == "linux");
    co_await engine.ping();
    const auto info = co_await engine.info();
    CHECK(info.cpus > 0);
    CHECK(info.memory_bytes > 0);
    CHECK_FALSE(info.root_dir.empty());
    CHECK(engine.version().has_value()); // no answer looked like another Engine's
}

awaitable<void> images_are_inspected_tagged_and_removed(Engine& engine) {
    const auto image = (co_await engine.inspect_image(contract_image)).value();
    CHECK(image.id.rfind("sha256:", 0) == 0);
    CHECK(image.command == std::vector<std::string>{"/bin/sh"});
    CHECK(std::count(image.repo_tags.begin(), image.repo_tags.end(), contract_image) == 1);

    const auto missing = co_await engine.inspect_image("methos-test/no-such-image:1");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == EngineFault::NoSuchImage);

    (co_await engine.tag_image(image.id, "methos-test/alias", "2")).value();
    const auto alias = (co_await engine.inspect_image("methos-test/alias:2")).value();
    CHECK(alias.id == image.id);
    const auto first = co_await engine.remove_image("methos-test/alias:2", false);
    CHECK(first.value() == ImageRemoveOutcome::Removed);
    const auto second = co_await engine.remove_image("methos-test/alias:2", false);
    CHECK(second.value() == ImageRemoveOutcome::NoSuchImage);
    const auto still = co_await engine.inspect_image(image.id);
    CHECK(still.has_value());
}

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

awaitable<void> events_tell_what_happens(Engine& engine) {
    Case test(engine);
    EventQuery query;
    query.types = {"container"};
    query.labels.emplace_back("methos.contract", test.name);
    auto events = co_await engine.events(query);
    const auto id = co_await create(test, test.script("exit 3"));
    co_await start(test);
    co_await wait_for_exit(test);
    co_await remove(test);
    std::set<std::string> seen;
    UnixNanos first = 0;
    while (seen.count("destroy") == 0) {
        const auto event = co_await events->next();
        REQUIRE(event);
        CHECK(event->type == "container");
        CHECK(event->id == id);
        CHECK(event->time > 0);
        first = first == 0 ? event->time : first;
        if (event->action == "die") {
            CHECK(event->exit_code() == 3);
        }
        seen.insert(event->action);
    }
    const std::set<std::string> wanted{"create", "start", "die", "destroy"};
    CHECK(std::includes(seen.begin(), seen.end(), wanted.begin(), wanted.end()));

    query.since = first;
    query.actions = {"die"};
    auto replay = co_await engine.events(query);
    const auto again = co_await replay->next();
    REQUIRE(again);
    CHECK(again->action == "die");
    CHECK(again->id == id);
}

awaitable<void> logs_are_read_as_lines(Engine& engine) {
    Case test(engine);
    co_await create(
        test,
        test.script("echo one; echo two; head -c 40000 /dev/zero | tr '\\0' x; echo; echo bad >&2; "
                    "exit 0"));
    co_await start(test);
    LogQuery query;
    query.follow = true; // ends with the container
    const auto lines = co_await read_log(test, query, false);
    const auto out = texts_of(lines, Channel::Out);
    REQUIRE(out.size() >= 3);
    CHECK(out[0] == "one");
    CHECK(out[1] == "two");
    CHECK(out[2] == std::string(40000, 'x')); // three parts of a line, joined
    CHECK(texts_of(lines, Channel::Err) == std::vector<std::string>{"bad"});
    CHECK(std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.time > 0; }));
    co_await wait_for_exit(test);

    LogQuery errors;
    errors.out = false;
    errors.timestamps = false;
    const auto bad = co_await read_log(test, errors, false);
    REQUIRE(bad.size() == 1);
    CHECK(bad[0].text == "bad");
    CHECK(bad[0].time == 0);

    LogQuery since;
    since.err = false;
    since.since = lines[1].time;
    const auto later = co_await read_log(test, since, false);
    REQUIRE_FALSE(later.empty());
    CHECK(later[0].text == "two"); // inclusive

    LogQuery tail;
    tail.tail = 1;
    const auto last = co_await read_log(test, tail, false);
    CHECK(last.size() == 1);
    co_await remove(test);
}

awaitable<void> a_terminals_log_is_raw(Engine& engine) {
    Case test(engine);
    auto config = test.script("echo one; echo two; exit 0");
    config.tty = true;
    co_await create(test, config);
    co_await start(test);
    const auto state = co_await wait_for_exit(test);
    CHECK(state.tty);
    LogQuery query;
    const auto lines = co_await read_log(test, query, state.tty);
    CHECK(texts_of(lines, Channel::Out) == std::vector<std::string>{"one", "two"});
    co_await remove(test);
}

awaitable<void> commands_run_inside(Engine& engine) {
    Case test(engine);
    co_await create(test, test.script("exec sleep 1000"));
    co_await start(test);
    ExecRequest request;
    request.command = {"/bin/sh", "-c", "echo hello; exit 5"};
    const auto result = (co_await engine.exec(test.name, request)).value();
    CHECK(result.exit_code == 5);
    CHECK(result.output == "hello\n");
    const auto killed = co_await engine.kill_container(test.name, "SIGKILL");
    CHECK(killed.has_value());
    co_await wait_for_exit(test);
    const auto late = co_await engine.exec(test.name, request);
    REQUIRE_FALSE(late);
    CHECK(late.error().fault == EngineFault::NotRunning);
    co_await remove(test);
}

awaitable<void> a_registry_that_is_away_is_worth_another_try(Engine& engine) {
    PullRequest request;
    request.image = "127.0.0.1:1/nothing";
    request.tag = "1";
    const PullObserver nobody;
    const auto pulled = co_await engine.pull(request, nobody);
    REQUIRE_FALSE(pulled);
    CHECK(pulled.error().fault == EngineFault::Retryable);
}

awaitable<void> an_image_is_pulled_with_progress(Engine& engine) {
    PullRequest request;
    request.image = pull_image();
    request.tag = "1";
    const auto wanted = request.reference();
    std::vector<PullProgress> seen;
    PullObserver observer = [&seen](const PullProgress& progress) { seen.push_back(progress); };
    auto pulled = (co_await engine.pull(request, observer)).value();
    REQUIRE_FALSE(seen.empty());
    CHECK(seen.back().layers_total == 2);
    CHECK(seen.back().layers_done == 2);
    CHECK(seen.back().bytes_done == seen.back().bytes_total);
    CHECK(seen.back().bytes_total > 0);
    CHECK(pulled.digest.rfind("sha256:", 0) == 0);
    const auto image = (co_await engine.inspect_image(wanted)).value();
    CHECK(image.id == pulled.image.id);
    (co_await engine.remove_image(wanted, false)).value();

    request.tag = "no-such-tag";
    const auto missing = co_await engine.pull(request, observer);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == EngineFault::ImageUnknown);
}

/// An empty archive: two blocks of nothing.
class EmptyTar final : public http::BodyReader {
  public:
    awaitable<std::optional<std::string>> read() override {
        if (std::exchange(done_, true)) {
            co_return std::nullopt;
        }
        co_return std::string(1024, '\0');
    }

  private:
    bool done_ = false;
};

awaitable<void> an_archive_becomes_an_image(Engine& engine) {
    std::shared_ptr<http::BodyReader> tar = std::make_shared<EmptyTar>();
    std::vector<std::string> changes{R"(CMD ["/hello"])"};
    const auto id = (co_await engine.import_image(tar, "methos-test/empty", "1", changes)).value();
    const auto image = (co_await engine.inspect_image("methos-test/empty:1")).value();
    CHECK(image.id == id);
    CHECK(image.command == std::vector<std::string>{"/hello"});
    (co_await engine.remove_image("methos-test/empty:1", false)).value();
}

struct ContractCase {
    const char* name;
    awaitable<void> (*run)(Engine&);
};

const std::vector<ContractCase>& contract_cases() {
    static const std::vector<ContractCase> cases{
        {"an Engine tells its version", knows_its_version},
        {"images are inspected, tagged and removed", images_are_inspected_tagged_and_removed},
        {"a container lives its life", a_container_lives_its_life},
        {"what is not there is said so", what_is_not_there_is_said_so},
        {"a name belongs to one container", a_name_belongs_to_one},
        {"mistakes are told apart", mistakes_are_told_apart},
        {"exit codes and kills are seen", exit_codes_and_kills_are_seen},
        {"a port is published once", ports_are_published_once},
        {"events tell what happens", events_tell_what_happens},
        {"logs are read as lines", logs_are_read_as_lines},
        {"a terminal's log is raw", a_terminals_log_is_raw},
        {"commands run inside", commands_run_inside},
        {"an image is pulled with progress", an_image_is_pulled_with_progress},
        {"an archive becomes an image", an_archive_becomes_an_image},
        {"a registry that is away is worth another try",
         a_registry_that_is_away_is_worth_another_try},
    };
    return cases;
}

} // namespace

TEST_CASE("the Engine keeps the contract", "[contract]") {
    for (const auto& one : contract_cases()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::Given);
            bench.run(one.run(*bench.engine));
        }
    }
}

TEST_CASE("the fake Engine keeps the contract, each byte alone") {
    for (const auto& one : contract_cases()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::FakeSplit);
            bench.run(one.run(*bench.engine));
        }
    }
}

TEST_CASE("the fake Engine keeps the contract as the newest version") {
    for (const auto& one : contract_cases()) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench(Kind::Fake);
            bench.fake->set_api("1.52", "1.44", "29.0.0");
            bench.run(one.run(*bench.engine));
        }
    }
}

} // namespace methos::test
