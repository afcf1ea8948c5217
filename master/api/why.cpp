// Why something is not running, in numbers for programs and one plain sentence for people.
#include "master/api/print.hpp"

#include "core/base/json.hpp"
#include "core/base/units.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace methos::master {

namespace {

using cluster::Unfit;
using nlohmann::json;

std::string counted(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

json group(std::size_t count, json reasons, std::string text) {
    return {{"count", count}, {"reasons", std::move(reasons)}, {"text", std::move(text)}};
}

/// The most that one usable host has left, to set against what is needed.
Resources most_free(const heart::Heart& heart) {
    Resources most;
    for (const auto& [number, host] : heart.cluster().hosts()) {
        if (host.state != cluster::HostState::Up || !host.inventoried) {
            continue;
        }
        const auto free = host.free();
        most.milli_cpus = std::max(most.milli_cpus, free.milli_cpus);
        most.mem_bytes = std::max(most.mem_bytes, free.mem_bytes);
        most.disk_bytes = std::max(most.disk_bytes, free.disk_bytes);
        most.gpus = std::max(most.gpus, free.gpus);
    }
    return most;
}

std::string number_text(double value) {
    auto text = dump_json(json(value));
    return text.size() > 2 && text.substr(text.size() - 2) == ".0" ? text.substr(0, text.size() - 2)
                                                                   : text;
}

std::string phrase(Unfit reason, std::size_t hosts, const Resources& need, const Resources& most) {
    const auto these = counted(hosts, "host") + (hosts == 1 ? " has" : " have");
    switch (reason) {
    case Unfit::NotUp:
        return counted(hosts, "host") + (hosts == 1 ? " is" : " are") + " not up";
    case Unfit::Drain:
        return counted(hosts, "host") + (hosts == 1 ? " is" : " are") +
               " cordoned or being drained";
    case Unfit::Trouble:
        return counted(hosts, "host") + (hosts == 1 ? " takes" : " take") +
               " no new tasks (methos hosts inspect says why)";
    case Unfit::Reservation:
        return counted(hosts, "host") + (hosts == 1 ? " is" : " are") +
               " reserved for another role (acceptedResourceRoles can name it)";
    case Unfit::Quota:
        return "the role has all that its quota allows";
    case Unfit::Role:
        return these + " another role";
    case Unfit::Constraint:
        return counted(hosts, "host") + (hosts == 1 ? " does" : " do") +
               " not meet the constraints";
    case Unfit::Cpus:
        return these + " too few cpus free (" + number_text(cpus_of(need.milli_cpus)) +
               " needed, " + number_text(cpus_of(most.milli_cpus)) + " at most)";
    case Unfit::Mem:
        return these + " too little memory free (" + number_text(mb_of(need.mem_bytes)) +
               " MB needed, " + number_text(mb_of(most.mem_bytes)) + " MB at most)";
    case Unfit::Disk:
        return these + " too little disk free (" + number_text(mb_of(need.disk_bytes)) +
               " MB needed, " + number_text(mb_of(most.disk_bytes)) + " MB at most)";
    case Unfit::Gpus:
        return these + " too few GPUs free (" + std::to_string(need.gpus) + " needed, " +
               std::to_string(most.gpus) + " at most)";
    case Unfit::Ports:
        return these + " the ports it needs not free, or not among those they offer";
    case Unfit::None:
        return counted(hosts, "host") + " could take it now";
    }
    return {};
}

json unplaced(std::size_t count, const cluster::Demand& demand, const heart::Heart& heart) {
    const auto& hosts = heart.cluster().hosts();
    if (hosts.empty()) {
        return group(count,
                     json::array({{{"reason", "NoHosts"}, {"hosts", 0}}}),
                     counted(count, "instance") +
                         " cannot be placed: no host has joined; start methos-executor with "
                         "the token in the master's join.token");
    }
    const auto most = most_free(heart);
    auto reasons = json::array();
    std::string text;
    for (const auto& [reason, number] : heart.cluster().explain(demand)) {
        if (reason == Unfit::None) {
            return group(
                count, json::array(), counted(count, "instance") + " is about to be placed");
        }
        reasons.push_back({{"reason", std::string(to_string(reason))}, {"hosts", number}});
        text += (text.empty() ? "" : "; ") + phrase(reason, number, demand.resources, most);
    }
    return group(
        count, std::move(reasons), counted(count, "instance") + " cannot be placed: " + text);
}

/// Staged instances, those with the same message together.
void add_staged(json& waiting, const services::App& app, const heart::Heart& heart) {
    std::map<std::string, std::size_t> messages;
    for (const auto number : app.tasks) {
        const auto* task = heart.cluster().find_task(number);
        if (!task->active() || task->running()) {
            continue;
        }
        const auto* host = heart.cluster().find_host(task->host);
        const auto doing = host->state != cluster::HostState::Up
                               ? "waits for host " + host->info.hostname + ", which is " +
                                     std::string(to_string(host->state))
                           : task->message.empty() ? "is being started on " + host->info.hostname
                                                   : task->message + " on " + host->info.hostname;
        ++messages[doing];
    }
    for (const auto& [message, count] : messages) {
        waiting.push_back(group(count,
                                json::array({{{"reason", "Staging"}, {"hosts", 1}}}),
                                counted(count, "instance") + ": " + message));
    }
}

} // namespace

json print_why(const services::App& app, const heart::Heart& heart, Now now) {
    auto waiting = json::array();
    add_staged(waiting, app, heart);
    const auto demand = heart.services().demand_of(app, now);
    if (demand.count > 0) {
        const auto failure = app.last_failure ? app.last_failure->message : std::string();
        if (heart.cluster().holds_replacements(now)) {
            waiting.push_back(
                group(demand.count,
                      json::array({{{"reason", "MassLossHold"}, {"hosts", 0}}}),
                      counted(demand.count, "instance") +
                          " waits: most hosts vanished at once, which looks like the master's own "
                          "network; replacements are held back for a moment"));
        } else if (now.mono < app.backoff_until) {
            waiting.push_back(
                group(demand.count,
                      json::array({{{"reason", "Backoff"}, {"hosts", 0}}}),
                      counted(demand.count, "instance") + " will be tried again in " +
                          format_duration(app.backoff_until - now.mono) +
                          (failure.empty() ? "" : "; the last one failed: " + failure)));
        } else {
            waiting.push_back(unplaced(demand.count, demand, heart));
        }
    }
    json out = {{"app", app.definition.id.value},
                {"wanted", app.deleting ? 0 : app.definition.instances},
                {"running", heart.services().counts(app).running},
                {"waiting", std::move(waiting)}};
    if (app.last_failure) {
        out["lastFailure"] = {{"message", app.last_failure->message},
                              {"state", std::string(to_string(app.last_failure->state))},
                              {"host", app.last_failure->hostname},
                              {"time", format_wall_time(app.last_failure->time)}};
    }
    return out;
}

} // namespace methos::master
