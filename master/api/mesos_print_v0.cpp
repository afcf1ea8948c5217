// The v0 half of mesos_print.hpp: what GET /state and its kin show.
#include "master/api/mesos_print.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace methos::master::mesos {

namespace {

using nlohmann::json;

constexpr int host_port = 5051; ///< of an agent, which hosts here have none of: the usual one

double seconds_of(WallTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

json scalars(const Resources& resources, const std::string& ports = "[]") {
    json out = {{"cpus", cpus_of(resources.milli_cpus)},
                {"mem", mb_of(resources.mem_bytes)},
                {"disk", mb_of(resources.disk_bytes)},
                {"gpus", resources.gpus}};
    // Absent when there are none, as in Mesos: mesos-dns takes "[]" for a malformed range.
    if (ports != "[]") {
        out["ports"] = ports;
    }
    return out;
}

/// "[31000-31005, 31010-31010]": always FIRST-LAST, mesos-dns reads nothing shorter.
std::string port_list(const PortSet& ports) {
    std::string text;
    for (const auto& range : ports.ranges()) {
        text += (text.empty() ? "" : ", ") + std::to_string(range.first) + "-" +
                std::to_string(range.last);
    }
    return "[" + text + "]";
}

PortSet set_of(const std::vector<std::uint16_t>& ports) {
    PortSet set;
    for (const auto port : ports) {
        set.insert(port);
    }
    return set;
}

json labels_of(const std::map<std::string, std::string>& labels) {
    auto out = json::array();
    for (const auto& [key, value] : labels) {
        out.push_back({{"key", key}, {"value", value}});
    }
    return out;
}

/// What Marathon says of an app's instance: its name, and its ports by theirs.
json discovery_of(const cluster::Task& task, const TaskSpec& spec, const json& name) {
    auto ports = json::array();
    for (std::size_t i = 0; i < task.host_ports.size(); ++i) {
        const auto mapping = i < spec.ports.size() ? spec.ports[i] : PortMapping();
        ports.push_back({{"number", task.host_ports[i]},
                         {"name", mapping.name},
                         {"protocol", mapping.protocol}});
    }
    json discovery;
    discovery["visibility"] = "FRAMEWORK";
    discovery["name"] = name;
    discovery["ports"]["ports"] = std::move(ports);
    return discovery;
}

json status_of(const cluster::Task& task) {
    json out = {{"state", std::string(to_string(task.state()))},
                {"timestamp", seconds_of(task.changed_at)}};
    if (task.healthy) {
        out["healthy"] = *task.healthy;
    }
    auto addresses = json::array();
    for (const auto& address : task.ip_addresses) {
        addresses.push_back({{"protocol", address.find(':') == std::string::npos ? "IPv4" : "IPv6"},
                             {"ip_address", address}});
    }
    json network;
    network["ip_addresses"] = std::move(addresses);
    if (!task.ip_addresses.empty()) {
        // Where mesos-dns before 0.6 looks for a container's address.
        out["labels"] = {
            {{"key", "Docker.NetworkSettings.IPAddress"}, {"value", task.ip_addresses.front()}}};
    }
    json container;
    if (!task.container_id.empty()) {
        container["container_id"] = {{"value", task.container_id}};
    }
    container["network_infos"] = json::array();
    container["network_infos"].push_back(std::move(network));
    out["container_status"] = std::move(container);
    return out;
}

/// What of `total` is not free.
PortSet used_ports(const PortSet& total, const PortSet& free) {
    PortSet used;
    for (const auto& range : total.ranges()) {
        std::uint32_t next = range.first;
        for (const auto& gap : free.ranges()) {
            if (gap.last < next || gap.first > range.last) {
                continue;
            }
            if (gap.first > next) {
                used.insert(PortRange{static_cast<std::uint16_t>(next),
                                      static_cast<std::uint16_t>(gap.first - 1)});
            }
            next = std::uint32_t{gap.last} + 1;
        }
        if (next <= range.last) {
            used.insert(PortRange{static_cast<std::uint16_t>(next), range.last});
        }
    }
    return used;
}

json host_resources(const cluster::Host& host, json out) {
    const auto& total = host.info.resources;
    out["resources"] = scalars(total.scalars, port_list(total.ports));
    out["used_resources"] = scalars(host.used, port_list(used_ports(total.ports, host.free_ports)));
    out["offered_resources"] = scalars(host.offered);
    out["reserved_resources"] = json::object();
    out["unreserved_resources"] = out["resources"];
    if (host.info.role != "*") {
        out["reserved_resources"][host.info.role] = out["resources"];
        out["unreserved_resources"] = scalars(Resources());
    }
    return out;
}

} // namespace

json v0_host(const cluster::Host& host) {
    const bool up = host.state == cluster::HostState::Up;
    json out = {{"id", host.info.id.value},
                {"hostname", host.info.hostname},
                {"port", host_port},
                {"pid", "slave(1)@" + host.info.address + ":" + std::to_string(host_port)},
                {"attributes", host.info.attributes},
                {"registered_time", seconds_of(host.last_seen)},
                {"active", up},
                {"deactivated", false},
                {"version", mesos_version},
                {"capabilities", json::array()}};
    return host_resources(host, std::move(out));
}

json v0_task(const cluster::Task& task, const heart::Heart& heart) {
    const auto* host = heart.cluster().find_host(task.host);
    const auto spec = heart.cluster().find_spec(task.spec);
    auto described = v1_task(task, heart); // its TaskInfo's fields are the same in both
    json out = {{"id", id_of(task, heart)},
                {"name", described["name"]},
                {"framework_id", task.framework},
                {"executor_id", ""},
                {"slave_id", host == nullptr ? std::string() : host->info.id.value},
                {"state", std::string(to_string(task.state()))},
                {"resources", scalars(spec->resources, port_list(set_of(task.host_ports)))},
                {"role", "*"},
                {"statuses", json::array()},
                {"labels", labels_of(spec->labels)},
                {"container", std::move(described["container"])}};
    out["statuses"].push_back(status_of(task));
    if (described.contains("discovery")) {
        out["discovery"] = std::move(described["discovery"]);
    } else {
        out["discovery"] = discovery_of(task, *spec, out["name"]);
    }
    return out;
}

json v0_framework(const FrameworkView& view) {
    const auto& framework = view.info;
    json out = {
        {"id", framework.id.value},
        {"name", framework.name},
        {"user", framework.user},
        {"principal", framework.principal},
        {"hostname", framework.hostname},
        {"webui_url", framework.webui_url},
        {"failover_timeout", std::chrono::duration<double>(framework.failover_timeout).count()},
        {"checkpoint", framework.checkpoint},
        {"capabilities", framework.capabilities},
        {"active", view.connected},
        {"connected", view.connected},
        {"recovered", false},
        {"registered_time", seconds_of(view.registered_at)},
        {"unregistered_time", 0.0},
        {"roles", framework.roles},
        {"role", framework.roles.empty() ? std::string("*") : framework.roles.front()},
        {"offers", json::array()},
        {"executors", json::array()}};
    auto labels = json::array();
    for (const auto& [key, value] : framework.labels) {
        labels.push_back({{"key", key}, {"value", value.value_or("")}});
    }
    out["labels"] = std::move(labels);
    return out;
}

json v0_version(const std::string& build) {
    return {{"version", mesos_version},
            {"build_date", ""},
            {"build_time", 0.0},
            {"build_user", "methos " + build}};
}

json v0_master(const external::MasterInfo& master,
               const std::string& build,
               WallTime started_at,
               const cluster::Cluster& cluster) {
    const auto& hosts = cluster.hosts();
    const auto up = std::count_if(hosts.begin(), hosts.end(), [](const auto& entry) {
        return entry.second.state == cluster::HostState::Up;
    });
    const auto lost = std::count_if(hosts.begin(), hosts.end(), [](const auto& entry) {
        return entry.second.state == cluster::HostState::Lost;
    });
    const auto pid = "master@" + master.ip + ":" + std::to_string(master.port);
    auto out = v0_version(build);
    out["id"] = master.id;
    out["pid"] = pid;
    out["leader"] = pid;
    out["hostname"] = master.hostname;
    out["leader_info"] = {
        {"id", master.id}, {"pid", pid}, {"port", master.port}, {"hostname", master.hostname}};
    out["cluster"] = "methos";
    out["start_time"] = seconds_of(started_at);
    out["elected_time"] = seconds_of(started_at);
    out["activated_slaves"] = up;
    out["deactivated_slaves"] = static_cast<std::ptrdiff_t>(hosts.size()) - up - lost;
    out["unreachable_slaves"] = lost;
    out["flags"] = json::object();
    out["orphan_tasks"] = json::array();
    out["unregistered_frameworks"] = json::array();
    out["recovered_slaves"] = json::array();
    return out;
}

} // namespace methos::master::mesos
