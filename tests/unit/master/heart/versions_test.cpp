// The versions of an app: what is remembered and for how long, restarting, going back, and the one
// clock that orders them.
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/version_history.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/heart_lab.hpp"

using namespace methos;
using namespace std::chrono_literals;
using methos::services::AppVersion;
using methos::services::VersionHistory;
using methos::test::HeartLab;

namespace {

const services::App& demo(HeartLab& lab) {
    return lab.services().apps().at(AppId("/demo"));
}

std::vector<WallTime> versions(HeartLab& lab) {
    return lab.services().versions_of(demo(lab));
}

services::AppDefinition definition_at(HeartLab& lab, WallTime version) {
    const auto found = lab.services().find_version(demo(lab), version);
    REQUIRE(found);
    return services::parse_stored(found->definition).value();
}

std::size_t stored_versions(const HeartLab& lab) {
    std::size_t count = 0;
    for (const auto& [place, value] : lab.records()) {
        count += place.first == state::Table::AppVersion ? 1U : 0U;
    }
    return count;
}

std::set<std::string> names(HeartLab& lab) {
    std::set<std::string> names;
    for (const auto& [number, task] : lab.cluster().tasks()) {
        names.insert(task.name.value);
    }
    return names;
}

/// Lets a replacement come to its end; fails when fewer than `least` run meanwhile.
void replace_all(HeartLab& lab, std::size_t least) {
    for (int turn = 0; turn < 20 && !demo(lab).deployment.empty(); ++turn) {
        lab.run_all();
        REQUIRE(lab.count(TaskState::Running) >= least);
        lab.end_all_killed();
        REQUIRE(lab.count(TaskState::Running) >= least);
    }
    REQUIRE(demo(lab).deployment.empty());
}

} // namespace

SCENARIO("every version of an app is remembered, the newest first") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    const auto created = demo(lab).last_config_change_at;
    lab.live(1s);
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    lab.live(1s);
    REQUIRE(lab.put(HeartLab::app("/demo", 3, R"("env":{"COLOUR":"green"})")));
    const auto check = [&] {
        const auto all = versions(lab);
        REQUIRE(all.size() == 3);
        REQUIRE(std::is_sorted(all.rbegin(), all.rend()));
        REQUIRE(all.back() == created);
        REQUIRE(definition_at(lab, all[0]).env.at("COLOUR") == "green");
        REQUIRE(definition_at(lab, all[1]).instances == 3);
        REQUIRE(definition_at(lab, all[1]).env.empty());
        REQUIRE(definition_at(lab, all[2]).instances == 1);
        REQUIRE_FALSE(lab.services().find_version(demo(lab), created + 1ms));
    };
    check();
    AND_THEN("a scaling is no change of the configuration, and a configuration counts as both") {
        const auto all = versions(lab);
        const auto scaled = lab.services().find_version(demo(lab), all[1]);
        REQUIRE(scaled->last_scaling_at == all[1]);
        REQUIRE(scaled->last_config_change_at == created);
        REQUIRE(demo(lab).last_config_change_at == all[0]);
        REQUIRE(demo(lab).last_scaling_at == all[0]);
    }
    AND_THEN("the master remembers them over its own restart") {
        lab.kill_and_restart();
        check();
    }
    AND_THEN("the same definition again is no new version") {
        const auto same = lab.put(HeartLab::app("/demo", 3, R"("env":{"COLOUR":"green"})"));
        REQUIRE(same);
        REQUIRE(same->version == demo(lab).version);
        REQUIRE_FALSE(same->deployment.empty());
        check();
    }
}

