// Hosts, frameworks and tasks as Mesos's AgentInfo, FrameworkInfo and Task.
#include "master/frameworks/external/definition/print.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

namespace methos::external {

using nlohmann::json;

namespace {

constexpr std::uint16_t mesos_agent_port = 5051;

json id_json(const std::string& value) {
    return json{{"value", value}};
}

json scalar_json(const char* name, double value) {
    return json{{"name", name}, {"type", "SCALAR"}, {"scalar", json{{"value", value}}}};
}

json ports_json(const PortSet& ports) {
    auto ranges = json::array();
    for (const auto& range : ports.ranges()) {
        ranges.push_back(json{{"begin", range.first}, {"end", range.last}});
    }
    return json{
        {"name", "ports"}, {"type", "RANGES"}, {"ranges", json{{"range", std::move(ranges)}}}};
}

json labels_json(const std::map<std::string, std::string>& labels) {
    auto list = json::array();
    for (const auto& [key, value] : labels) {
        list.push_back(json{{"key", key}, {"value", value}});
    }
    return json{{"labels", std::move(list)}};
}

const char* network_word(NetworkMode mode) {
    switch (mode) {
    case NetworkMode::Host:
        return "HOST";
    case NetworkMode::Bridge:
        return "BRIDGE";
    case NetworkMode::User:
        return "USER";
    case NetworkMode::None:
        break;
    }
    return "NONE";
}

json container_json(const TaskSpec& spec, const std::vector<std::uint16_t>& host_ports) {
    json docker{{"image", spec.image},
                {"network", network_word(spec.network)},
                {"privileged", spec.privileged},
                {"force_pull_image", spec.force_pull}};
    for (const auto& [key, value] : spec.docker_parameters) {
        docker["parameters"].push_back(json{{"key", key}, {"value", value}});
    }
    const bool mapped = spec.network == NetworkMode::Bridge || spec.network == NetworkMode::User;
    for (std::size_t i = 0; mapped && i < std::min(spec.ports.size(), host_ports.size()); ++i) {
        const auto& port = spec.ports[i];
        const auto inside = port.container_port == 0 ? host_ports[i] : port.container_port;
        docker["port_mappings"].push_back(json{
            {"host_port", host_ports[i]}, {"container_port", inside}, {"protocol", port.protocol}});
    }
    json container{{"type", "DOCKER"}, {"docker", std::move(docker)}};
    for (const auto& volume : spec.volumes) {
        container["volumes"].push_back(json{{"mode", volume.read_only ? "RO" : "RW"},
                                            {"container_path", volume.target},
                                            {"host_path", volume.source}});
    }
    if (spec.network == NetworkMode::User) {
        container["network_infos"].push_back(json{{"name", spec.network_name}});
    }
    return container;
}

/// The name that the API shows: an app's, else the task's own.
std::string name_of(const cluster::Task& task, const TaskSpec& spec) {
    if (spec.app.empty()) {
        return task.name.value;
    }
    // Marathon names tasks "app.group" of "/group/app"; mesos-dns makes a host name of that.
    std::string name;
    std::size_t end = spec.app.size();
    while (end > 0) {
        const auto slash = spec.app.rfind('/', end - 1);
        const auto begin = slash == std::string::npos ? 0 : slash + 1;
        if (end > begin) {
            name += (name.empty() ? "" : ".") + spec.app.substr(begin, end - begin);
        }
        end = slash == std::string::npos ? 0 : slash;
    }
    return name;
}

/// What a Task takes over from the TaskInfo that it came in.
void copy_definition(const std::string& definition, json& task) {
    auto info = try_parse_json(definition);
    if (!info.is_object()) {
        return;
    }
    for (const char* name : {"name",
                             "task_id",
                             "resources",
                             "container",
                             "labels",
                             "discovery",
                             "health_check",
                             "check",
                             "kill_policy"}) {
        if (const auto field = info.find(name); field != info.end()) {
            task[name] = std::move(*field);
        }
    }
    if (const auto command = info.find("command");
        command != info.end() && command->contains("user")) {
        task["user"] = std::move((*command)["user"]);
    }
}

void add_status(const cluster::Task& task, const std::string& agent, json& printed) {
    Update status;
    status.task_id = printed["task_id"].value("value", task.name.value);
    status.agent_id = HostId(agent);
    status.state = task.state();
    status.source = task.unreachable ? StatusSource::Master : StatusSource::Executor;
    status.reason = mesos_reason(task.reason);
    status.message = task.message;
    status.time = task.changed_at;
    status.healthy = task.healthy;
    status.container_id = task.container_id;
    status.ip_addresses = task.ip_addresses;
    printed["state"] = to_string(status.state);
    printed["statuses"] = json::array();
    if (task.state() != TaskState::Staging) {
        printed["statuses"].push_back(json_of(status));
    }
}

} // namespace

json json_of(const MasterInfo& master) {
    return json{
        {"id", master.id},
        {"hostname", master.hostname},
        {"port", master.port},
        {"pid", "master@" + master.ip + ":" + std::to_string(master.port)},
        {"version", master.version},
        {"address", json{{"hostname", master.hostname}, {"ip", master.ip}, {"port", master.port}}}};
}

json json_of(const FrameworkInfo& info) {
    const std::chrono::duration<double> failover = info.failover_timeout;
    json printed{{"id", id_json(info.id.value)},
                 {"name", info.name},
                 {"user", info.user},
                 {"failover_timeout", failover.count()},
                 {"checkpoint", info.checkpoint}};
    if (info.can("MULTI_ROLE")) {
        printed["roles"] = info.roles;
    } else {
        printed["role"] = info.roles.empty() ? "*" : info.roles.front();
    }
    for (const auto& [name, text] : {std::pair("principal", &info.principal),
                                     std::pair("hostname", &info.hostname),
                                     std::pair("webui_url", &info.webui_url)}) {
        if (!text->empty()) {
            printed[name] = *text;
        }
    }
    for (const auto& capability : info.capabilities) {
        printed["capabilities"].push_back(json{{"type", capability}});
    }
    for (const auto& [key, value] : info.labels) {
        json label{{"key", key}};
        if (value) {
            label["value"] = *value;
        }
        printed["labels"]["labels"].push_back(std::move(label));
    }
    return printed;
}

json agent_info_json(const cluster::Host& host) {
    json printed{{"id", id_json(host.info.id.value)},
                 {"hostname", host.info.hostname},
                 {"port", mesos_agent_port}};
    printed["resources"] =
        resources_json(host.info.resources.scalars, host.info.resources.ports, host.info.role, "");
    for (const auto& [name, value] : host.info.attributes) {
        printed["attributes"].push_back(
            json{{"name", name}, {"type", "TEXT"}, {"text", json{{"value", value}}}});
    }
    return printed;
}

json agent_url_json(const cluster::Host& host) {
    return json{{"scheme", "http"},
                {"path", "/slave(1)"},
                {"address",
                 json{{"hostname", host.info.hostname},
                      {"ip", host.info.address},
                      {"port", mesos_agent_port}}}};
}

json resources_json(const Resources& scalars,
                    const PortSet& ports,
                    const std::string& role,
                    const std::string& allocated_to) {
    auto list = json::array();
    if (scalars.milli_cpus > 0) {
        list.push_back(scalar_json("cpus", cpus_of(scalars.milli_cpus)));
    }
    if (scalars.mem_bytes > 0) {
        list.push_back(scalar_json("mem", mb_of(scalars.mem_bytes)));
    }
    if (scalars.disk_bytes > 0) {
        list.push_back(scalar_json("disk", mb_of(scalars.disk_bytes)));
    }
    if (scalars.gpus > 0) {
        list.push_back(scalar_json("gpus", static_cast<double>(scalars.gpus)));
    }
    if (!ports.empty()) {
        list.push_back(ports_json(ports));
    }
    for (auto& resource : list) {
        resource["role"] = role;
        if (!allocated_to.empty()) {
            resource["allocation_info"] = json{{"role", allocated_to}};
        }
    }
    return list;
}

json task_json(const cluster::Task& task,
               const cluster::Cluster& cluster,
               const std::string& definition) {
    const auto spec = cluster.find_spec(task.spec);
    const auto* host = cluster.find_host(task.host);
    const auto agent = host == nullptr ? std::string() : host->info.id.value;
    json printed{{"task_id", id_json(task.name.value)},
                 {"framework_id", id_json(task.framework)},
                 {"agent_id", id_json(agent)}};
    if (spec) {
        PortSet ports;
        for (const auto port : task.host_ports) {
            ports.insert(port);
        }
        printed["name"] = name_of(task, *spec);
        printed["resources"] =
            resources_json(spec->resources, ports, host == nullptr ? "*" : host->info.role, "");
        printed["container"] = container_json(*spec, task.host_ports);
        printed["labels"] = labels_json(spec->labels);
        if (!spec->user.empty()) {
            printed["user"] = spec->user;
        }
    }
    if (!definition.empty()) {
        copy_definition(definition, printed);
    }
    add_status(task, agent, printed);
    return printed;
}

json over_task_json(const FrameworkId& framework,
                    const std::string& definition,
                    const Update& last) {
    json printed{{"task_id", id_json(last.task_id)},
                 {"name", last.task_id},
                 {"framework_id", id_json(framework.value)},
                 {"agent_id", id_json(last.agent_id.value)},
                 {"resources", json::array()},
                 {"state", last.lost ? "TASK_LOST" : std::string(to_string(last.state))}};
    copy_definition(definition, printed);
    printed["statuses"] = json::array();
    printed["statuses"].push_back(json_of(last));
    return printed;
}

} // namespace methos::external
