// The Engine client and each API version from 1.40 to 1.53: what it is told differs
// (version_answers.cpp), what it understands does not. The fake Engine gives the fixtures, so the
// whole way from the negotiation to the value is walked; with real Engines the contract does that.
#include "executor/docker/pull_parser.hpp"
#include "tests/component/docker/bench.hpp"
#include "tests/component/docker/version_answers.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>

namespace methos::test {

namespace {

using namespace docker;

constexpr ApiVersion oldest_spoken{1, 41};
constexpr ApiVersion newest_spoken{1, 52};

/// The bench's Engine becomes one of that version.
void become(EngineBench& bench, const VersionAnswers& answers) {
    bench.fake->set_api(answers.api.to_string(), answers.api_min.to_string(), answers.engine);
    bench.fake->forget_faults();
    const auto tell = [&bench](const std::string& call, const std::string& body) {
        FakeFault answer;
        answer.call = "GET /" + call;
        answer.status = 200;
        answer.body = body;
        answer.times = -1;
        bench.fake->inject(answer);
    };
    tell("version", answers.version);
    tell("info", answers.info);
    tell("images/demo:1", answers.image);
    tell("images/sha256:cccc", answers.untagged);
    tell("images/bare:1", answers.bare);
    tell("containers/eeee", answers.runs);
    tell("containers/ffff", answers.never_started);
    tell("containers/json", answers.list);
}

awaitable<void> understands_the_host(EngineBench& bench, const VersionAnswers& answers) {
    const auto info = co_await bench.engine->info();
    CHECK(info.id == "7TRN:IPZB");
    CHECK(info.cpus == 4);
    CHECK(info.memory_bytes == 8589934592);
    CHECK(info.root_dir == "/var/lib/docker");
    CHECK(info.live_restore);
    CHECK(info.registry_mirrors.empty());
    const auto& version = bench.engine->version();
    REQUIRE(version);
    CHECK(version->api == std::min(answers.api, newest_spoken));
    CHECK(version->engine == answers.engine);
}

awaitable<void> understands_images(EngineBench& bench) {
    const auto image = (co_await bench.engine->inspect_image("demo:1")).value();
    CHECK(image.id == "sha256:aaaa");
    CHECK(image.repo_tags == std::vector<std::string>{"demo:1"});
    CHECK(image.size_bytes == 4000000);
    CHECK(image.user == "app");
    CHECK(image.command == std::vector<std::string>{"/bin/sh"});
    CHECK(image.entrypoint.empty());
    CHECK(image.environment == std::vector<std::string>{"PATH=/bin"});
    CHECK(image.exposed_ports == std::vector<std::string>{"80/tcp"});
    CHECK(image.labels.empty());
    const auto untagged = (co_await bench.engine->inspect_image("sha256:cccc")).value();
    CHECK(untagged.repo_tags.empty());
    CHECK(untagged.repo_digests.empty());
    CHECK(untagged.size_bytes == 1000);
    const auto bare = (co_await bench.engine->inspect_image("bare:1")).value();
    CHECK(bare.command.empty());
    CHECK(bare.environment.empty());
    CHECK(bare.user.empty());
}

awaitable<void> understands_containers(EngineBench& bench) {
    const auto runs = (co_await bench.engine->inspect_container("eeee")).value();
    CHECK(runs.is_running());
    CHECK(runs.name == "methos-demo.1");
    CHECK(runs.pid == 4711);
    CHECK(runs.created_at == 1767225600123456789);
    CHECK(runs.finished_at == 0);
    CHECK(runs.labels.at("io.methos.task") == "demo.1");
    CHECK(runs.environment.empty());
    REQUIRE(runs.addresses.size() == 1);
    CHECK(runs.addresses[0].ip == "172.17.0.2");
    CHECK(runs.addresses[0].gateway == "172.17.0.1");
    REQUIRE(runs.ports.size() == 1);
    CHECK(runs.ports[0].host_port == 31001);
    CHECK(runs.health == EngineHealth::None);
    const auto fresh = (co_await bench.engine->inspect_container("ffff")).value();
    CHECK(fresh.status == ContainerStatus::Created);
    CHECK_FALSE(fresh.is_failed_start());
    CHECK(fresh.addresses.empty());
    CHECK(fresh.started_at == 0);
    const ListQuery all;
    const auto rows = co_await bench.engine->list_containers(all);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == "eeee");
    CHECK(rows[0].name == "methos-demo.1");
    CHECK(rows[0].status == ContainerStatus::Running);
    CHECK(rows[0].labels.at("io.methos.task") == "demo.1");
}

awaitable<void> understands_what_flows(EngineBench& bench, const VersionAnswers& answers) {
    const EventQuery everything;
    auto events = co_await bench.engine->events(everything);
    bench.fake->emit_raw(answers.event);
    const auto event = co_await events->next();
    REQUIRE(event);
    CHECK(event->type == "container");
    CHECK(event->action == "die");
    CHECK(event->id == "eeee");
    CHECK(event->exit_code() == 137);
    CHECK(event->time == 1767225700000000001);
    PullParser pull;
    CHECK(pull.take_line(answers.pull_progress));
    CHECK(pull.progress().bytes_done == 512);
    CHECK(pull.progress().bytes_total == 1024);
    pull.take_line(answers.pull_error);
    CHECK(pull.error() == "manifest unknown");
}

awaitable<void> understands(EngineBench& bench, const VersionAnswers& answers) {
    co_await understands_the_host(bench, answers);
    co_await understands_images(bench);
    co_await understands_containers(bench);
    co_await understands_what_flows(bench, answers);
}

awaitable<void> refuses(EngineBench& bench, const VersionAnswers& answers) {
    auto asking = bench.engine->info();
    const auto error = co_await failure_of(std::move(asking));
    CHECK(error.code == Code::Unimplemented);
    CHECK(error.message == "Docker " + answers.engine + " speaks API " + answers.api.to_string() +
                               " at most; 1.41 (Docker 20.10) or newer is needed");
    CHECK_FALSE(bench.engine->version());
}

/// From one to the next without a word, as an upgrade does: by the answers only.
awaitable<void> follows_upgrades(EngineBench& bench) {
    for (const auto& answers : version_answers()) {
        if (answers.api < oldest_spoken) {
            continue;
        }
        become(bench, answers);
        co_await bench.engine->info(); // shows that it is another one
        co_await understands(bench, answers);
    }
}

} // namespace

TEST_CASE("each version of the Engine's API is understood alike, or refused with the reason") {
    const auto all = version_answers();
    CHECK(all.front().api == ApiVersion{1, 40});
    CHECK(all.back().api == ApiVersion{1, 53});
    for (const auto& answers : all) {
        DYNAMIC_SECTION(answers.api.to_string()) {
            EngineBench bench;
            become(bench, answers);
            if (answers.api < oldest_spoken) {
                bench.run(refuses(bench, answers));
            } else {
                bench.run(understands(bench, answers));
            }
        }
    }
}

TEST_CASE("an Engine that is upgraded from each version to the next is understood all the way") {
    EngineBench bench;
    bench.run(follows_upgrades(bench));
}

} // namespace methos::test