SCENARIO("a restart replaces every instance although nothing has changed") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    lab.run_all();
    for (int round = 0; round < 2; ++round) {
        const auto before = names(lab);
        const auto version = demo(lab).version;
        const auto configured = demo(lab).last_config_change_at;
        lab.live(1s);
        (void)lab.take_sent<cluster::SendLaunch>();
        const auto changed = lab.restart("/demo");
        REQUIRE(changed);
        REQUIRE_FALSE(changed->created);
        REQUIRE(changed->version > version);
        REQUIRE(changed->deployment == demo(lab).deployment);
        if (round == 1) {
            lab.kill_and_restart(); // and it goes on where it was
            std::vector<TaskStatus> has;
            for (const auto& task : lab.tasks_in(TaskState::Running)) {
                has.push_back(HeartLab::status(task, TaskState::Running));
            }
            lab.join("a", has);
        }
        replace_all(lab, 3);
        for (const auto& name : names(lab)) {
            REQUIRE_FALSE(before.contains(name));
        }
        REQUIRE(names(lab).size() == 3);
        for (const auto& sent : lab.take_sent<cluster::SendLaunch>()) {
            REQUIRE((!sent.spec || sent.spec->version == changed->version));
            REQUIRE((!sent.spec || sent.spec->env.at("MARATHON_APP_VERSION") == changed->version));
        }
        REQUIRE(demo(lab).last_config_change_at == configured);
        REQUIRE(format_wall_time(demo(lab).last_scaling_at) == changed->version);
        REQUIRE(versions(lab).size() == static_cast<std::size_t>(round) + 2);
    }
    REQUIRE(lab.restart("/other").error().status == 404);
    lab.remove("/demo");
    REQUIRE(lab.restart("/demo").error().status == 404);
}

SCENARIO("an app goes back to what it was") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 2, R"("env":{"COLOUR":"blue"})")));
    const auto blue = versions(lab).front();
    lab.run_all();
    lab.live(1s);
    REQUIRE(lab.put(HeartLab::app("/demo", 4, R"("env":{"COLOUR":"green"})")));
    replace_all(lab, 2);
    const auto changed = lab.roll_back("/demo", blue);
    REQUIRE(changed);
    REQUIRE(demo(lab).definition.env.at("COLOUR") == "blue");
    REQUIRE(demo(lab).definition.instances == 2);
    REQUIRE(versions(lab).size() == 3);
    replace_all(lab, 2);
    REQUIRE(lab.count(TaskState::Running) == 2);
    for (const auto& task : lab.tasks_in(TaskState::Running)) {
        REQUIRE(lab.cluster().find_spec(task.spec)->env.at("COLOUR") == "blue");
    }
    AND_THEN("going to where it is changes nothing") {
        const auto before = names(lab);
        REQUIRE(lab.roll_back("/demo", versions(lab).front()));
        REQUIRE(versions(lab).size() == 3);
        REQUIRE(names(lab) == before);
        REQUIRE(demo(lab).deployment.empty());
    }
    AND_THEN("a version that never was is refused in Marathon's words") {
        const auto refused = lab.roll_back("/demo", blue - 1ms);
        REQUIRE(refused.error().status == 404);
        REQUIRE(refused.error().body_json.find("App '/demo' does not exist in version " +
                                               format_wall_time(blue - 1ms)) != std::string::npos);
        REQUIRE(lab.roll_back("/other", blue).error().status == 404);
    }
}

SCENARIO("fifty versions of an app are remembered, and those that its instances run") {
    HeartLab lab;
    lab.join("a");
    lab.join("b");
    REQUIRE(lab.put(HeartLab::app("/demo", 4)));
    const auto first = versions(lab).front();
    lab.run_all();
    lab.cut("b");
    lab.live(3s); // what is there goes on running the first version
    for (int i = 0; i < 70; ++i) {
        REQUIRE(lab.restart("/demo"));
        lab.run_all();
        lab.end_all_killed();
    }
    const auto all = versions(lab);
    REQUIRE(all.size() == 50);
    REQUIRE(all.back() == first);
    REQUIRE(stored_versions(lab) == 49);
    for (const auto& [number, task] : lab.cluster().tasks()) {
        WallTime version;
        REQUIRE(parse_wall_time(lab.cluster().find_spec(task.spec)->version, version));
        REQUIRE(lab.services().find_version(demo(lab), version));
    }
    WHEN("the app goes") {
        lab.remove("/demo");
        lab.end_all_killed();
        THEN("nothing of them is left") {
            REQUIRE(lab.services().apps().empty());
            REQUIRE(stored_versions(lab) == 0); // HeartLab refuses a batch over the caps
        }
    }
}

