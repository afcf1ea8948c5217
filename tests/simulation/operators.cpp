#include "tests/simulation/operators.hpp"

#include <iterator>
#include <vector>

namespace methos::simulation {

namespace {

using cluster::Duty;

constexpr std::size_t hosts_to_rest_one = 4;

const std::vector<std::string>& role_names() {
    static const std::vector<std::string> names{"*", "gold", "silver"};
    return names;
}

} // namespace

Operators::Operators(std::size_t hosts, ModelMaster& master, Random& random, Trace& trace)
    : master_(master), random_(random), trace_(trace) {
    if (hosts >= hosts_to_rest_one && random_.percent(50)) {
        rests_ = host_id_of(random_.below(hosts));
    }
}

void Operators::act() {
    if (!master_.takes_calls()) {
        return;
    }
    const auto& hosts = master_.heart().cluster().hosts();
    if (!hosts.empty() && random_.percent(70)) {
        change_host(
            std::next(hosts.begin(), static_cast<std::ptrdiff_t>(random_.below(hosts.size())))
                ->second);
        return;
    }
    cluster::RoleSettings settings;
    settings.weight = static_cast<double>(random_.between(1, 4));
    settings.placement =
        random_.percent(50) ? cluster::Placement::Binpack : cluster::Placement::Spread;
    if (random_.percent(60)) {
        settings.milli_cpus_max = random_.below(600);
    }
    set_role(role_names()[random_.below(role_names().size())], settings);
}

cluster::DrainTerms Operators::some_terms() {
    cluster::DrainTerms terms;
    terms.at_once = static_cast<std::int64_t>(random_.between(1, 3));
    if (random_.percent(50)) {
        terms.grace_max = random_.ms(0, 10'000);
    }
    if (random_.percent(50)) {
        terms.deadline = trace_.now.wall + std::chrono::duration_cast<std::chrono::milliseconds>(
                                               random_.ms(0, 40'000));
    }
    return terms;
}

void Operators::change_host(const cluster::Host& host) {
    const auto number = host.number;
    const auto what = random_.below(5);
    const auto terms = some_terms();
    (void)master_.apply([what, number, &terms](heart::Heart& heart, cluster::Step& step) {
        // Refused when the host is connected, gone or forgotten: nothing is lost by that.
        auto& cluster = heart.cluster();
        switch (what) {
        case 0:
            (void)cluster.cordon(number, step);
            break;
        case 1:
            (void)cluster.drain(number, terms, step);
            break;
        case 2:
            (void)cluster.mark_gone(number, step);
            break;
        default:
            (void)cluster.uncordon(number, step);
            break;
        }
    });
}

void Operators::set_role(const std::string& role, const cluster::RoleSettings& settings) {
    (void)master_.apply([&](heart::Heart& heart, cluster::Step& step) {
        heart.cluster().set_role(role, settings, step);
    });
}

// ---- in the end -----------------------------------------------------------------------------
bool Operators::is_to_rest(const cluster::Host& host) const {
    return rests_ == host.info.id && host.state == cluster::HostState::Up;
}

void Operators::settle() {
    if (!master_.takes_calls()) {
        return;
    }
    const auto hosts = master_.heart().cluster().hosts(); // a copy: what is done may change it
    for (const auto& [number, host] : hosts) {
        give_back_or_rest(host);
    }
    const auto& shares = master_.heart().cluster().shares();
    for (const auto& role : role_names()) {
        if (shares.role(role).milli_cpus_max) {
            set_role(role, cluster::RoleSettings());
        }
    }
}

void Operators::give_back_or_rest(const cluster::Host& host) {
    const auto number = host.number;
    if (is_to_rest(host) && host.duty != Duty::Draining && host.duty != Duty::Drained) {
        (void)master_.apply([number](heart::Heart& heart, cluster::Step& step) {
            (void)heart.cluster().drain(number, cluster::DrainTerms(), step);
        });
    } else if (rests_ != host.info.id && host.duty != Duty::Active && host.duty != Duty::Gone) {
        (void)master_.apply([number](heart::Heart& heart, cluster::Step& step) {
            (void)heart.cluster().uncordon(number, step);
        });
    }
}

std::string Operators::unsettled() const {
    for (const auto& [number, host] : master_.heart().cluster().hosts()) {
        const auto& name = host.info.hostname;
        if (is_to_rest(host) && host.duty != Duty::Drained) {
            return name + " is to be drained and is " + std::string(to_string(host.duty));
        }
        if (host.duty == Duty::Drained && !host.tasks.empty()) {
            return name + " is drained and has tasks";
        }
        if (rests_ != host.info.id && host.duty != Duty::Active) {
            return name + " was given back and is " + std::string(to_string(host.duty));
        }
    }
    return "";
}

} // namespace methos::simulation
