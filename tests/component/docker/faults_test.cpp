// What the Engine client makes of an Engine that behaves badly: other versions, an upgrade behind
// its back, dropped and cut answers, answers that never come, pulls that stall. On the fake Engine
// only.
#include "core/runtime/async.hpp"
#include "core/runtime/timeout.hpp"
#include "tests/component/docker/bench.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <vector>

namespace methos::test {

namespace {

using namespace docker;

struct Speaks {
    const char* max;
    const char* min;
    const char* agreed; ///< empty: none
};

ContainerConfig sleeper() {
    ContainerConfig config;
    config.image = contract_image;
    config.command = {"/bin/sh", "-c", "exec sleep 1000"};
    config.network_mode = "none";
    return config;
}

const PullObserver no_observer;

awaitable<void> negotiates(EngineBench& bench, Speaks speaks) {
    bench.fake->set_api(speaks.max, speaks.min, "99.0");
    const std::string agreed = speaks.agreed;
    if (agreed.empty()) {
        auto asking = bench.engine->info();
        const auto error = co_await failure_of(std::move(asking));
        CHECK(error.code == Code::Unimplemented);
        CHECK(error.message.find("99.0") != std::string::npos);
        co_return;
    }
    co_await bench.engine->info();
    CHECK(bench.engine->version()->api.to_string() == agreed);
}

awaitable<void> notices_an_upgrade(EngineBench& bench) {
    co_await bench.engine->info();
    CHECK(bench.engine->version()->api == ApiVersion{1, 41});
    bench.fake->set_api("1.52", "1.44", "29.0.0");
    // 1.41 is refused now: the call itself finds that out and is repeated.
    const auto info = co_await bench.engine->info();
    CHECK(info.cpus == 4);
    CHECK(bench.engine->version()->api == ApiVersion{1, 52});
    CHECK(bench.engine->version()->engine == "29.0.0");
    // 1.52 is no longer spoken: a stream is repeated too.
    bench.fake->set_api("1.41", "1.12", "20.10.24");
    EventQuery query;
    auto events = co_await bench.engine->events(query);
    CHECK(bench.engine->version()->api == ApiVersion{1, 41});
    // Another build of the same API: seen by the Server header.
    bench.fake->set_api("1.41", "1.12", "20.10.25");
    co_await bench.engine->info();
    CHECK_FALSE(bench.engine->version());
    co_await bench.engine->info();
    CHECK(bench.engine->version()->engine == "20.10.25");
}

awaitable<void> a_lost_answer_leaves_the_outcome_to_be_asked(EngineBench& bench) {
    co_await bench.engine->negotiate();
    FakeFault fault;
    fault.call = "POST /containers/create";
    fault.kind = FakeFault::Kind::DropAfter;
    fault.times = -1;
    bench.fake->inject(fault);
    auto creating = bench.engine->create_container(sleeper(), "lost");
    const auto error = co_await failure_of(std::move(creating));
    CHECK((error.code == Code::Unavailable || error.code == Code::Protocol));
    CHECK(error.to_string().find("POST") != std::string::npos);
    const auto state = co_await bench.engine->inspect_container("lost");
    CHECK(state.has_value()); // it was done
}

awaitable<void> a_cut_answer_is_no_answer(EngineBench& bench) {
    FakeFault fault;
    fault.call = "GET /containers/json";
    fault.kind = FakeFault::Kind::CutBody;
    fault.body = R"([{"Id":"abc"}])";
    bench.fake->inject(fault);
    ListQuery query;
    auto listing = bench.engine->list_containers(query);
    const auto error = co_await failure_of(std::move(listing));
    CHECK(error.message != "no failure");
    const auto rows = co_await bench.engine->list_containers(query);
    CHECK(rows.empty());
}

awaitable<void> an_answer_that_is_no_json_is_a_protocol_error(EngineBench& bench) {
    FakeFault fault;
    fault.call = "GET /containers/json";
    fault.status = 200;
    fault.body = "<html>";
    bench.fake->inject(fault);
    ListQuery query;
    auto listing = bench.engine->list_containers(query);
    const auto error = co_await failure_of(std::move(listing));
    CHECK(error.code == Code::Protocol);
    fault.status = 500;
    fault.body = "plain words";
    bench.fake->inject(fault);
    auto again = bench.engine->list_containers(query);
    const auto refused = co_await failure_of(std::move(again));
    CHECK(refused.message.find("plain words") != std::string::npos);
}

awaitable<void> an_answer_that_never_comes_is_given_up(EngineBench& bench) {
    EngineLimits limits;
    limits.start = std::chrono::milliseconds(50);
    Engine hasty(*bench.client, bench.fake->socket_path(), limits);
    const auto created = co_await hasty.create_container(sleeper(), "slow");
    CHECK(created.has_value());
    FakeFault fault;
    fault.call = "POST /containers/slow/start";
    fault.kind = FakeFault::Kind::Hold;
    bench.fake->inject(fault);
    auto starting = hasty.start_container("slow");
    const auto error = co_await failure_of(std::move(starting));
    CHECK(error.code == Code::Timeout);
    // As with the real one, what was asked goes on.
    bench.fake->release_held();
    for (;;) {
        const auto state = (co_await hasty.inspect_container("slow")).value();
        if (state.is_running()) {
            break;
        }
    }
}

awaitable<void> an_engine_that_is_away_is_named(EngineBench& bench) {
    bench.fake->go_down();
    auto asking = bench.engine->info();
    const auto error = co_await failure_of(std::move(asking));
    CHECK(error.code == Code::Unavailable);
    CHECK(error.to_string().find(bench.fake->socket_path()) != std::string::npos);
    bench.fake->come_up();
    bench.engine->forget_connections();
    const auto info = co_await bench.engine->info();
    CHECK(info.cpus == 4);
}

awaitable<void> events_end_when_the_engine_dies(EngineBench& bench) {
    EventQuery query;
    auto events = co_await bench.engine->events(query);
    bench.fake->emit_raw("{\"Type\":\"container\",\"Action\":\"start\"}\n");
    const auto event = co_await events->next();
    REQUIRE(event);
    CHECK(event->action == "start");
    bench.fake->go_down();
    auto next = events->next();
    const auto error = co_await failure_of(std::move(next));
    CHECK((error.code == Code::Protocol || error.code == Code::Unavailable));
}

PullRequest pull_of(const std::string& image) {
    PullRequest request;
    request.image = image;
    request.tag = "1";
    return request;
}

awaitable<void> an_error_inside_a_pull_is_found(EngineBench& bench) {
    FakePull pull;
    pull.stream_error = "unexpected EOF";
    bench.fake->add_remote("r/broken:1", pull);
    const auto broken = co_await bench.engine->pull(pull_of("r/broken"), no_observer);
    REQUIRE_FALSE(broken);
    CHECK(broken.error().fault == EngineFault::Retryable);
    CHECK(broken.error().status == 200);
    pull.stream_error = "write /x: no space left on device";
    bench.fake->add_remote("r/broken:1", pull);
    const auto full = co_await bench.engine->pull(pull_of("r/broken"), no_observer);
    REQUIRE_FALSE(full);
    CHECK(full.error().fault == EngineFault::NoSpace);
}

awaitable<void> a_pull_without_progress_is_given_up(EngineBench& bench) {
    FakePull retrying;
    retrying.retry_forever = true;
    bench.fake->add_remote("r/retrying:1", retrying);
    auto request = pull_of("r/retrying");
    request.limits.stall = std::chrono::milliseconds(50);
    const auto stalled = co_await bench.engine->pull(request, no_observer);
    REQUIRE_FALSE(stalled);
    CHECK(stalled.error().fault == EngineFault::Retryable);
    CHECK(stalled.error().message.find("no progress") != std::string::npos);

    FakePull silent;
    silent.hold = true;
    bench.fake->add_remote("r/silent:1", silent);
    request = pull_of("r/silent");
    request.limits.quiet = std::chrono::milliseconds(50);
    const auto quiet = co_await bench.engine->pull(request, no_observer);
    REQUIRE_FALSE(quiet);
    CHECK(quiet.error().fault == EngineFault::Retryable);
    while (bench.fake->pulls_active() > 0) {
        co_await sleep_for(std::chrono::milliseconds(1)); // the Engine learns that we left
    }
}

awaitable<void>
pull_into(Engine& engine, PullRequest request, PullObserver observer, Error& error) {
    try {
        static_cast<void>(co_await engine.pull(std::move(request), std::move(observer)));
    } catch (const Failure& failure) {
        error = failure.error();
        throw;
    }
}

awaitable<void> a_pull_can_be_cancelled(EngineBench& bench) {
    FakePull silent;
    silent.hold = true;
    bench.fake->add_remote("r/silent:1", silent);
    Signal begun(bench.loop.get_executor());
    Error error;
    TaskGroup group(bench.loop.get_executor(),
                    [](const auto& /*unused*/, const auto& /*unused*/) {});
    PullObserver observer = [&begun](const PullProgress& progress) {
        if (progress.bytes_done > 0) {
            begun.notify();
        }
    };
    group.spawn("pull", pull_into(*bench.engine, pull_of("r/silent"), std::move(observer), error));
    co_await begun.wait();
    group.stop();
    co_await group.join();
    CHECK(error.code == Code::Cancelled);
    while (bench.fake->pulls_active() > 0) {
        co_await sleep_for(std::chrono::milliseconds(1));
    }
    CHECK_FALSE(bench.fake->has_image("r/silent:1"));
}

awaitable<void> a_phantom_holds_a_name(EngineBench& bench) {
    bench.fake->add_phantom_name("haunted", 1);
    const auto refused = co_await bench.engine->create_container(sleeper(), "haunted");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == EngineFault::NameConflict);
    const auto holder = co_await bench.engine->inspect_container(refused.error().holder);
    REQUIRE_FALSE(holder);
    CHECK(holder.error().fault == EngineFault::NoSuchContainer);
    const auto made = co_await bench.engine->create_container(sleeper(), "haunted");
    CHECK(made.has_value());
}

awaitable<void> bad_names_never_reach_the_engine(EngineBench& bench) {
    const auto before = bench.fake->calls().size();
    const auto image = co_await bench.engine->remove_image("../containers/victim", true);
    REQUIRE_FALSE(image);
    CHECK(image.error().fault == EngineFault::BadConfig);
    const auto container = co_await bench.engine->remove_container("..", true);
    CHECK_FALSE(container.has_value());
    const auto pulled = co_await bench.engine->pull(pull_of("a/../b"), no_observer);
    CHECK_FALSE(pulled.has_value());
    CHECK(bench.fake->calls().size() == before);
}

struct FaultCase {
    const char* name;
    awaitable<void> (*run)(EngineBench&);
};

} // namespace

