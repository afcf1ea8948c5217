#include "executor/checks/health_book.hpp"

#include <algorithm>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

constexpr Duration spread_new = 1s;    // of first probes: a new task's health is waited for
constexpr Duration spread_found = 10s; // after a restart of the executor all are due at once

Duration part_of(Duration whole, double share) {
    return std::chrono::duration_cast<Duration>(whole * share);
}

std::string
address_of(const HealthCheck& check, bool host_network, const std::vector<std::string>& addresses) {
    if (host_network) {
        return check.ipv6 ? "::1" : "127.0.0.1";
    }
    const auto found =
        std::find_if(addresses.begin(), addresses.end(), [&check](const std::string& address) {
            return (address.find(':') != std::string::npos) == check.ipv6;
        });
    return found == addresses.end() ? std::string() : *found;
}

bool is_command(const CheckState& state) {
    return state.check().kind == ProbeKind::Command;
}

/// Nothing while a check has not said anything yet and none has failed.
std::optional<bool> together(const std::vector<CheckState>& checks) {
    const auto says = [&checks](std::optional<bool> what) {
        return std::any_of(checks.begin(), checks.end(), [&what](const CheckState& check) {
            return check.healthy() == what;
        });
    };
    if (says(false)) {
        return false;
    }
    return says(std::nullopt) ? std::nullopt : std::optional(true);
}

} // namespace

void HealthBook::watch(const TaskName& name, const CheckedTask& task, MonoTime now) {
    const auto known = tasks_.find(name);
    if (known != tasks_.end() && known->second.container_id == task.container_id &&
        known->second.ip_addresses == task.ip_addresses) {
        return;
    }
    Watched watched;
    watched.watch = ++watches_;
    watched.container_id = task.container_id;
    watched.host_network = task.host_network;
    watched.ip_addresses = task.ip_addresses;
    const auto started = now - std::clamp(task.age, Duration::zero(), health_time_max);
    for (const auto& check : task.checks) {
        const auto wanted = started + check.delay;
        const auto spread = wanted < now - spread_new ? spread_found : spread_new;
        const auto first =
            std::max(wanted, now) + part_of(std::min(spread, check.interval), uniform_());
        watched.checks.emplace_back(check, started, first);
    }
    tasks_.insert_or_assign(name, std::move(watched));
}

std::vector<DueProbe> HealthBook::take_due(MonoTime now) {
    std::vector<DueProbe> due;
    for (auto& [name, task] : tasks_) {
        for (std::size_t i = 0; i < task.checks.size(); ++i) {
            auto& state = task.checks[i];
            if (!may_probe(task, state) || *state.due() > now) {
                continue;
            }
            if (!is_command(state) && !task.host_network && task.ip_addresses.empty()) {
                state.take(ProbeResult(), now); // whom to ask is not known: nobody's failure
                continue;
            }
            state.probing();
            DueProbe probe;
            probe.task = name;
            probe.watch = task.watch;
            probe.index = i;
            probe.check = state.check();
            probe.container_id = task.container_id;
            probe.address = address_of(state.check(), task.host_network, task.ip_addresses);
            probe.limit = state.limit();
            probe.slow = state.is_slow();
            due.push_back(std::move(probe));
        }
    }
    return due;
}

/// Whether nothing of its own task holds it up.
bool HealthBook::may_probe(const Watched& task, const CheckState& state) {
    if (!state.due() || !is_command(state)) {
        return state.due().has_value();
    }
    return std::none_of(task.checks.begin(), task.checks.end(), [&state](const CheckState& other) {
        return is_command(other) && (!other.due() || *other.due() < *state.due());
    });
}

std::optional<MonoTime> HealthBook::next_due() const {
    std::optional<MonoTime> next;
    for (const auto& [name, task] : tasks_) {
        for (const auto& check : task.checks) {
            if (may_probe(task, check)) {
                next = next ? std::min(*next, *check.due()) : *check.due();
            }
        }
    }
    return next;
}

std::optional<HealthVerdict>
HealthBook::take(const DueProbe& probe, const ProbeResult& result, MonoTime now) {
    const auto found = tasks_.find(probe.task);
    if (found == tasks_.end() || found->second.watch != probe.watch) {
        return std::nullopt; // of an earlier life
    }
    auto& task = found->second;
    task.checks.at(probe.index).take(result, now);
    const auto healthy = together(task.checks);
    const auto hopeless =
        std::find_if(task.checks.begin(), task.checks.end(), [](const CheckState& check) {
            return check.failed_for_good();
        });
    const bool kill = hopeless != task.checks.end();
    if (!healthy || (healthy == task.told && kill == task.kill_told)) {
        return std::nullopt;
    }
    task.told = healthy;
    task.kill_told = kill;
    if (kill) {
        return HealthVerdict{false, true, hopeless->message()};
    }
    const auto ill = std::find_if(task.checks.begin(),
                                  task.checks.end(),
                                  [](const CheckState& check) { return check.healthy() == false; });
    return HealthVerdict{*healthy, false, ill == task.checks.end() ? "" : ill->message()};
}

} // namespace methos::executor
