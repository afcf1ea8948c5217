// Hosts: how they join, fall silent, restart, lose Docker, get lost and come back.
#include "master/cluster/cluster.hpp"

#include "core/base/units.hpp"

#include <algorithm>
#include <utility>

namespace methos::cluster {

namespace {

/// How long the way to a new session's first beat may take beyond the usual silence.
constexpr Duration welcome_allowance = std::chrono::seconds(10);

/// Whether what is durable of a host differs.
bool differs(const HostInfo& a, const HostInfo& b) {
    auto left = a;
    left.docker_up = b.docker_up;
    left.trouble = b.trouble;
    return !(left == b);
}

std::string label_of(const Host& host) {
    return host.info.hostname + " (" + host.info.id.value.substr(0, 8) + ")";
}

} // namespace

void Cluster::host_joined(SessionNumber session,
                          HostInfo info,
                          const std::string& key_hash,
                          Step& step) {
    const auto known = host_by_id_.find(info.id.value);
    const bool is_new = known == host_by_id_.end();
    const auto number = is_new ? HostNumber(next_number(step)) : known->second;
    auto& host = is_new ? new_host(number) : hosts_.at(number);
    const bool changed = is_new || differs(host.info, info) || host.key_hash != key_hash;
    if (step.watched && is_new) {
        step.publications.push_back(std::make_shared<HostChanged>(number, info.id, true));
    }
    if (!is_new && host.key_hash != key_hash) {
        step.warn("host " + label_of(host) +
                  " joined with a new key and a valid join token; was it reinstalled?");
    }
    if (!host.session.empty()) {
        host_by_session_.erase(host.session);
        inventory_seen_.erase(host.session);
    }
    if (is_new) {
        host_by_id_[info.id.value] = number;
    }
    host.inventoried = false;
    withdraw_offers(host);
    host.info = std::move(info);
    reset_ports(host);
    tell_changed(host);
    total_stale_ = true;
    host.key_hash = key_hash;
    host.session = session;
    host.beat_interval = next_beat_interval();
    host.sent_specs.clear();
    // Its first beat can only come after WELCOME, which waits for the commit of this step.
    host.last_heard = step.now.mono + welcome_allowance;
    host.last_seen = step.now.wall;
    host_by_session_[session] = number;
    if (host.info.docker_up && host.state != HostState::Lost) {
        // A lost host is up again only when its inventory has told what still runs there.
        host.state = HostState::Up;
        host.grace_until = MonoTime::max();
    } else if (host.state != HostState::Lost) {
        if (host.state != HostState::DockerDown) {
            host.grace_until = step.now.mono + policy_.docker_grace;
        }
        host.state = HostState::DockerDown;
    }
    if (changed) {
        save_host(host, step);
    }
    step.note("host " + label_of(host) + " joined from " + host.info.address +
              (host.info.docker_up ? "" : ", but its Docker does not answer"));
    if (!host.info.trouble.empty()) {
        tell_trouble(host, step);
    }
    step.send(session, SendWelcome{});
}

Duration Cluster::next_beat_interval() const {
    const auto spread = std::chrono::duration<double>(
        static_cast<double>(hosts_.size()) / static_cast<double>(policy_.beats_per_second_max));
    return std::max(policy_.beat_interval, std::chrono::duration_cast<Duration>(spread));
}

void Cluster::host_changed(SessionNumber session, HostInfo info, Step& step) {
    auto* host = host_of(session);
    if (host == nullptr || info.id != host->info.id) {
        return;
    }
    host->last_heard = step.now.mono;
    const bool was_up = host->info.docker_up;
    const bool changed = differs(host->info, info);
    if (changed || !info.docker_up || !info.trouble.empty()) {
        withdraw_offers(*host);
    }
    const auto trouble_before = std::exchange(host->info, std::move(info)).trouble;
    if (changed) { // else its free ports may be held by offers that stay
        reset_ports(*host);
    }
    tell_changed(*host);
    total_stale_ = total_stale_ || changed;
    if (was_up && !host->info.docker_up && host->state == HostState::Up) {
        host->state = HostState::DockerDown;
        host->inventoried = false;
        host->grace_until = step.now.mono + policy_.docker_grace;
        step.warn("Docker does not answer on host " + label_of(*host) +
                  "; its instances are kept for " + format_duration(policy_.docker_grace));
    } else if (!was_up && host->info.docker_up && host->state == HostState::DockerDown) {
        host->state = HostState::Up;
        host->grace_until = MonoTime::max();
        step.note("Docker answers again on host " + label_of(*host));
    }
    if (host->info.trouble != trouble_before) {
        tell_trouble(*host, step);
    }
    improved(*host);
    if (changed) {
        save_host(*host, step);
    }
}

void Cluster::tell_trouble(const Host& host, Step& step) {
    if (host.info.trouble.empty()) {
        step.note("host " + label_of(host) + " takes new tasks again");
    } else {
        step.warn("host " + label_of(host) + " takes no new tasks: " + host.info.trouble);
    }
}

Host& Cluster::new_host(HostNumber number) {
    auto& host = hosts_[number];
    host.number = number;
    const auto vacant = std::find(slots_.begin(), slots_.end(), nullptr);
    host.slot = static_cast<std::size_t>(vacant - slots_.begin());
    if (vacant == slots_.end()) {
        slots_.push_back(&host);
    } else {
        *vacant = &host;
    }
    return host;
}

void Cluster::reset_ports(Host& host) {
    host.free_ports = host.info.resources.ports;
    for (const auto task : host.tasks) {
        for (const auto port : tasks_.at(task).host_ports) {
            host.free_ports.erase(port);
        }
    }
}

void Cluster::tell_changed(const Host& host) {
    for (const auto& [name, member] : members_) {
        member.listener->host_changed(host);
    }
}

void Cluster::heard(SessionNumber session, Now now) {
    if (auto* host = host_of(session); host != nullptr) {
        host->last_heard = now.mono;
        host->last_seen = now.wall;
    }
}

void Cluster::end_session(Host& host) {
    host_by_session_.erase(host.session);
    inventory_seen_.erase(host.session);
    host.session = SessionNumber();
    host.inventoried = false;
    withdraw_offers(host);
    note_offerable(host);
}

void Cluster::connection_closed(SessionNumber session, Step& step) {
    auto* host = host_of(session);
    if (host == nullptr) {
        return;
    }
    end_session(*host);
    if (host->state == HostState::Up || host->state == HostState::DockerDown) {
        host->state = HostState::Restarting;
        host->grace_until = step.now.mono + policy_.executor_grace;
        step.warn("the executor of host " + label_of(*host) +
                  " is gone; its instances are kept for " +
                  format_duration(policy_.executor_grace));
    } else if (host->state == HostState::Lost) {
        mark_unreachable(*host, "its executor went away before it had told what runs there", step);
    }
}

void Cluster::goodbye(SessionNumber session, Duration grace, Step& step) {
    auto* host = host_of(session);
    if (host == nullptr) {
        return;
    }
    constexpr Duration grace_max = std::chrono::minutes(30);
    end_session(*host);
    if (host->state == HostState::Up || host->state == HostState::DockerDown) {
        host->state = HostState::Restarting;
        host->grace_until = step.now.mono + std::clamp(grace, Duration::zero(), grace_max);
        step.note("the executor of host " + label_of(*host) +
                  " stopped in order; it is expected back within " + format_duration(grace));
    } else if (host->state == HostState::Lost) {
        mark_unreachable(*host, "its executor stopped before it had told what runs there", step);
    }
}

void Cluster::mark_unreachable(Host& host, const std::string& why, Step& step) {
    const auto listed = host.tasks; // listeners may change the host's list
    for (const auto number : listed) {
        auto& task = tasks_.at(number);
        if (task.unreachable) {
            continue;
        }
        const auto before = task.state();
        refund(task);
        task.unreachable = true;
        task.message = "host " + host.info.hostname + " is lost: " + why;
        task.changed_at = step.now.wall;
        notify(task, before, step);
    }
}

void Cluster::lose(Host& host, const std::string& why, Step& step) {
    if (!host.session.empty()) {
        end_session(host);
    }
    if (host.state != HostState::Lost) {
        host.lost_at = step.now.wall;
        host.lost_since = step.now.mono;
        note_loss(step);
    }
    if (step.watched && host.state != HostState::Lost) {
        step.publications.push_back(
            std::make_shared<HostChanged>(host.number, host.info.id, false));
    }
    // The host's record is the durable intent; its tasks follow from it, however many they are.
    host.state = HostState::Lost;
    host.grace_until = MonoTime::max();
    total_stale_ = true;
    save_host(host, step);
    step.warn("host " + label_of(host) + " is lost: " + why);
    mark_unreachable(host, why, step);
    for (const auto& [name, member] : members_) {
        member.listener->host_lost(host, step);
    }
}

void Cluster::note_loss(Step& step) {
    constexpr Duration window = std::chrono::seconds(10);
    constexpr std::size_t hosts_min = 3;
    recent_losses_.push_back(step.now.mono);
    while (!recent_losses_.empty() && recent_losses_.front() + window < step.now.mono) {
        recent_losses_.pop_front();
    }
    // Those that were there when it began; the long dead do not count.
    const auto living =
        static_cast<std::size_t>(std::count_if(hosts_.begin(), hosts_.end(), [](const auto& entry) {
            return entry.second.state != HostState::Lost;
        }));
    const auto before = living + recent_losses_.size() - 1; // this one is still counted as living
    const bool mass = recent_losses_.size() >= hosts_min && recent_losses_.size() * 2 > before;
    if (mass && policy_.mass_loss_hold > Duration::zero() && !holds_replacements(step.now)) {
        hold_until_ = step.now.mono + policy_.mass_loss_hold;
        step.warn(std::to_string(recent_losses_.size()) + " of " + std::to_string(before) +
                  " hosts vanished at once: that looks like this master's own network; "
                  "replacements wait " +
                  format_duration(policy_.mass_loss_hold));
    }
}

void Cluster::set_found(Host& host, Step& step) {
    if (step.watched) {
        step.publications.push_back(std::make_shared<HostChanged>(host.number, host.info.id, true));
    }
    host.state = host.info.docker_up ? HostState::Up : HostState::DockerDown;
    host.grace_until = host.info.docker_up ? MonoTime::max() : step.now.mono + policy_.docker_grace;
    total_stale_ = true;
    save_host(host, step);
    step.note("host " + label_of(host) + " is back");
}

/// All that hosts had sent by then has been taken in.
MonoTime Cluster::heard_until(Now now) const {
    constexpr Duration unread_max = std::chrono::seconds(30); // a flood excuses nobody for ever
    return unread_since_ ? std::clamp(*unread_since_, now.mono - unread_max, now.mono) : now.mono;
}

void Cluster::check_liveness(Step& step) {
    const auto until = heard_until(step.now);
    std::size_t held = 0;
    for (auto& [number, host] : hosts_) {
        if (!step.has_room()) {
            step.more = true;
            return;
        }
        const auto silence_max = host.beat_interval * policy_.beats_to_loss;
        const bool silent = !host.session.empty() && host.last_heard + silence_max < until;
        if (!silent && host.grace_until >= until) {
            continue;
        }
        if (host.state != HostState::Lost && !may_remove(step.now)) {
            hold_removal(host, step.now);
            ++held;
            continue;
        }
        if (host.state != HostState::Lost) {
            note_removal(step.now);
        }
        if (silent) {
            lose(host, "nothing was heard from it for " + format_duration(silence_max), step);
        } else {
            lose(host,
                 host.state == HostState::DockerDown ? "its Docker did not come back in time"
                                                     : "its executor did not come back in time",
                 step);
        }
    }
    tell_held(held, step);
}

bool Cluster::may_remove(Now now) const {
    const auto& rate = policy_.removal_rate;
    return rate.hosts == 0 || removals_.size() < rate.hosts ||
           removals_.front() + rate.per <= now.mono;
}

void Cluster::note_removal(Now now) {
    if (policy_.removal_rate.hosts == 0) {
        return;
    }
    removals_.push_back(now.mono);
    if (removals_.size() > policy_.removal_rate.hosts) {
        removals_.pop_front();
    }
}

/// The host is overdue and keeps its tasks: it takes nothing new, and may come back.
void Cluster::hold_removal(Host& host, Now now) {
    if (host.state == HostState::Up) {
        end_session(host);
        host.state = HostState::Restarting;
        host.grace_until = now.mono - Duration(1);
    }
}

void Cluster::tell_held(std::size_t held, Step& step) {
    const auto& rate = policy_.removal_rate;
    if (held > 0 && removals_held_ == 0) {
        step.warn(std::to_string(held) + (held == 1 ? " host is" : " hosts are") +
                  " overdue, but no more than " + std::to_string(rate.hosts) + " may be lost in " +
                  format_duration(rate.per) + ": instances there are kept until then");
    } else if (held == 0 && removals_held_ > 0) {
        step.note("no host's removal is held back any more");
    }
    removals_held_ = held;
}

void Cluster::paused(Duration gap) {
    for (auto& [number, host] : hosts_) {
        host.last_heard += gap;
        if (host.grace_until != MonoTime::max()) {
            host.grace_until += gap;
        }
    }
    for (auto& [number, offer] : offers_) {
        offer.made_at += gap;
    }
}

void Cluster::tick(Step& step) {
    check_liveness(step);
    continue_drains(step);
    while (!missing_.empty() && step.has_room()) {
        const auto number = missing_.front();
        missing_.pop_front();
        end_missing(number, step);
    }
    retry_kills(step);
    kill_unknown(step);
    step.more = step.more || !missing_.empty();
}

} // namespace methos::cluster
