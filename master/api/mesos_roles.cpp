#include "master/api/mesos_roles.hpp"

#include "master/api/mesos_listings.hpp"
#include "master/api/mesos_media.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <set>

namespace methos::master {

namespace {

using cluster::RoleSettings;
using nlohmann::json;

constexpr std::size_t roles_per_call_max = 64; ///< one step takes them all
constexpr std::size_t role_bytes_max = 255;
constexpr double weight_max = 1e6;

using RoleChanges = std::map<std::string, RoleSettings>;

http::Response reply(const json& document) {
    return http::Response(200, "application/json", external::print_line(document));
}

/// Throws InvalidInput.
std::string read_role(const json& entry) {
    const auto& role = member(entry, "role");
    if (!role.is_string() || role.get_ref<const std::string&>().empty()) {
        throw Failure(Code::InvalidInput, "Expecting 'role' to be present in every entry");
    }
    const auto& name = role.get_ref<const std::string&>();
    if (name.size() > role_bytes_max || name.front() == '-' || name.front() == '.' ||
        name.find_first_of(" \t\n\r\b\\\x7f") != std::string::npos) {
        throw Failure(Code::InvalidInput, "'" + name.substr(0, role_bytes_max) + "' is no role");
    }
    return name;
}

/// The list at call.FIELD.LIST. Throws InvalidInput.
const json& read_list(const json& call, const char* field, const char* list) {
    const auto& entries = member(member(call, field), list);
    if (!entries.is_array() || entries.size() > roles_per_call_max) {
        throw Failure(Code::InvalidInput,
                      std::string("Expecting '") + field + "." + list +
                          "' to be a list of at most " + std::to_string(roles_per_call_max) +
                          " entries");
    }
    return entries;
}

RoleChanges read_weights(const json& call, const cluster::Shares& shares) {
    RoleChanges changes;
    for (const auto& entry : read_list(call, "update_weights", "weight_infos")) {
        const auto role = read_role(entry);
        const auto& weight = member(entry, "weight");
        const double value = weight.is_number() ? weight.get<double>() : 0.0;
        if (!(value > 0.0) || value > weight_max) {
            throw Failure(Code::InvalidInput,
                          "Invalid weight of role '" + role + "': Weights must be positive");
        }
        auto settings = shares.role(role);
        settings.weight = value;
        changes[role] = settings;
    }
    return changes;
}

using Amount = Result<std::int64_t> (*)(double);

std::optional<std::int64_t>
read_limit(const json& limits, const char* name, const std::string& role, Amount amount_of) {
    const auto& limit = member(limits, name);
    if (limit.is_null()) {
        return std::nullopt;
    }
    const auto& value = member(limit, "value");
    const auto amount = amount_of(value.is_number() ? value.get<double>() : -1.0);
    if (!amount) {
        throw Failure(Code::InvalidInput,
                      "The limit '" + std::string(name) + "' of role '" + role +
                          "' is not of the form {\"value\": N}, or " + amount.error().message);
    }
    return *amount;
}

RoleChanges read_limits(const json& call, const cluster::Shares& shares) {
    RoleChanges changes;
    for (const auto& entry : read_list(call, "update_quota", "quota_configs")) {
        const auto role = read_role(entry);
        const auto& limits = member(entry, "limits");
        const Amount count = [](double value) -> Result<std::int64_t> {
            const auto milli = milli_cpus_of(value);
            return milli ? Result<std::int64_t>(*milli / 1000) : milli;
        };
        auto settings = shares.role(role);
        settings.milli_cpus_max = read_limit(limits, "cpus", role, milli_cpus_of);
        settings.mem_bytes_max = read_limit(limits, "mem", role, bytes_of_mb);
        settings.disk_bytes_max = read_limit(limits, "disk", role, bytes_of_mb);
        settings.gpus_max = read_limit(limits, "gpus", role, count);
        changes[role] = settings;
    }
    return changes;
}

awaitable<> set_roles(ApiContext& context, RoleChanges changes) {
    std::function<void(heart::Heart&, cluster::Step&)> event = [&changes](heart::Heart& heart,
                                                                          cluster::Step& step) {
        for (const auto& [role, settings] : changes) {
            heart.cluster().set_role(role, settings, step);
        }
    };
    co_await context.shell.change(std::move(event));
}

json limits_of(const RoleSettings& settings) {
    auto limits = json::object();
    const auto add = [&limits](const char* name, double value) { limits[name]["value"] = value; };
    if (settings.milli_cpus_max) {
        add("cpus", cpus_of(*settings.milli_cpus_max));
    }
    if (settings.mem_bytes_max) {
        add("mem", mb_of(*settings.mem_bytes_max));
    }
    if (settings.disk_bytes_max) {
        add("disk", mb_of(*settings.disk_bytes_max));
    }
    if (settings.gpus_max) {
        add("gpus", static_cast<double>(*settings.gpus_max));
    }
    return limits;
}

/// `print`s each known role, skipping what it makes null.
json each_role(const ApiContext& context,
               const std::function<json(const std::string&, const RoleSettings&)>& print) {
    auto out = json::array();
    const auto& shares = context.shell.heart().cluster().shares();
    for (const auto& role : shares.roles()) {
        auto printed = print(role, shares.role(role));
        if (!printed.is_null()) {
            out.push_back(std::move(printed));
        }
    }
    return out;
}

} // namespace

awaitable<http::Response> get_roles(ApiContext& context, json /*call*/) {
    std::map<std::string, json> members;
    members["*"] = json::array();
    const auto& heart = context.shell.heart();
    for (const auto& [number, host] : heart.cluster().hosts()) {
        members.emplace(host.info.role, json::array());
    }
    const auto& shares = heart.cluster().shares();
    for (const auto& role : shares.roles()) {
        members.emplace(role, json::array());
    }
    for (const auto& view : mesos::frameworks_of(heart)) {
        for (const auto& role : view.info.roles) {
            auto& list = members.emplace(role, json::array()).first->second;
            list.push_back({{"value", view.info.id.value}});
        }
    }
    auto roles = json::array();
    for (auto& [role, frameworks] : members) {
        json entry;
        entry["name"] = role;
        entry["weight"] = shares.role(role).weight;
        entry["frameworks"] = std::move(frameworks);
        entry["resources"] =
            external::resources_json(shares.charged_to_role(role), PortSet(), role, "");
        roles.push_back(std::move(entry));
    }
    json document;
    document["type"] = "GET_ROLES";
    document["get_roles"]["roles"] = std::move(roles);
    auto response = reply(document);
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> get_weights(ApiContext& context, json /*call*/) {
    json document;
    document["type"] = "GET_WEIGHTS";
    document["get_weights"]["weight_infos"] =
        each_role(context, [](const std::string& role, const RoleSettings& settings) {
            json entry;
            if (settings.weight != RoleSettings().weight) {
                entry["role"] = role;
                entry["weight"] = settings.weight;
            }
            return entry;
        });
    auto response = reply(document);
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> update_weights(ApiContext& context, json call) {
    auto changes = read_weights(call, context.shell.heart().cluster().shares());
    co_await set_roles(context, std::move(changes));
    co_return http::Response(202);
}

awaitable<http::Response> get_quota(ApiContext& context, json /*call*/) {
    json document;
    document["type"] = "GET_QUOTA";
    document["get_quota"]["status"]["configs"] =
        each_role(context, [](const std::string& role, const RoleSettings& settings) {
            json entry;
            auto limits = limits_of(settings);
            if (!limits.empty()) {
                entry["role"] = role;
                entry["limits"] = std::move(limits);
            }
            return entry;
        });
    auto response = reply(document);
    co_await context.shell.committed();
    co_return response;
}

awaitable<http::Response> update_quota(ApiContext& context, json call) {
    auto changes = read_limits(call, context.shell.heart().cluster().shares());
    co_await set_roles(context, std::move(changes));
    co_return http::Response(200);
}

} // namespace methos::master
