#include "master/frameworks/services/definition/app_parse.hpp"

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "master/frameworks/services/definition/app_rules.hpp"
#include "master/frameworks/services/definition/container_parse.hpp"
#include "master/frameworks/services/definition/field_names.hpp"
#include "master/frameworks/services/definition/health_check_parse.hpp"
#include "master/frameworks/services/definition/json_fields.hpp"
#include "master/frameworks/services/definition/old_spellings.hpp"

#include <algorithm>
#include <array>

namespace methos::services {

using nlohmann::json;

namespace {

constexpr int nesting_max = 64;
constexpr std::int64_t instances_max = 1'000'000;
/// Of the stored text: with version and counters it has to fit a store's batch.
constexpr std::size_t definition_bytes_max = 768 * 1024;

bool is_blank(const json& value) {
    return value == "" || (value.is_structured() && value.empty());
}

void drop_nulls(json& document) {
    for (auto field = document.begin(); field != document.end();) {
        field = field->is_null() ? document.erase(field) : std::next(field);
    }
}

/// The fields of `document` over those of `base`, top level by top level.
json merged(const AppDefinition& base, const json& document) {
    auto result = to_json(base, Extensions::Shown);
    if (document.contains("cmd")) {
        result.erase("args");
    }
    if (document.contains("args")) {
        result.erase("cmd");
    }
    const auto mode = first_network_mode(document);
    if (mode == "host" && result.contains("container")) {
        result["container"].erase("portMappings");
    }
    if (!mode.empty() && mode != "host") {
        result.erase("portDefinitions");
    }
    for (const auto& [name, value] : document.items()) {
        result[name] = value;
    }
    return result;
}

void read_amount(const JsonFields& fields,
                 const char* name,
                 Result<std::int64_t> (*convert)(double),
                 std::int64_t& target) {
    double number = -1;
    fields.read(name, number);
    const auto* field = fields.find(name);
    if (field == nullptr || !field->is_number()) {
        return;
    }
    const auto amount = convert(number);
    if (amount) {
        target = *amount;
    } else {
        fields.invalid(name, amount.error().message);
    }
}

void read_env(const JsonFields& fields, AppDefinition& app) {
    const auto* env = fields.find("env");
    if (env == nullptr) {
        return;
    }
    if (!env->is_object()) {
        fields.mistyped("env", "error.expected.jsobject");
        return;
    }
    if (env->size() > list_items_max) {
        fields.invalid("env",
                       "must not have more than " + std::to_string(list_items_max) + " entries");
        return;
    }
    for (const auto& [name, value] : env->items()) {
        const auto path = fields.path_of("env") + "/" + name;
        std::string text;
        if (value.is_object()) {
            const JsonFields secret(value, path, fields.problems());
            secret.require("secret", text);
            app.env_secrets[name] = dump_json(value);
        } else if (!value.is_null() && read_string(value, path, fields.problems(), text)) {
            app.env[name] = std::move(text);
        }
    }
}

/// [["hostname", "UNIQUE"], ...]. An empty third element is what documents of old have for none.
void read_constraints(const JsonFields& fields, AppDefinition& app) {
    fields.each("constraints", [&](const json& item, const std::string& path) {
        if (!item.is_array()) {
            fields.problems().mistyped.add(path, "error.expected.jsarray");
            return;
        }
        std::vector<std::string> constraint;
        for (std::size_t i = 0; i < item.size() && i < 4; ++i) {
            std::string part;
            if (!item[i].is_null() &&
                read_string(
                    item[i], path + "(" + std::to_string(i) + ")", fields.problems(), part)) {
                constraint.push_back(std::move(part));
            }
        }
        if (constraint.size() == 3 && constraint[2].empty()) {
            constraint.pop_back();
        }
        app.constraints.push_back(std::move(constraint));
    });
}

void read_networks(const JsonFields& fields, AppDefinition& app) {
    std::vector<AppNetwork> networks;
    fields.each("networks", [&](const json& item, const std::string& path) {
        const JsonFields network(item, path, fields.problems());
        AppNetwork read{AppNetworkMode::Container, "", {}};
        network.read_word<AppNetworkMode>("mode",
                                          read.mode,
                                          {{"host", AppNetworkMode::Host},
                                           {"container/bridge", AppNetworkMode::Bridge},
                                           {"container", AppNetworkMode::Container}});
        network.read("name", read.name);
        network.read("labels", read.labels);
        networks.push_back(std::move(read));
    });
    if (!networks.empty()) {
        app.networks = std::move(networks);
    }
}

void read_port_definitions(const JsonFields& fields, AppDefinition& app) {
    if (!fields.has("portDefinitions") && app.network_mode() == AppNetworkMode::Host) {
        app.port_definitions = {{0, "tcp", "default", {}}};
    }
    fields.each("portDefinitions", [&](const json& item, const std::string& path) {
        const JsonFields definition(item, path, fields.problems());
        AppPortDefinition read;
        definition.read_port("port", read.port);
        definition.read("protocol", read.protocol);
        definition.read("name", read.name);
        definition.read("labels", read.labels);
        app.port_definitions.push_back(std::move(read));
    });
}

void read_strategies(const JsonFields& fields, AppDefinition& app) {
    if (const auto single = app.labels.find("MARATHON_SINGLE_INSTANCE_APP");
        single != app.labels.end() && single->second == "true") {
        app.upgrade_strategy = {0.0, 0.0};
    }
    if (const auto* upgrade = fields.find("upgradeStrategy")) {
        const JsonFields read(*upgrade, fields.path_of("upgradeStrategy"), fields.problems());
        read.read("minimumHealthCapacity", app.upgrade_strategy.minimum_health_capacity);
        read.read("maximumOverCapacity", app.upgrade_strategy.maximum_over_capacity);
    }
    const auto* unreachable = fields.find("unreachableStrategy");
    if (unreachable != nullptr && *unreachable == "disabled") {
        app.unreachable_strategy.disabled = true;
    } else if (unreachable != nullptr) {
        const JsonFields read(
            *unreachable, fields.path_of("unreachableStrategy"), fields.problems());
        read.read("inactiveAfterSeconds", app.unreachable_strategy.inactive_after_seconds);
        read.read("expungeAfterSeconds", app.unreachable_strategy.expunge_after_seconds);
    }
    fields.read_word<KillSelection>("killSelection",
                                    app.kill_selection,
                                    {{"YOUNGEST_FIRST", KillSelection::YoungestFirst},
                                     {"OLDEST_FIRST", KillSelection::OldestFirst}});
    fields.read("backoffSeconds", app.backoff_seconds);
    fields.read("backoffFactor", app.backoff_factor);
    fields.read("maxLaunchDelaySeconds", app.max_launch_delay_seconds);
    if (fields.has("taskKillGracePeriodSeconds")) {
        std::int64_t grace = 0;
        fields.read("taskKillGracePeriodSeconds", grace);
        app.task_kill_grace_period_seconds = grace;
    }
}

void read_fetch(const JsonFields& fields, AppDefinition& app) {
    fields.each("fetch", [&](const json& item, const std::string& path) {
        const JsonFields given(item, path, fields.problems());
        FetchItem fetch;
        given.require("uri", fetch.uri);
        given.read("destPath", fetch.output_file);
        given.read("extract", fetch.extract);
        given.read("executable", fetch.executable);
        given.read("cache", fetch.cache);
        app.fetch.push_back(std::move(fetch));
    });
}

/// What is kept as it came: Marathon's fields without effect, and the extensions.
void read_kept(const JsonFields& fields, AppDefinition& app) {
    for (const auto* name : inert_fields) {
        // Empty ones are the defaults that are printed anyway.
        if (const auto* field = fields.find(name); field != nullptr && !is_blank(*field)) {
            app.extras[name] = dump_json(*field);
        }
    }
    for (const auto* name : extension_fields) {
        if (const auto* field = fields.find(name)) {
            app.extensions[name] = dump_json(*field);
        }
    }
    fields.read("priority", app.priority);
}

void read_identity(const JsonFields& fields, const ParseOptions& options, AppDefinition& app) {
    std::string id;
    if (options.id) {
        id = *options.id;
    } else {
        fields.require("id", id);
    }
    app.id = AppId(absolute_path(id, options.parent));
    const auto parent = app.id.value.substr(0, app.id.value.rfind('/'));
    std::vector<std::string> dependencies;
    fields.read("dependencies", dependencies);
    for (const auto& path : dependencies) {
        app.dependencies.emplace_back(absolute_path(path, parent));
    }
}

AppDefinition read_app(const json& document, const ParseOptions& options, Problems& problems) {
    const JsonFields fields(document, options.path_prefix, problems);
    AppDefinition app;
    read_identity(fields, options, app);
    fields.read("cmd", app.cmd);
    if (fields.has("args")) {
        app.args.emplace();
        fields.read("args", *app.args);
    }
    read_amount(fields, "cpus", milli_cpus_of, app.resources.milli_cpus);
    read_amount(fields, "mem", bytes_of_mb, app.resources.mem_bytes);
    read_amount(fields, "disk", bytes_of_mb, app.resources.disk_bytes);
    fields.read("gpus", app.resources.gpus, 0, 1024);
    fields.read("instances", app.instances, 0, instances_max);
    read_env(fields, app);
    fields.read("labels", app.labels);
    read_constraints(fields, app);
    read_networks(fields, app);
    read_container(fields, app);
    read_port_definitions(fields, app);
    fields.read("requirePorts", app.require_ports);
    read_strategies(fields, app);
    fields.read("user", app.user);
    fields.read("role", app.role);
    if (fields.has("acceptedResourceRoles")) {
        app.accepted_resource_roles.emplace();
        fields.read("acceptedResourceRoles", *app.accepted_resource_roles);
    }
    read_health_checks(fields, app);
    read_fetch(fields, app);
    read_kept(fields, app);
    return app;
}

} // namespace

ApiResult<json> parse_document(const std::string& text) {
    try {
        auto document = parse_json(text, nesting_max);
        if (document.is_discarded()) {
            return malformed_json("nested deeper than " + std::to_string(nesting_max) + " levels");
        }
        // Named in full: json converts to everything, an ApiError included.
        return ApiResult<json>(boost::system::in_place_value, std::move(document));
    } catch (const json::exception& failure) {
        return malformed_json(failure.what());
    }
}

ApiResult<AppDefinition> parse_app(const std::string& json_text, const ParseOptions& options) {
    const auto document = parse_document(json_text);
    if (!document) {
        return document.error();
    }
    return parse_app(*document, options);
}

ApiResult<AppDefinition> parse_app(const json& document, const ParseOptions& options) {
    Problems problems;
    if (!document.is_object()) {
        const JsonFields reported(document, options.path_prefix, problems);
        return mistyped_json(problems.mistyped);
    }
    auto given = document;
    drop_nulls(given);
    rewrite_old_spellings(given, options.path_prefix, problems);
    if (options.base != nullptr) {
        given = merged(*options.base, given);
    }
    auto app = read_app(given, options, problems);
    if (!problems.mistyped.empty()) {
        return mistyped_json(problems.mistyped);
    }
    if (options.stored) {
        return app;
    }
    check_rules(app, options.path_prefix, problems.invalid);
    if (problems.invalid.empty() && stored_text(app).size() > definition_bytes_max) {
        problems.invalid.add(options.path_prefix + "/",
                             "must not be larger than " + std::to_string(definition_bytes_max) +
                                 " bytes in all");
    }
    if (!problems.invalid.empty()) {
        return invalid_object(problems.invalid);
    }
    return app;
}

ApiResult<std::optional<std::string>> rollback_version(const json& document) {
    Problems problems;
    if (!document.is_object()) {
        const JsonFields reported(document, "", problems);
        return mistyped_json(problems.mistyped);
    }
    auto given = document;
    drop_nulls(given);
    if (!given.contains("version")) {
        return std::optional<std::string>();
    }
    const JsonFields fields(given, "", problems);
    std::string version;
    fields.read("version", version);
    WallTime time;
    if (problems.mistyped.empty() && !parse_wall_time(version, time)) {
        fields.mistyped("version", "error.expected.timestamp");
    }
    if (!problems.mistyped.empty()) {
        return mistyped_json(problems.mistyped);
    }
    const auto alone =
        std::all_of(given.items().begin(), given.items().end(), [](const auto& field) {
            return field.key() == "version" || field.key() == "id";
        });
    if (!alone) {
        fields.invalid("", "The 'version' field may only be combined with the 'id' field.");
        return invalid_object(problems.invalid);
    }
    return std::optional<std::string>(format_wall_time(time));
}

} // namespace methos::services
