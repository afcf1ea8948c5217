// What people change: apps are created, replaced and removed. A change is checked, written down and
// answered; making it true is in settle.cpp.
#include "master/frameworks/services/services.hpp"

#include "core/wire/mapping.hpp"
#include "master/frameworks/services/constraints.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/definition/app_task.hpp"

namespace methos::services {

namespace {

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
    if (!exists && names_a_group(id)) {
        Violations clash;
        clash.add("/", "Groups and Applications may not have the same identifier.");
        return invalid_object(clash);
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

/// Whether an app of that name would stand where a group is, or in a group that is an app. Stored
/// ones may: they are older than this rule.
bool Services::names_a_group(const AppId& id) const {
    const auto inside = id.value + "/";
    for (auto below = apps_.lower_bound(AppId(inside));
         below != apps_.end() && below->first.value.rfind(inside, 0) == 0;
         ++below) {
        if (!below->second.deleting) {
            return true;
        }
    }
    for (auto slash = id.value.rfind('/'); slash != 0; slash = id.value.rfind('/', slash - 1)) {
        if (find(AppId(id.value.substr(0, slash))) != nullptr) {
            return true;
        }
    }
    return false;
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

} // namespace methos::services
