// What people change: apps are created, replaced, restarted, taken back to older versions and
// removed. A change is checked, written down and answered; making it true is in settle.cpp.
#include "master/frameworks/services/services.hpp"

#include "core/wire/mapping.hpp"
#include "master/frameworks/services/constraints.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/definition/app_task.hpp"

#include <algorithm>

namespace methos::services {

namespace {

constexpr std::size_t definition_bytes_max =
    256 * 1024; ///< as record, past and spec it fits into one batch

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

ApiError no_such_app(const AppId& id) {
    return api_error(404, "App '" + id.value + "' does not exist");
}

AppVersion present_of(const App& app) {
    return {stored_text(app.definition), app.last_scaling_at, app.last_config_change_at};
}

WallTime instant_of(const std::string& version) {
    WallTime instant;
    (void)parse_wall_time(version, instant); // ours: it can be read
    return instant;
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
    if (stored_text(definition).size() > definition_bytes_max) {
        return api_error(422, "the definition is larger than 256 KiB");
    }
    if (exists && same_but_for_instances(found->second.definition, definition)) {
        return scale(found->second, std::move(definition), request, step);
    }
    const auto version = next_version(step.now);
    auto spec = launchable(definition, format_wall_time(version));
    if (!spec) {
        return spec.error();
    }
    App& app = apps_[id];
    if (!exists) {
        app.key = next_key_++;
    }
    begin_version(app, version, step);
    app.definition = std::move(definition);
    app.last_scaling_at = version;
    app.last_config_change_at = version;
    count_values(app);
    follow(app, std::move(*spec), step);
    auto changed = deploy(app, request, step);
    changed.created = !exists;
    return changed;
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

/// Restarts nothing, and forgives nothing: what keeps failing goes on waiting.
Changed
Services::scale(App& app, AppDefinition definition, const RequestId& request, cluster::Step& step) {
    if (app.definition.instances != definition.instances) {
        const auto version = next_version(step.now);
        begin_version(app, version, step);
        app.definition = std::move(definition);
        app.last_scaling_at = version;
    }
    return deploy(app, request, step);
}

ApiResult<Changed>
Services::restart(const AppId& id, const RequestId& request, cluster::Step& step) {
    const auto found = apps_.find(id);
    if (found == apps_.end() || found->second.deleting) {
        return no_such_app(id);
    }
    App& app = found->second;
    const auto version = next_version(step.now);
    auto spec = launchable(app.definition, format_wall_time(version));
    if (!spec) {
        return spec.error();
    }
    begin_version(app, version, step);
    app.last_scaling_at = version; // Marathon counts a restart as one
    follow(app, std::move(*spec), step);
    return deploy(app, request, step);
}

ApiResult<Changed> Services::roll_back(const AppId& id,
                                       WallTime version,
                                       const RequestId& request,
                                       cluster::Step& step) {
    const auto* app = find(id);
    const auto then = app == nullptr ? std::nullopt : find_version(*app, version);
    if (!then) {
        return api_error(
            404, "App '" + id.value + "' does not exist in version " + format_wall_time(version));
    }
    auto definition = parse_stored(then->definition);
    if (!definition) {
        throw Failure(definition.error());
    }
    return put(std::move(*definition), Existing::Replace, request, step);
}

/// What instances of that version run. Errors: 422 when they could never be launched.
ApiResult<TaskSpec> Services::launchable(const AppDefinition& definition,
                                         const std::string& version) const {
    auto spec = make_task_spec(definition, version, default_image_);
    if (!spec) {
        return api_error(422, spec.error().message);
    }
    spec->framework = name();
    if (const auto legal = survives_the_wire(*spec); !legal) {
        return api_error(422, legal.error().message);
    }
    return std::move(*spec);
}

/// Versions have an order over all apps, whatever the wall clock does.
WallTime Services::next_version(Now now) const {
    return std::max(now.wall, newest_version_ + std::chrono::milliseconds(1));
}

/// What the app is until now becomes its past.
void Services::begin_version(App& app, WallTime version, cluster::Step& step) {
    const auto id = app.definition.id;
    if (!app.version.empty()) {
        history_.add(id, instant_of(app.version), present_of(app), step);
    }
    app.version = format_wall_time(version);
    newest_version_ = version;
}

/// From now on new instances run this, with nothing held against it.
void Services::follow(App& app, TaskSpec spec, cluster::Step& step) {
    const auto old = app.spec;
    app.spec = cluster_.add_spec(std::move(spec), step);
    app.backoff = Duration::zero();
    app.backoff_until = MonoTime::min();
    drop_spec_when_unused(app, old, step);
}

Changed Services::deploy(App& app, const RequestId& request, cluster::Step& step) {
    ++app.revision;
    app.request = request;
    app.deployment = cluster_.new_uuid(step);
    save(app, step);
    trim_history(app.definition.id, step);
    dirty_.insert(app.definition.id);
    return Changed{app.definition.id, app.version, app.deployment, false};
}

ApiResult<Changed>
Services::remove(const AppId& id, const RequestId& request, cluster::Step& step) {
    const auto found = apps_.find(id);
    if (found == apps_.end() || found->second.deleting) {
        return no_such_app(id);
    }
    App& app = found->second;
    app.deleting = true;
    newest_version_ = next_version(step.now);
    app.version = format_wall_time(newest_version_);
    return deploy(app, request, step);
}

std::set<WallTime> Services::versions_in_use(const AppId& id) const {
    std::set<WallTime> versions;
    const auto found = apps_.find(id);
    if (found == apps_.end()) {
        return versions;
    }
    const auto add = [&](SpecNumber number) {
        if (const auto spec = cluster_.find_spec(number)) {
            versions.insert(instant_of(spec->version));
        }
    };
    add(found->second.spec);
    for (const auto& [group, members] : found->second.instances.groups()) {
        add(group.spec);
    }
    return versions;
}

void Services::trim_history(const AppId& id, cluster::Step& step) {
    history_.trim(
        id, [this](const AppId& app) { return versions_in_use(app); }, step);
}

std::vector<WallTime> Services::versions_of(const App& app) const {
    auto versions = history_.versions_of(app.definition.id);
    versions.push_back(instant_of(app.version));
    std::reverse(versions.begin(), versions.end());
    return versions;
}

std::optional<AppVersion> Services::find_version(const App& app, WallTime version) const {
    if (version == instant_of(app.version)) {
        return present_of(app);
    }
    const auto* past = history_.find(app.definition.id, version);
    return past == nullptr ? std::nullopt : std::optional(*past);
}

} // namespace methos::services
