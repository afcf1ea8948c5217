#include "master/api/print.hpp"

#include "core/base/json.hpp"
#include "master/frameworks/services/definition/app_print.hpp"

#include <nlohmann/json.hpp>

namespace methos::master {

namespace {

using nlohmann::json;

json print_end(const services::App& app, const services::LastEnd& end) {
    return {{"appId", app.definition.id.value},
            {"host", end.hostname},
            {"message", end.message},
            {"state", std::string(to_string(end.state))},
            {"taskId", end.task},
            {"timestamp", format_wall_time(end.time)},
            {"version", end.version}};
}

std::vector<std::uint16_t> service_ports(const services::AppDefinition& app) {
    std::vector<std::uint16_t> ports;
    for (const auto& definition : app.port_definitions) {
        ports.push_back(definition.port);
    }
    if (app.container) {
        for (const auto& mapping : app.container->port_mappings) {
            ports.push_back(mapping.service_port);
        }
    }
    return ports;
}

/// "web.instance-1" of "web.instance-1._app.1".
std::string instance_of(const TaskName& task) {
    return task.value.substr(0, task.value.rfind("._app."));
}

} // namespace

std::string to_text(const json& document) {
    return dump_json(document);
}

json print_image_progress(const ImageProgress& progress) {
    return {{"bytesDone", progress.bytes_done},
            {"bytesTotal", progress.bytes_total},
            {"percent", progress.percent},
            {"layersDone", progress.layers_done},
            {"layersTotal", progress.layers_total}};
}

json print_task(const cluster::Task& task,
                const services::App& app,
                const heart::Heart& heart,
                Dialect dialect) {
    const auto* host = heart.cluster().find_host(task.host);
    const auto spec = heart.cluster().find_spec(task.spec);
    json out = {{"id", task.name.value},
                {"appId", app.definition.id.value},
                {"host", host->info.hostname},
                {"slaveId", host->info.id.value},
                {"ports", task.host_ports},
                {"servicePorts", service_ports(app.definition)},
                {"state", std::string(to_string(task.state()))},
                {"stagedAt", format_wall_time(task.staged_at)},
                {"version", spec->version},
                {"localVolumes", json::array()}};
    if (task.started_at.time_since_epoch().count() > 0) {
        out["startedAt"] = format_wall_time(task.started_at);
    }
    auto addresses = json::array();
    for (const auto& address : task.ip_addresses) {
        addresses.push_back(
            {{"ipAddress", address},
             {"protocol", address.find(':') == std::string::npos ? "IPv4" : "IPv6"}});
    }
    if (addresses.empty() && task.started_at.time_since_epoch().count() > 0) {
        addresses.push_back({{"ipAddress", host->info.address}, {"protocol", "IPv4"}});
    }
    out["ipAddresses"] = std::move(addresses);
    if (task.healthy) { // of all its checks together
        json result = {{"alive", *task.healthy}, {"instanceId", instance_of(task.name)}};
        if (!*task.healthy) {
            result["lastFailureCause"] = task.message;
        }
        out["healthCheckResults"] = json::array();
        out["healthCheckResults"].push_back(std::move(result));
    }
    if (dialect == Dialect::Methos) {
        out["message"] = task.message;
        if (const auto* progress = task.image_progress(); progress != nullptr) {
            out["image"] = print_image_progress(*progress);
        }
        out["address"] = host->info.address;
        out["hostState"] = std::string(shown_state(*host));
        out["containerId"] = task.container_id;
        out["requestId"] = task.request.value;
    }
    return out;
}

json print_tasks(const services::App& app, const heart::Heart& heart, Dialect dialect) {
    auto tasks = json::array();
    for (const auto number : app.tasks) {
        tasks.push_back(print_task(*heart.cluster().find_task(number), app, heart, dialect));
    }
    return tasks;
}

json print_version_info(WallTime last_scaling_at, WallTime last_config_change_at) {
    return {{"lastScalingAt", format_wall_time(last_scaling_at)},
            {"lastConfigChangeAt", format_wall_time(last_config_change_at)}};
}

json print_app(const services::App& app,
               const heart::Heart& heart,
               AppParts parts,
               Dialect dialect) {
    const bool ours = dialect == Dialect::Methos;
    auto out = services::to_json(app.definition,
                                 ours ? services::Extensions::Shown : services::Extensions::Hidden);
    const auto counts = heart.services().counts(app);
    if (ours && app.deleting) {
        out["instances"] = 0;
        out["deleting"] = true; // what is left of it is being killed
    }
    out["version"] = app.version;
    out["versionInfo"] = print_version_info(app.last_scaling_at, app.last_config_change_at);
    out["tasksStaged"] = counts.staged;
    out["tasksRunning"] = counts.running;
    out["tasksHealthy"] = counts.healthy;
    out["tasksUnhealthy"] = counts.unhealthy;
    out["deployments"] = json::array();
    if (!app.deployment.empty()) {
        out["deployments"].push_back({{"id", app.deployment}});
    }
    if (parts.tasks) {
        out["tasks"] = print_tasks(app, heart, dialect);
    }
    if (parts.last_failure && app.last_failure) {
        out["lastTaskFailure"] = print_end(app, *app.last_failure);
        const auto* host = heart.cluster().find_host(app.last_failure->host);
        if (host != nullptr) {
            out["lastTaskFailure"]["slaveId"] = host->info.id.value;
        }
    }
    return out;
}

json print_host(const cluster::Host& host) {
    const auto scalar = [](double total, double used, double offered) {
        return json{{"total", total}, {"used", used}, {"offered", offered}};
    };
    const auto& total = host.info.resources.scalars;
    const auto& used = host.used;
    const auto& offered = host.offered;
    json resources;
    resources["cpus"] =
        scalar(cpus_of(total.milli_cpus), cpus_of(used.milli_cpus), cpus_of(offered.milli_cpus));
    resources["mem"] =
        scalar(mb_of(total.mem_bytes), mb_of(used.mem_bytes), mb_of(offered.mem_bytes));
    resources["disk"] =
        scalar(mb_of(total.disk_bytes), mb_of(used.disk_bytes), mb_of(offered.disk_bytes));
    resources["gpus"] = {{"total", total.gpus}, {"used", used.gpus}, {"offered", offered.gpus}};
    const auto ports_total = host.info.resources.ports.count();
    resources["ports"] = {{"total", ports_total},
                          {"used", ports_total - host.free_ports.count()},
                          {"offered", 0},
                          {"ranges", format_ports(host.info.resources.ports)}};
    return {{"id", host.info.id.value},
            {"hostname", host.info.hostname},
            {"trouble", host.info.trouble},
            {"state", std::string(shown_state(host))},
            {"address", host.info.address},
            {"role", host.info.role},
            {"resources", std::move(resources)},
            {"attributes", host.info.attributes},
            {"docker", {{"version", host.info.docker_version}, {"api", host.info.docker_api}}},
            {"build", host.info.build},
            {"tasks", host.tasks.size()},
            {"lastSeen",
             host.last_seen.time_since_epoch().count() > 0 ? json(format_wall_time(host.last_seen))
                                                           : json(nullptr)}};
}

} // namespace methos::master
