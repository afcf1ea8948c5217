// The v1 half of mesos_print.hpp, and what both halves share.
#include "master/api/mesos_print.hpp"

#include <nlohmann/json.hpp>

namespace methos::master::mesos {

namespace {

using nlohmann::json;

/// mesos.proto's TimeInfo.
json time_info(WallTime time) {
    const auto since = std::chrono::nanoseconds(time.time_since_epoch());
    return {{"nanoseconds", since.count()}};
}

/// Mesos has no field for it; labels of a status are free to use.
json image_labels(const ImageProgress& progress) {
    json labels;
    const auto add = [&labels](const char* name, std::int64_t figure) {
        labels["labels"].push_back(
            {{"key", std::string("io.methos.image.") + name}, {"value", std::to_string(figure)}});
    };
    add("percent", progress.percent);
    add("bytes-done", progress.bytes_done);
    add("bytes-total", progress.bytes_total);
    add("layers-done", progress.layers_done);
    add("layers-total", progress.layers_total);
    return labels;
}

} // namespace

FrameworkView services_view() {
    FrameworkView view;
    view.info.id = external::FrameworkId("services");
    view.info.name = "services";
    view.info.user = "root";
    view.info.roles.emplace_back("*");
    view.info.capabilities.insert("PARTITION_AWARE");
    view.info.checkpoint = true;
    return view;
}

json v1_agent(const cluster::Host& host) {
    const auto& total = host.info.resources;
    const auto resources = [&host](const Resources& scalars, const PortSet& ports) {
        return external::resources_json(scalars, ports, host.info.role, "");
    };
    json out = {{"agent_info", external::agent_info_json(host)},
                {"active", host.state == cluster::HostState::Up},
                {"deactivated", false},
                {"version", mesos_version},
                {"pid", "slave(1)@" + host.info.address + ":5051"},
                {"registered_time", time_info(host.last_seen)},
                {"total_resources", resources(total.scalars, total.ports)},
                {"allocated_resources", resources(host.used, PortSet())},
                {"offered_resources", resources(host.offered, PortSet())},
                {"capabilities", json::array()}};
    return out;
}

json v1_task(const cluster::Task& task, const heart::Heart& heart) {
    const auto* foreign = heart.external().find_task(task);
    return external::task_json(
        task, heart.cluster(), foreign == nullptr ? std::string() : foreign->definition);
}

json v1_framework(const FrameworkView& view) {
    return {{"framework_info", external::json_of(view.info)},
            {"active", view.connected},
            {"connected", view.connected},
            {"recovered", false},
            {"registered_time", time_info(view.registered_at)}};
}

std::string id_of(const cluster::Task& task, const heart::Heart& heart) {
    const auto* foreign = heart.external().find_task(task);
    return foreign == nullptr ? task.name.value : foreign->id;
}

json v1_status(const cluster::Task& task, const heart::Heart& heart) {
    const auto* host = heart.cluster().find_host(task.host);
    external::Update update;
    update.task_id = id_of(task, heart);
    update.agent_id = host == nullptr ? HostId() : host->info.id;
    update.state = task.state();
    update.source = StatusSource::Executor;
    update.reason = std::string(external::mesos_reason(task.reason));
    update.message = task.message;
    update.time = task.changed_at;
    update.healthy = task.healthy;
    update.container_id = task.container_id;
    update.ip_addresses = task.ip_addresses;
    auto status = external::json_of(update);
    if (const auto* progress = task.image_progress(); progress != nullptr) {
        status["labels"] = image_labels(*progress);
    }
    return status;
}

} // namespace methos::master::mesos
