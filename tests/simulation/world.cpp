#include "tests/simulation/world.hpp"

#include <algorithm>

namespace methos::simulation {

namespace {

using namespace std::chrono_literals;

constexpr Duration turn_time = 100ms;
constexpr Duration storm_time = 60s;
constexpr Duration script_time = 20s;
constexpr std::uint64_t script_change_chance = 30'000;
constexpr Duration calm_time = 300s;
constexpr Duration stays_time = 8s; ///< what is settled must stay so

Hosts make_hosts(std::size_t count,
                 Network& network,
                 Random& random,
                 Trace& trace,
                 Boundaries& boundaries,
                 TaskHistory& history) {
    Hosts hosts;
    for (std::size_t i = 0; i < count; ++i) {
        hosts.push_back(std::make_unique<Host>(i, network, random, trace, boundaries, history));
    }
    return hosts;
}

} // namespace

World::World(const Plan& plan)
    : random_(plan.seed), network_(random_), boundaries_(random_),
      master_(network_, random_, trace_, boundaries_),
      hosts_(make_hosts(random_.between(2, 5), network_, random_, trace_, boundaries_, history_)),
      people_(hosts_.size(), master_, random_, trace_),
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
        if (random_.per_million(storm_.change_chance())) {
            people_.change_an_app();
        }
        turn();
    }
    storm_.end();
}

/// People's part of a storm, for the one crash that is armed.
void World::script() {
    const auto script_end = trace_.now.mono + script_time;
    while (trace_.now.mono < script_end) {
        if (random_.per_million(script_change_chance)) {
            people_.change_an_app();
        }
        turn();
    }
}

void World::calm() {
    const auto calm_end = trace_.now.mono + calm_time;
    auto settled_since = trace_.now.mono;
    std::string wrong;
    while (trace_.now.mono < calm_end) {
        turn();
        wrong = master_.up() ? unsettled({master_, hosts_, people_, storm_.lost_host()})
                             : "the master is down";
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
