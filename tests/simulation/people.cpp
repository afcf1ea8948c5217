#include "tests/simulation/people.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"

#include <algorithm>
#include <memory>

namespace methos::simulation {

namespace {

constexpr std::size_t apps_max = 4;

} // namespace

void People::change_an_app() {
    const auto id = "/app" + std::to_string(random_.below(apps_max));
    auto& app = apps_[id];
    ++app.revision;
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
    const auto agreed = std::make_shared<bool>(false);
    const auto revision = wanted.revision;
    const auto answer = [this, &id, &wanted, revision, agreed](bool committed) {
        wanted.asked = false;
        if (committed && *agreed) {
            trace_.say("people: ", id, " is confirmed as revision ", std::to_string(revision));
            wanted.answered = revision;
        }
    };
    const auto request = [&id, &wanted, agreed](heart::Heart& heart, cluster::Step& step) {
        auto& services = heart.services();
        if (wanted.deleted) {
            const auto removed = services.remove(AppId(id), RequestId("r"), step);
            // 404 also while it goes; its end is checked by its records.
            *agreed = removed || removed.error().status == 404;
            return;
        }
        auto definition = services::parse_app(wanted.definition);
        *agreed = definition && services.put(std::move(*definition),
                                             services::Services::Existing::Replace,
                                             RequestId("r"),
                                             step);
    };
    wanted.asked = master_.apply(request, answer);
}

} // namespace methos::simulation
