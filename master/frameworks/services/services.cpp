// Apps: recovery and reading. What changes them is in app_changes.cpp, keeping them true in
// settle.cpp, placing them in placement.cpp.
#include "master/frameworks/services/services.hpp"

#include "master/cluster/invariants.hpp"
#include "master/frameworks/services/constraints.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/state/records.pb.h"

#include <algorithm>

namespace methos::services {

namespace {

void to_record(const LastEnd& end, state::LastEnd& record) {
    record.set_task(end.task);
    record.set_host(end.host.value);
    record.set_hostname(end.hostname);
    record.set_state(static_cast<std::uint32_t>(end.state));
    record.set_message(end.message);
    record.set_time_ms(end.time.time_since_epoch().count());
    record.set_version(end.version);
}

LastEnd from_record(const state::LastEnd& record) {
    LastEnd end;
    end.task = record.task();
    end.host = HostNumber(record.host());
    end.hostname = record.hostname();
    end.state = record.state() <= static_cast<std::uint32_t>(TaskState::Unknown)
                    ? static_cast<TaskState>(record.state())
                    : TaskState::Unknown;
    end.message = record.message();
    end.time = WallTime(std::chrono::milliseconds(record.time_ms()));
    end.version = record.version();
    return end;
}

} // namespace

TaskName instance_name(const AppId& app, const std::string& uuid) {
    auto path = app.value.substr(app.value.find_first_not_of('/'));
    std::replace(path.begin(), path.end(), '/', '_');
    return TaskName(path + ".instance-" + uuid + "._app.1");
}

Services::Services(cluster::Cluster& cluster, std::string default_image)
    : cluster_(cluster), default_image_(std::move(default_image)) {}

const std::string& Services::name() const {
    static const std::string name = "services";
    return name;
}

void Services::load_app(std::uint64_t key, const std::string& bytes) {
    state::AppRecord record;
    if (!record.ParseFromString(bytes)) {
        throw Failure(Code::Internal,
                      "the stored record of app " + std::to_string(key) + " is damaged");
    }
    auto definition = parse_stored(record.definition());
    if (!definition) {
        throw Failure(definition.error());
    }
    App app;
    app.key = key;
    app.definition = std::move(*definition);
    app.version = record.version();
    app.spec = SpecNumber(record.spec());
    app.deleting = record.deleting();
    app.deployment = record.deployment();
    app.last_scaling_at = WallTime(std::chrono::milliseconds(record.last_scaling_at_ms()));
    app.last_config_change_at =
        WallTime(std::chrono::milliseconds(record.last_config_change_at_ms()));
    app.request = RequestId(record.request());
    next_key_ = std::max(next_key_, key + 1);
    const auto id = app.definition.id;
    count_values(apps_.emplace(id, std::move(app)).first->second);
}

void Services::load_ends(std::uint64_t key, const std::string& bytes) {
    state::AppEndRecord record;
    if (!record.ParseFromString(bytes)) {
        throw Failure(Code::Internal,
                      "the stored ends of app " + std::to_string(key) + " are damaged");
    }
    for (auto& [id, app] : apps_) {
        if (app.key != key) {
            continue;
        }
        if (record.has_last_failure()) {
            app.last_failure = from_record(record.last_failure());
        }
        if (record.has_last_end()) {
            app.last_end = from_record(record.last_end());
        }
    }
}

void Services::load_version(std::uint64_t key, const std::string& bytes) {
    history_.load(key, bytes);
}

void Services::loaded() {
    newest_version_ = history_.newest();
    for (const auto& [number, task] : cluster_.tasks()) {
        if (auto* app = app_of(task); app != nullptr) {
            add_task(*app, task);
        } else if (task.framework == name()) {
            orphans_.insert(number);
        }
    }
    for (const auto& [id, app] : apps_) {
        WallTime version;
        if (parse_wall_time(app.version, version)) {
            newest_version_ = std::max(newest_version_, version);
        }
        dirty_.insert(id);
    }
}

App* Services::app_of(const cluster::Task& task) {
    const auto spec = cluster_.find_spec(task.spec);
    if (task.framework != name() || !spec) {
        return nullptr;
    }
    const auto found = apps_.find(AppId(spec->app));
    return found == apps_.end() ? nullptr : &found->second;
}

const App* Services::find(const AppId& id) const {
    const auto found = apps_.find(id);
    return found == apps_.end() || found->second.deleting ? nullptr : &found->second;
}

void Services::save(const App& app, cluster::Step& step) {
    state::AppRecord record;
    record.set_definition(stored_text(app.definition));
    record.set_version(app.version);
    record.set_spec(app.spec.value);
    record.set_deleting(app.deleting);
    record.set_deployment(app.deployment);
    record.set_last_scaling_at_ms(app.last_scaling_at.time_since_epoch().count());
    record.set_last_config_change_at_ms(app.last_config_change_at.time_since_epoch().count());
    record.set_request(app.request.value);
    step.put(state::Table::App, app.key, record.SerializeAsString());
}

void Services::save_ends(const App& app, cluster::Step& step) {
    state::AppEndRecord record;
    if (app.last_failure) {
        to_record(*app.last_failure, *record.mutable_last_failure());
    }
    if (app.last_end) {
        to_record(*app.last_end, *record.mutable_last_end());
    }
    step.put(state::Table::AppEnd, app.key, record.SerializeAsString());
}

/// Has the values counted that the app's constraints are about.
void Services::count_values(App& app) const {
    app.instances.count_fields(constrained_fields(app.definition.constraints),
                               [this](HostNumber number) { return cluster_.find_host(number); });
}

AppCounts Services::counts(const App& app) const {
    AppCounts counts;
    for (const auto& [group, members] : app.instances.groups()) {
        counts.staged += group.standing == Standing::Starting ? members.size() : 0U;
        counts.running += is_running(group.standing) ? members.size() : 0U;
        counts.healthy += group.standing == Standing::Healthy ? members.size() : 0U;
        counts.unhealthy += group.standing == Standing::Ill ? members.size() : 0U;
    }
    return counts;
}

/// What each app counts is what it has, and all of it; only what is there has a past.
void Services::check_invariants() const {
    if (!history_.consistent()) {
        cluster::invariant_broken("the versions of apps are not what their history counts");
    }
    for (const auto& id : history_.apps()) {
        const auto found = apps_.find(id);
        if (found == apps_.end()) {
            cluster::invariant_broken("app " + id.value + " is gone and has a past");
        }
        if (format_wall_time(history_.versions_of(id).back()) >= found->second.version) {
            cluster::invariant_broken("app " + id.value + " was newer than it is");
        }
    }
    for (const auto& [id, app] : apps_) {
        Instances counted;
        counted.count_fields(constrained_fields(app.definition.constraints),
                             [](HostNumber) { return nullptr; });
        for (const auto number : app.tasks) {
            const auto* task = cluster_.find_task(number);
            if (task == nullptr) {
                cluster::invariant_broken("app " + id.value + " has an instance that is gone");
            }
            counted.note(*task, *cluster_.find_host(task->host));
        }
        if (!(counted == app.instances)) {
            cluster::invariant_broken("the instances of app " + id.value +
                                      " are not what it counts");
        }
    }
}

} // namespace methos::services