TEST_CASE("the version both speak is chosen") {
    const auto speaks = GENERATE(values<Speaks>({{"1.40", "1.12", ""},
                                                 {"1.41", "1.12", "1.41"},
                                                 {"1.44", "1.24", "1.44"},
                                                 {"1.52", "1.44", "1.52"},
                                                 {"1.60", "1.52", "1.52"},
                                                 {"1.60", "1.53", ""}}));
    INFO(speaks.max);
    EngineBench bench;
    bench.run(negotiates(bench, speaks));
}

TEST_CASE("an Engine that behaves badly") {
    const std::vector<FaultCase> cases{
        {"is upgraded behind our back", notices_an_upgrade},
        {"loses an answer", a_lost_answer_leaves_the_outcome_to_be_asked},
        {"cuts an answer", a_cut_answer_is_no_answer},
        {"answers nonsense", an_answer_that_is_no_json_is_a_protocol_error},
        {"never answers", an_answer_that_never_comes_is_given_up},
        {"goes away and comes back", an_engine_that_is_away_is_named},
        {"dies under its events", events_end_when_the_engine_dies},
        {"fails a pull inside a 200", an_error_inside_a_pull_is_found},
        {"does not get on with a pull", a_pull_without_progress_is_given_up},
        {"holds a name for nobody", a_phantom_holds_a_name},
    };
    for (const auto& one : cases) {
        DYNAMIC_SECTION(one.name) {
            EngineBench bench;
            bench.run(one.run(bench));
        }
    }
}

TEST_CASE("a pull can be cancelled") {
    EngineBench bench;
    bench.run(a_pull_can_be_cancelled(bench));
}

TEST_CASE("bad names never reach the Engine") {
    EngineBench bench;
    bench.run(bad_names_never_reach_the_engine(bench));
}

} // namespace methos::test
