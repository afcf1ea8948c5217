#include "tests/simulation/world.hpp"

#include "master/frameworks/services/definition/app_parse.hpp"

#include <algorithm>

namespace methos::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration turn_time = 100ms;
constexpr Duration storm_time = 60s;
constexpr Duration calm_time = 300s;
constexpr Duration stays_time = 8s; ///< what is settled must stay so
constexpr std::size_t apps_max = 4;

} // namespace

World::World(std::uint64_t seed, bool trace)
    : random_(seed), network_(random_), master_(network_, random_, trace_) {
    trace_.on = trace;
    const auto count = random_.between(2, 5);
    for (std::size_t i = 0; i < count; ++i) {
        hosts_.push_back(std::make_unique<ModelHost>(i, network_, random_, trace_, starts_));
    }
    faults_.resize(count);
    choose_climate();
}

void World::choose_climate() {
    const auto now_and_then = [this](std::uint64_t most) {
        return random_.percent(40) ? 0 : random_.below(most);
    };
    climate_.master_kill = now_and_then(10'000);
    climate_.disk_full = now_and_then(10'000);
    climate_.stall = now_and_then(5'000);
    climate_.executor_kill = now_and_then(10'000);
    climate_.link_cut = now_and_then(5'000);
    climate_.connection_reset = now_and_then(10'000);
    climate_.docker_down = now_and_then(5'000);
    change_chance_ = random_.between(5'000, 60'000);
    weather_.exit_chance = now_and_then(10'000);
    weather_.launch_failure_percent = now_and_then(30);
    weather_.duplicate_percent = now_and_then(30);
    weather_.start_ms_max = random_.between(10, 5000);
    network_.set_delay_max(random_.between(1, 800));
    master_.set_commit_ms_max(random_.between(1, 1500));
}

void World::run() {
    master_.start();
    const auto storm_end = trace_.now.mono + storm_time;
    const auto loss_at = trace_.now.mono + random_.ms(0, 200'000); // past the storm's end: no loss
    while (trace_.now.mono < storm_end) {
        strike();
        if (!dead_host_ && trace_.now.mono >= loss_at) {
            lose_host_for_good();
        }
        if (random_.per_million(change_chance_)) {
            change_an_app();
        }
        turn();
    }
    begin_calm();
    const auto calm_end = trace_.now.mono + calm_time;
    auto settled_since = trace_.now.mono;
    std::string wrong;
    while (trace_.now.mono < calm_end) {
        turn();
        wrong = unsettled();
        if (!wrong.empty()) {
            settled_since = trace_.now.mono;
        } else if (settled_since + stays_time < trace_.now.mono) {
            return;
        }
    }
    throw Violation("not at rest after the calm: " + wrong);
}

void World::turn() {
    trace_.advance(turn_time);
    const bool listens = master_.up() && !master_.stalled();
    for (auto& host : hosts_) {
        host->turn(weather_, listens);
    }
    deliver();
    ask();
    if (listens) {
        master_.turn();
    }
}

void World::deliver() {
    const auto now = trace_.now.mono;
    auto ids = network_.connections();
    if (!ids.empty()) {
        std::rotate(ids.begin(),
                    ids.begin() + static_cast<std::ptrdiff_t>(random_.below(ids.size())),
                    ids.end());
    }
    for (const auto id : ids) {
        auto& host = *hosts_.at(network_.host_of(id));
        while (auto frame = network_.take(id, Towards::Host, now)) {
            host.take(id, *frame);
        }
        while (master_.up() && !master_.stalled()) {
            const auto frame = network_.take(id, Towards::Master, now);
            if (!frame) {
                break;
            }
            master_.take(id, *frame);
        }
    }
}

// ---- faults
// --------------------------------------------------------------------------------------------------------

void World::strike() {
    const auto now = trace_.now.mono;
    if (!master_.up()) {
        if (now >= master_back_) {
            master_.start();
        }
    } else if (random_.per_million(climate_.master_kill)) {
        master_.kill();
        master_back_ = now + random_.ms(0, random_.percent(20) ? 20'000 : 2'000);
    } else if (master_.stalled()) {
        if (now >= stall_over_) {
            master_.hold_up(false);
        }
    } else if (random_.per_million(climate_.stall)) {
        trace_.say("master: is held up");
        master_.hold_up(true);
        stall_over_ = now + random_.ms(500, 6'000);
    }
    if (now >= disk_back_) {
        const bool full = random_.per_million(climate_.disk_full);
        master_.set_disk_full(full);
        disk_back_ =
            now + (full ? random_.ms(100, random_.percent(20) ? 50'000 : 6'000) : turn_time);
    }
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (dead_host_ != i) {
            strike_host(i);
        }
    }
}

void World::lose_host_for_good() {
    dead_host_ = random_.below(hosts_.size());
    auto& host = *hosts_[*dead_host_];
    trace_.say(host.info().hostname + ": is gone for good");
    if (host.executor_up()) {
        host.kill_executor();
    }
    network_.set_cut(*dead_host_, random_.percent(50));
}

void World::strike_host(std::size_t index) {
    const auto now = trace_.now.mono;
    auto& host = *hosts_[index];
    auto& fault = faults_[index];
    if (!host.executor_up() && now >= fault.executor_back) {
        host.start_executor();
    } else if (host.executor_up() && random_.per_million(climate_.executor_kill)) {
        if (random_.percent(30)) {
            host.stop_executor(random_.ms(0, 60'000));
        } else {
            host.kill_executor();
        }
        fault.executor_back = now + random_.ms(0, random_.percent(15) ? 50'000 : 4'000);
    }
    if (network_.is_cut(index) && now >= fault.link_back) {
        trace_.say(host.info().hostname + ": link is back");
        network_.set_cut(index, false);
    } else if (!network_.is_cut(index) && random_.per_million(climate_.link_cut)) {
        trace_.say(host.info().hostname + ": link is cut");
        network_.set_cut(index, true);
        fault.link_back = now + random_.ms(0, 12'000);
    }
    if (host.connection() != 0 && random_.per_million(climate_.connection_reset)) {
        trace_.say(host.info().hostname + ": connection reset");
        network_.reset(host.connection(), now);
    }
    if (!host.docker_up() && now >= fault.docker_back) {
        host.set_docker(true, random_.percent(30));
    } else if (host.docker_up() && random_.per_million(climate_.docker_down)) {
        host.set_docker(false, random_.percent(30));
        fault.docker_back = now + random_.ms(0, random_.percent(15) ? 80'000 : 8'000);
    }
}

void World::begin_calm() {
    trace_.say("---- calm ----");
    climate_ = Climate();
    weather_ = Weather();
    network_.set_delay_max(20);
    master_.set_commit_ms_max(30);
    master_.set_disk_full(false);
    master_.hold_up(false);
    if (!master_.up()) {
        master_.start();
    }
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        auto& host = *hosts_[i];
        if (dead_host_ == i) {
            continue;
        }
        network_.set_cut(i, false);
        if (!host.executor_up()) {
            host.start_executor();
        }
        if (!host.docker_up()) {
            host.set_docker(true, false);
        }
    }
}

// ---- people
// --------------------------------------------------------------------------------------------------------

void World::change_an_app() {
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
        app.instances = std::min(app.instances, static_cast<int>(hosts_.size()) - 2);
    }
    // Room enough for all on one host less, old and new together.
    app.definition =
        R"({"id":")" + id + R"(","cpus":0.05,"mem":32,"instances":)" +
        std::to_string(app.instances) +
        R"(,"maxLaunchDelaySeconds":20,"container":{"type":"DOCKER","docker":{"image":"busybox"}})" +
        more + "}";
}

/// Whoever got no answer asks again.
void World::ask() {
    if (!master_.up() || master_.stalled()) {
        return;
    }
    for (auto& [id, wanted] : apps_) {
        if (wanted.asked || wanted.answered == wanted.revision) {
            continue;
        }
        bool accepted = false;
        const auto revision = wanted.revision;
        const auto answer = [this, &app = wanted, revision, &name = id](bool committed,
                                                                        bool agreed) {
            app.asked = false;
            if (committed && agreed) {
                trace_.say("people: " + name + " is confirmed as revision " +
                           std::to_string(revision));
                app.answered = revision;
            }
        };
        const auto agreed = std::make_shared<bool>(false);
        accepted = master_.apply(
            [&, &name = id, &app = wanted](heart::Heart& heart, cluster::Step& step) {
                if (app.deleted) {
                    const auto removed = heart.services().remove(AppId(name), RequestId("r"), step);
                    // 404 also while it goes; its end is checked by its records.
                    *agreed = removed || removed.error().status == 404;
                } else {
                    auto definition = services::parse_app(app.definition);
                    *agreed =
                        definition && heart.services().put(std::move(*definition),
                                                           services::Services::Existing::Replace,
                                                           RequestId("r"),
                                                           step);
                }
            },
            [answer, agreed](bool committed) { answer(committed, *agreed); });
        wanted.asked = accepted;
    }
}

// ---- the end
// -------------------------------------------------------------------------------------------------------

std::string World::unsettled() const {
    if (master_.refusing()) {
        return "the master refuses changes";
    }
    for (const auto& [id, wanted] : apps_) {
        if (wanted.answered != wanted.revision) {
            return id + " is not as its owner asked: no answer";
        }
    }
    auto wrong = unsettled_apps();
    if (wrong.empty()) {
        wrong = stray_containers();
    }
    return wrong.empty() ? unsettled_records() : wrong;
}

std::string World::unsettled_apps() const {
    const auto& services = master_.heart().services();
    for (const auto& [id, wanted] : apps_) {
        const auto* app = services.find(AppId(id));
        if (wanted.deleted) {
            if (services.apps().contains(AppId(id))) {
                return id + " was deleted and is there";
            }
            continue;
        }
        if (app == nullptr) {
            return id + " is forgotten";
        }
        const auto spec = master_.heart().cluster().find_spec(app->spec);
        int running = 0;
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            for (const auto& [name, container] : hosts_[i]->containers()) {
                const bool counts = dead_host_ != i &&
                                    container.state == Container::State::Running &&
                                    container.app == id && container.version == spec->version;
                running += counts ? 1 : 0;
            }
        }
        if (running != wanted.instances) {
            return id + " has " + std::to_string(running) + " of " +
                   std::to_string(wanted.instances) + " instances";
        }
        if (!app->deployment.empty()) {
            return "the deployment of " + id + " is open";
        }
    }
    return "";
}

std::string World::stray_containers() const {
    std::size_t wanted = 0;
    for (const auto& [id, app] : apps_) {
        wanted += app.deleted ? 0 : static_cast<std::size_t>(app.instances);
    }
    std::size_t running = 0;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        std::set<std::uint16_t> ports;
        for (const auto& [name, container] : hosts_[i]->containers()) {
            if (dead_host_ == i || container.state != Container::State::Running) {
                continue;
            }
            ++running;
            for (const auto port : container.ports) {
                if (!ports.insert(port).second) {
                    return "port " + std::to_string(port) + " is used twice on " +
                           hosts_[i]->info().hostname;
                }
            }
        }
    }
    return running == wanted ? ""
                             : std::to_string(running) + " containers run, " +
                                   std::to_string(wanted) + " are wanted";
}

std::string World::unsettled_records() const {
    const auto& cluster = master_.heart().cluster();
    std::size_t apps = 0;
    std::size_t instances = 0;
    for (const auto& [id, wanted] : apps_) {
        apps += wanted.deleted ? 0U : 1U;
        instances += wanted.deleted ? 0U : static_cast<std::size_t>(wanted.instances);
    }
    std::set<SpecNumber> specs;
    std::size_t away = 0; // on the host that is gone for good
    for (const auto& [number, task] : cluster.tasks()) {
        const bool gone =
            dead_host_ && cluster.find_host(task.host)->info.id == hosts_[*dead_host_]->info().id;
        away += gone ? 1U : 0U;
        if (gone) {
            specs.insert(task.spec);
        }
    }
    for (const auto& [id, app] : master_.heart().services().apps()) {
        specs.insert(app.spec);
    }
    std::map<state::Table, std::size_t> counts;
    for (const auto& [place, value] : master_.records()) {
        ++counts[place.first];
    }
    if (counts[state::Table::App] != apps) {
        return "records of " + std::to_string(counts[state::Table::App]) + " apps are left";
    }
    if (counts[state::Table::Task] != instances + away) {
        return std::to_string(counts[state::Table::Task]) + " records of tasks are left, " +
               std::to_string(instances + away) + " are wanted";
    }
    if (counts[state::Table::Spec] != specs.size()) {
        return std::to_string(counts[state::Table::Spec]) + " records of specs are left, " +
               std::to_string(specs.size()) + " are in use";
    }
    return "";
}

} // namespace methos::simulation
