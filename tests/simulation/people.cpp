#include "tests/simulation/people.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/frameworks/services/definition/app_print.hpp"

#include <algorithm>
#include <memory>

namespace methos::simulation {

namespace {

constexpr std::size_t apps_max = 4;
constexpr std::size_t versions_back_max = 6;

services::ApiResult<services::Changed>
put(services::Services& services, const std::string& definition, cluster::Step& step) {
    return services.put(services::parse_app(definition).value(),
                        services::Services::Existing::Replace,
                        RequestId("r"),
                        step);
}

/// What it was so many versions ago; what it is when it is not as old as that.
services::ApiResult<services::Changed>
go_back(services::Services& services, const AppId& id, std::size_t back, cluster::Step& step) {
    const auto versions = services.versions_of(services.apps().at(id));
    const auto version = versions.at(std::min(back, versions.size() - 1));
    return services.roll_back(id, version, RequestId("r"), step);
}

} // namespace

void People::change_an_app() {
    const auto id = "/app" + std::to_string(random_.below(apps_max));
    auto& app = apps_[id];
    ++app.revision;
    app.restarted = false;
    app.back.reset();
    if (app.revision > 1 && !app.deleted && random_.percent(25)) {
        app.restarted = random_.percent(50);
        if (!app.restarted) {
            app.back = 1 + random_.below(versions_back_max);
        }
        return;
    }
    app.deleted = app.revision > 1 && random_.percent(25);
    app.instances = static_cast<int>(random_.below(7));
    std::string more;
    if (random_.percent(30)) {
        more += R"(,"env":{"COLOUR":")" + std::to_string(random_.below(3)) + R"("})";
    }
    if (random_.percent(30)) {
        more += R"(,"portDefinitions":[{"port":0},{"port":0}])";
    }
    if (random_.percent(20)) {
        more += R"(,"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.5})";
    }
    if (random_.percent(20)) {
        more += R"(,"unreachableStrategy":{"inactiveAfterSeconds":7,"expungeAfterSeconds":20})";
    }
    if (random_.percent(15)) {
        more += R"(,"constraints":[["hostname","UNIQUE"]])";
        app.instances = std::min(app.instances, static_cast<int>(hosts_));
    }
    // Room enough for all on one host less, old and new together.
    app.definition =
        R"({"id":")" + id + R"(","cpus":0.05,"mem":32,"instances":)" +
        std::to_string(app.instances) +
        R"(,"maxLaunchDelaySeconds":20,"container":{"type":"DOCKER","docker":{"image":"busybox"}})" +
        more + "}";
}

void People::ask() {
    if (!master_.up() || master_.stalled()) {
        return;
    }
    for (auto& [id, wanted] : apps_) {
        if (!wanted.asked && wanted.answered != wanted.revision) {
            ask_for(id, wanted);
        }
    }
}

void People::ask_for(const std::string& id, Wanted& wanted) {
    // What it is as soon as the master has agreed.
    const auto agreed = std::make_shared<std::optional<Agreed>>();
    const auto revision = wanted.revision;
    const auto answer = [this, &id, &wanted, revision, agreed](bool committed) {
        wanted.asked = false;
        if (committed && *agreed) {
            trace_.say("people: ", id, " is confirmed as revision ", std::to_string(revision));
            wanted.answered = revision;
            if (wanted.revision == revision && !wanted.deleted) {
                wanted.instances = (*agreed)->instances;
                wanted.definition = (*agreed)->definition;
            }
        }
    };
    const auto request = [&id, &wanted, agreed](heart::Heart& heart, cluster::Step& step) {
        auto& services = heart.services();
        if (wanted.deleted) {
            const auto removed = services.remove(AppId(id), RequestId("r"), step);
            // 404 also while it goes; its end is checked by its records.
            if (removed || removed.error().status == 404) {
                agreed->emplace();
            }
            return;
        }
        const bool there = services.find(AppId(id)) != nullptr;
        bool done = false;
        if (there && wanted.back) {
            done = go_back(services, AppId(id), *wanted.back, step).has_value();
        } else {
            done = put(services, wanted.definition, step).has_value();
        }
        if (done && wanted.restarted) {
            done = services.restart(AppId(id), RequestId("r"), step).has_value();
        }
        if (done) {
            const auto& definition = services.apps().at(AppId(id)).definition;
            *agreed =
                Agreed{static_cast<int>(definition.instances), services::stored_text(definition)};
        }
    };
    wanted.asked = master_.apply(request, answer);
}

} // namespace methos::simulation