SCENARIO("versions are in order over all apps, whatever the clock does") {
    HeartLab lab;
    lab.join("a");
    const auto last = [&lab](const std::string& id) {
        return lab.services().apps().at(AppId(id)).version;
    };
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    REQUIRE(lab.put(HeartLab::app("/other", 1)));
    REQUIRE(last("/other") > last("/demo"));
    lab.jump_clock(-1h);
    REQUIRE(lab.put(HeartLab::app("/demo", 2)));
    REQUIRE(last("/demo") > last("/other"));
    lab.kill_and_restart();
    REQUIRE(lab.put(HeartLab::app("/other", 2)));
    REQUIRE(last("/other") > last("/demo"));
    REQUIRE(versions(lab).size() == 2);
}

SCENARIO("a state without versions is one whose history begins now") {
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1)));
    REQUIRE(lab.put(HeartLab::app("/demo", 2)));
    auto old = lab.records();
    std::erase_if(
        old, [](const auto& record) { return record.first.first == state::Table::AppVersion; });
    lab.restart_from(old);
    REQUIRE(versions(lab).size() == 1);
    REQUIRE(lab.put(HeartLab::app("/demo", 3)));
    REQUIRE(versions(lab).size() == 2);
}

SCENARIO("a scaling does not forgive what keeps failing, and a restart does") {
    const std::string slow = R"("backoffSeconds":3600,"maxLaunchDelaySeconds":3600)";
    HeartLab lab;
    lab.join("a");
    REQUIRE(lab.put(HeartLab::app("/demo", 1, slow)));
    lab.report(lab.tasks_in(TaskState::Staging).at(0), TaskState::Failed);
    REQUIRE(lab.put(HeartLab::app("/demo", 2, slow)));
    REQUIRE(lab.count(TaskState::Staging) == 0);
    REQUIRE(lab.restart("/demo"));
    REQUIRE(lab.count(TaskState::Staging) == 2);
}

TEST_CASE("the past of all apps together is bounded, who has most forgets first") {
    VersionHistory history(VersionHistory::Limits{49, 1000});
    const auto in_use = [](const AppId& app) {
        return app == AppId("/a") ? std::set<WallTime>{WallTime(1ms)} : std::set<WallTime>{};
    };
    const Now now{MonoTime(1h), WallTime(1h)};
    for (int i = 1; i <= 200; ++i) {
        cluster::Step step(now);
        const AppId app(i % 2 == 1 ? "/a" : "/b");
        history.add(app, WallTime(i * 1ms), {std::string(100, 'x'), {}, {}}, step);
        history.trim(app, in_use, step);
        REQUIRE(history.consistent());
    }
    REQUIRE(history.versions_of(AppId("/a")).front() == WallTime(1ms));
    REQUIRE(history.versions_of(AppId("/a")).size() + history.versions_of(AppId("/b")).size() ==
            10);
    REQUIRE(history.newest() == WallTime(200ms));
    SECTION("what is too much for one step is forgotten in several") {
        cluster::Step large(now);
        history.add(AppId("/b"), WallTime(1s), {std::string(1000, 'x'), {}, {}}, large);
        cluster::Step full(now);
        while (full.has_room()) {
            full.put(state::Table::Meta, full.changes.size(), "x");
        }
        history.trim(AppId("/b"), in_use, full);
        REQUIRE(full.more);
        REQUIRE_FALSE(history.forget(AppId("/b"), full));
        cluster::Step next(now);
        history.trim(AppId("/b"), in_use, next);
        REQUIRE_FALSE(next.more);
        REQUIRE(history.versions_of(AppId("/a")).size() == 5);
        REQUIRE(history.versions_of(AppId("/b")).empty()); // larger than all that may be kept
        REQUIRE(history.consistent());
    }
}
