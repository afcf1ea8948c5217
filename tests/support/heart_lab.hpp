// A heart with everything around it played by hand: records kept in a map (so that it can be
// "killed" and loaded again), hosts that join and report, messages caught as they leave. Time moves
// only when a test says so.
#pragma once

#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/heart/heart.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace methos::test {

class HeartLab {
  public:
    explicit HeartLab(heart::Options options = heart::Options()) : options_(std::move(options)) {
        start();
    }

    /// What survives a kill is what was committed.
    void kill_and_restart() { start(); }

    /// Starts anew from other records, as after a restore. The hosts are told nothing.
    void restart_from(std::map<std::pair<state::Table, std::uint64_t>, std::string> records) {
        records_ = std::move(records);
        start();
    }

    heart::Heart& heart() { return *heart_; }

    cluster::Cluster& cluster() { return heart_->cluster(); }

    services::Services& services() { return heart_->services(); }

    void advance(Duration time) {
        now_.mono += time;
        now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time);
    }

    /// The wall clock is set anew; the monotonic one goes on.
    void jump_clock(Duration by) {
        now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(by);
    }

    [[nodiscard]] Now now() const { return now_; }

    /// One event, committed, followed by as many decisions as the heart asks for.
    template <class Event>
    void step(Event&& event) {
        cluster::Step first(now_);
        event(*heart_, first);
        commit(first);
        decide();
    }

    /// An event whose commit the store refuses; then the store takes writes again.
    template <class Event>
    void refuse(Event&& event) {
        cluster::Step lost(now_);
        event(*heart_, lost);
        const auto discarded = std::move(heart_);
        load();
        heart_->adopt_sessions(*discarded);
        heart_->resume(now_);
        decide();
    }

    void decide() {

        constexpr int turns_max = 10'000;
        for (int turn = 0; turn < turns_max; ++turn) {
            cluster::Step step(now_);
            heart_->decide(step);
            commit(step);
            if (!step.more) {
                return;
            }
        }
        throw std::runtime_error("the heart never comes to rest");
    }

    /// Time passes with every connected host beating.
    void live(Duration time) {
        constexpr Duration beat = std::chrono::milliseconds(500);
        for (Duration passed{}; passed < time; passed += beat) {
            advance(beat);
            for (const auto& [name, session] : sessions_) {
                heart_->heard(session, now_);
            }
            decide();
        }
    }

    // --- hosts
    // -------------------------------------------------------------------------------------------------
    static HostInfo host_info(const std::string& name) {
        HostInfo info;
        info.id = HostId("id-" + name);
        info.hostname = name;
        info.address = "10.0.0.1";
        info.resources.scalars = {4000, 8192 * bytes_per_mb, 100'000 * bytes_per_mb, 0};
        info.resources.ports = PortSet(PortRange{31000, 31099});
        info.docker_up = true;
        info.docker_version = "20.10.24";
        return info;
    }

    void join(const std::string& name, const std::vector<TaskStatus>& has = {}) {
        join(host_info(name), has);
    }

    void join(const HostInfo& info, const std::vector<TaskStatus>& has = {}) {
        const SessionNumber session(++sessions_opened_);
        sessions_[info.hostname] = session;
        step([&](heart::Heart& heart, cluster::Step& s) {
            heart.cluster().host_joined(session, info, "key", s);
        });
        in_slices(has, [&](std::span<const TaskStatus> slice, bool last, cluster::Step& s) {
            return cluster().inventory(session, slice, last, s);
        });
    }

    /// From here on the host neither beats nor hears.
    void cut(const std::string& name) { sessions_.erase(name); }

    void close(const std::string& name) {
        const auto session = sessions_.at(name);
        sessions_.erase(name);
        step([&](heart::Heart& heart, cluster::Step& s) {
            heart.cluster().connection_closed(session, s);
        });
    }

    [[nodiscard]] SessionNumber session(const std::string& name) const {
        return sessions_.at(name);
    }

    // --- tasks
    // -------------------------------------------------------------------------------------------------
    static TaskStatus status(const cluster::Task& task, TaskState state, std::uint64_t stamp = 1) {
        TaskStatus status;
        status.number = task.number;
        status.name = task.name;
        status.stamp = stamp;
        status.state = state;
        status.container_id = "c-" + task.name.value;
        return status;
    }

    void report(const std::string& host, const TaskStatus& status) { report_all(host, {status}); }

    /// As one STATUS.
    void report_all(const std::string& host, const std::vector<TaskStatus>& all) {
        const auto session = sessions_.at(host);
        in_slices(all, [&](std::span<const TaskStatus> slice, bool /*last*/, cluster::Step& s) {
            return cluster().statuses(session, slice, s);
        });
    }

    void report(const cluster::Task& task, TaskState state) {
        report(cluster().find_host(task.host)->info.hostname, status(task, state));
    }

    /// Every staged instance on a connected host comes up.
    void run_all() {
        for (const auto& task : tasks_in(TaskState::Staging)) {
            if (sessions_.contains(cluster().find_host(task.host)->info.hostname)) {
                report(task, TaskState::Running);
            }
        }
    }

    /// Every killed instance on a connected host goes.
    void end_all_killed() {
        for (const auto& task : tasks_in(TaskState::Killing)) {
            if (sessions_.contains(cluster().find_host(task.host)->info.hostname)) {
                report(task, TaskState::Killed);
            }
        }
    }

    [[nodiscard]] std::vector<cluster::Task> tasks_in(TaskState state) {
        std::vector<cluster::Task> tasks;
        for (const auto& [number, task] : cluster().tasks()) {
            if (task.state() == state) {
                tasks.push_back(task);
            }
        }
        return tasks;
    }

    [[nodiscard]] std::size_t count(TaskState state) { return tasks_in(state).size(); }

    /// How many tasks in `state` each host has.
    [[nodiscard]] std::map<std::string, std::size_t> spread(TaskState state) {
        std::map<std::string, std::size_t> spread;
        for (const auto& task : tasks_in(state)) {
            ++spread[cluster().find_host(task.host)->info.hostname];
        }
        return spread;
    }

    // --- apps
    // --------------------------------------------------------------------------------------------------
    services::ApiResult<services::Changed> put(const std::string& json) {
        auto definition = services::parse_app(json);
        if (!definition) {
            throw std::runtime_error(definition.error().body_json);
        }
        return change([&](services::Services& services, cluster::Step& s) {
            return services.put(
                *definition, services::Services::Existing::Replace, RequestId("r"), s);
        });
    }

    static std::string app(const std::string& id, int instances, const std::string& more = "") {
        return R"({"id":")" + id + R"(","cpus":0.1,"mem":32,"instances":)" +
               std::to_string(instances) +
               R"(,"container":{"type":"DOCKER","docker":{"image":"busybox"}})" +
               (more.empty() ? "" : "," + more) + "}";
    }

    void remove(const std::string& id) {
        step([&](heart::Heart& heart, cluster::Step& s) {
            const auto removed = heart.services().remove(AppId(id), RequestId("r"), s);
            if (!removed) {
                throw std::runtime_error(removed.error().body_json);
            }
        });
    }

    services::ApiResult<services::Changed> restart(const std::string& id) {
        return change([&](services::Services& services, cluster::Step& s) {
            return services.restart(AppId(id), RequestId("r"), s);
        });
    }

    services::ApiResult<services::Changed> roll_back(const std::string& id, WallTime version) {
        return change([&](services::Services& services, cluster::Step& s) {
            return services.roll_back(AppId(id), version, RequestId("r"), s);
        });
    }

    /// What has been sent since the last call, of one kind.
    template <class Kind>
    std::vector<Kind> take_sent() {
        std::vector<Kind> sent;
        for (const auto& message : messages_) {
            if (const auto* body = std::get_if<Kind>(&message.body)) {
                sent.push_back(*body);
            }
        }
        messages_.clear();
        return sent;
    }

    /// What has been published since the last call.
    std::vector<std::shared_ptr<const cluster::Publication>> take_published() {
        return std::exchange(publications_, {});
    }

    [[nodiscard]] const std::map<std::pair<state::Table, std::uint64_t>, std::string>&
    records() const {
        return records_;
    }

  private:
    template <class Change>
    services::ApiResult<services::Changed> change(Change&& change) {
        services::ApiResult<services::Changed> result = services::Changed();
        step([&](heart::Heart& heart, cluster::Step& s) { result = change(heart.services(), s); });
        return result;
    }

    /// As the master's end of the bus does it: before the heart decides anything.
    template <class Take>
    void in_slices(const std::vector<TaskStatus>& all, Take&& take) {
        std::size_t at = 0;
        do {
            const auto count = std::min(all.size() - at, cluster::Cluster::slice_max);
            cluster::Step next(now_);
            at += take(std::span(all).subspan(at, count), at + count == all.size(), next);
            commit(next);
        } while (at < all.size());
        decide();
    }

    void start() {
        sessions_.clear();
        load();
        cluster::Step step(now_);
        heart_->begin(step, "cluster-1");
        commit(step);
        decide();
    }

    void load() {
        heart_ = std::make_unique<heart::Heart>(options_);
        for (const auto& [place, value] : records_) {
            heart_->load(place.first, place.second, value);
        }
        heart_->loaded();
    }

    void commit(cluster::Step& step) {
        const auto fits = state::check_caps(step.changes);
        if (!fits) {
            throw std::runtime_error(fits.error().message);
        }
        for (const auto& change : step.changes) {
            const auto place = std::make_pair(change.table, change.key);
            if (change.value) {
                records_[place] = *change.value;
            } else {
                records_.erase(place);
            }
        }
        messages_.insert(messages_.end(), step.messages.begin(), step.messages.end());
        publications_.insert(
            publications_.end(), step.publications.begin(), step.publications.end());
        heart_->cluster().check_invariants();
    }

    heart::Options options_;
    std::unique_ptr<heart::Heart> heart_;
    std::map<std::pair<state::Table, std::uint64_t>, std::string> records_;
    std::map<std::string, SessionNumber> sessions_;
    std::uint64_t sessions_opened_ = 0;
    std::vector<cluster::Message> messages_;
    std::vector<std::shared_ptr<const cluster::Publication>> publications_;
    Now now_{MonoTime(std::chrono::hours(1)), WallTime(std::chrono::hours(24 * 365 * 50))};
};

} // namespace methos::test
