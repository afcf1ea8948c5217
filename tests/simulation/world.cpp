#include "tests/simulation/world.hpp"

#include <algorithm>

namespace methos::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration turn_time = 100ms;
constexpr Duration storm_time = 60s;
constexpr Duration script_time = 20s;
constexpr std::uint64_t script_change_chance = 30'000;
constexpr std::uint64_t act_chance = 5'000; ///< of operators, in a million, per turn
constexpr std::size_t hosts_to_reserve_one = 4;
constexpr std::size_t schedulers_max = 2;
constexpr Duration calm_time = 300s;
constexpr Duration stays_time = 8s; ///< what is settled must stay so

/// In some large enough worlds one is reserved.
Hosts make_hosts(std::size_t count,
                 Network& network,
                 Random& random,
                 Trace& trace,
                 Boundaries& boundaries,
                 TaskHistory& history) {
    const bool reserves = count >= hosts_to_reserve_one && random.percent(40);
    Hosts hosts;
    for (std::size_t i = 0; i < count; ++i) {
        const auto* role = reserves && i == 0 ? "gold" : "*";
        hosts.push_back(
            std::make_unique<Host>(i, role, network, random, trace, boundaries, history));
    }
    return hosts;
}

/// On how many hosts an app can be at once, whatever happens: one may be lost, one is needed to
/// replace an instance.
std::size_t hosts_for_apps(const Hosts& hosts, const Operators& operators) {
    const auto taken = 2 + operators.spare_hosts() + (hosts.front()->info().role == "*" ? 0U : 1U);
    return hosts.size() > taken ? hosts.size() - taken : 0;
}

Schedulers make_schedulers(ModelMaster& master, Streams& streams, Random& random, Trace& trace) {
    Schedulers schedulers;
    const auto count = random.below(schedulers_max + 1);
    for (std::size_t i = 0; i < count; ++i) {
        schedulers.push_back(std::make_unique<Scheduler>(i, master, streams, random, trace));
    }
    return schedulers;
}

} // namespace

World::World(const Plan& plan)
    : random_(plan.seed), network_(random_), boundaries_(random_),
      master_(network_, streams_, history_, random_, trace_, boundaries_),
      hosts_(make_hosts(random_.between(2, 5), network_, random_, trace_, boundaries_, history_)),
      operators_(hosts_.size(), master_, random_, trace_),
      people_(hosts_for_apps(hosts_, operators_), master_, random_, trace_),
      schedulers_(make_schedulers(master_, streams_, random_, trace_)),
      storm_(network_, master_, hosts_, boundaries_, random_, trace_),
      scripted_(plan.crash_at.has_value()) {
    trace_.on = plan.trace;
    if (plan.crash_at) {
        boundaries_.arm(*plan.crash_at, plan.beside);
    }
}

void World::run() {
    master_.start();
    if (scripted_) {
        script();
    } else {
        storm();
    }
    calm();
}

void World::storm() {
    storm_.choose();
    const auto storm_end = trace_.now.mono + storm_time;
    while (trace_.now.mono < storm_end) {
        storm_.strike();
        change_something(storm_.change_chance());
        turn();
    }
    storm_.end();
}

/// People's part of a storm, for the one crash that is armed.
void World::script() {
    const auto script_end = trace_.now.mono + script_time;
    while (trace_.now.mono < script_end) {
        change_something(script_change_chance);
        turn();
    }
}

void World::change_something(std::uint64_t chance) {
    if (random_.per_million(chance)) {
        people_.change_an_app();
    }
    if (random_.per_million(act_chance)) {
        operators_.act();
    }
}

void World::calm() {
    const auto calm_end = trace_.now.mono + calm_time;
    auto settled_since = trace_.now.mono;
    std::string wrong;
    for (auto& scheduler : schedulers_) {
        scheduler->calm_down();
    }
    while (trace_.now.mono < calm_end) {
        operators_.settle();
        turn();
        const Outcome outcome{
            master_, hosts_, people_, operators_, schedulers_, storm_.lost_host()};
        wrong = master_.up() ? unsettled(outcome) : "the master is down";
        if (!wrong.empty()) {
            settled_since = trace_.now.mono;
        } else if (settled_since + stays_time < trace_.now.mono) {
            return;
        }
    }
    throw Violation("not at rest after the calm: " + wrong);
}

/// Whoever dies in the middle of a move is dead; everybody else goes on.
void World::turn() {
    trace_.advance(turn_time);
    const auto survive = [this](const auto& move) {
        try {
            move();
        } catch (const Crash& crash) {
            storm_.crashed(crash);
        }
    };
    survive([this] { storm_.mend(); });
    const auto listens = [this] { return master_.up() && !master_.stalled(); };
    for (auto& host : hosts_) {
        survive([this, &host, &listens] { host->turn(storm_.weather(), listens()); });
    }
    deliver();
    survive([this] { people_.ask(); });
    for (auto& scheduler : schedulers_) {
        scheduler->turn();
    }
    if (listens()) {
        survive([this] { master_.turn(); });
    }
}

void World::deliver() {
    auto ids = network_.connections();
    if (!ids.empty()) {
        std::rotate(ids.begin(),
                    ids.begin() + static_cast<std::ptrdiff_t>(random_.below(ids.size())),
                    ids.end());
    }
    for (const auto id : ids) {
        try {
            deliver(id);
        } catch (const Crash& crash) {
            storm_.crashed(crash);
        }
    }
}

void World::deliver(ConnectionId id) {
    const auto now = trace_.now.mono;
    auto& host = *hosts_.at(network_.host_of(id));
    while (!host.executor_up() || host.executor_listens()) {
        const auto frame = network_.take(id, Towards::Host, now);
        if (!frame) {
            break;
        }
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

} // namespace methos::simulation
