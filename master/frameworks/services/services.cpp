// Apps: recovery, changes and reading. Keeping them true is in settle.cpp, placing them in
// placement.cpp.
#include "master/frameworks/services/services.hpp"

#include "core/wire/mapping.hpp"
#include "master/cluster/invariants.hpp"
#include "master/frameworks/services/constraints.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/definition/app_task.hpp"
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

/// A new version's instant: now, and later than the version before.
WallTime version_instant(Now now, const std::string& before) {
    WallTime last;
    if (parse_wall_time(before, last) && last >= now.wall) {
        return last + std::chrono::milliseconds(1);
    }
    return now.wall;
}

constexpr std::size_t definition_bytes_max = 256 * 1024; ///< two of its size fit into one batch

/// What cannot be stored, loaded and sent must not be accepted. Errors: what is too large or
/// illegal.
Result<void> survives_the_wire(const TaskSpec& spec) {
    auto numbered = spec;
    numbered.number = SpecNumber(1);
    wire::TaskSpec message;
    wire::to_wire(numbered, message);
    const auto back = wire::from_wire(message);
    if (!back) {
        return back.error();
    }
    return {};
}

/// Whether going from one to the other restarts nothing. By their stored texts: defaults written
/// out or left out make no difference.
bool same_but_for_instances(AppDefinition a, const AppDefinition& b) {
    a.instances = b.instances;
    return stored_text(a) == stored_text(b);
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

void Services::loaded() {
    for (const auto& [number, task] : cluster_.tasks()) {
        if (auto* app = app_of(task); app != nullptr) {
            add_task(*app, task);
        } else if (task.framework == name()) {
            orphans_.insert(number);
        }
    }
    for (const auto& [id, app] : apps_) {
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

ApiResult<Changed> Services::put(AppDefinition definition,
                                 Existing existing,
                                 const RequestId& request,
                                 cluster::Step& step) {
    const auto id = definition.id;
    const auto found = apps_.find(id);
    const bool exists = found != apps_.end() && !found->second.deleting;
    if (exists && existing == Existing::Refuse) {
        return api_error(409, "An app with id [" + id.value + "] already exists.");
    }
    if (found != apps_.end() && found->second.deleting) {
        return api_error(
            409, "App " + id.value + " is being deleted; try again when its instances are gone.");
    }
    if (const auto unsupported = check_constraints(definition.constraints); !unsupported.empty()) {
        return invalid_object(unsupported);
    }
    const auto instant = version_instant(step.now, exists ? found->second.version : "");
    const auto version = format_wall_time(instant);
    const bool keeps_spec = exists && same_but_for_instances(found->second.definition, definition);
    if (stored_text(definition).size() > definition_bytes_max) {
        return api_error(422, "the definition is larger than 256 KiB");
    }
    std::optional<TaskSpec> spec;
    if (!keeps_spec) {
        auto made = make_task_spec(definition, version, default_image_);
        if (!made) {
            return api_error(422, made.error().message);
        }
        spec = std::move(*made);
        spec->framework = name();
        if (const auto legal = survives_the_wire(*spec); !legal) {
            return api_error(422, legal.error().message);
        }
    }

    App& app = apps_[id];
    if (!exists) {
        app.key = next_key_++;
        app.last_scaling_at = instant;
    }
    if (app.definition.instances != definition.instances) {
        app.last_scaling_at = instant;
    }
    app.definition = std::move(definition);
    count_values(app);
    ++app.revision;
    app.version = version;
    app.request = request;
    app.deployment = cluster_.new_uuid(step);
    app.backoff = Duration::zero();
    app.backoff_until = MonoTime::min();
    if (spec) {
        const auto old = app.spec;
        app.spec = cluster_.add_spec(std::move(*spec), step);
        app.last_config_change_at = instant;
        drop_spec_when_unused(app, old, step);
    }
    save(app, step);
    dirty_.insert(id);
    return Changed{id, app.version, app.deployment, !exists};
}

ApiResult<Changed>
Services::remove(const AppId& id, const RequestId& request, cluster::Step& step) {
    const auto found = apps_.find(id);
    if (found == apps_.end() || found->second.deleting) {
        return api_error(404, "App '" + id.value + "' does not exist");
    }
    App& app = found->second;
    app.deleting = true;
    app.request = request;
    app.version = format_wall_time(version_instant(step.now, app.version));
    app.deployment = cluster_.new_uuid(step);
    save(app, step);
    dirty_.insert(id);
    return Changed{id, app.version, app.deployment, false};
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

/// What each app counts is what it has, and all of it.
void Services::check_invariants() const {
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
