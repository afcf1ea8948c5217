#include "executor/tasks/container_plan.hpp"

#include "core/base/units.hpp"
#include "executor/checks/check_label.hpp"
#include "executor/fetch/sandbox_names.hpp"
#include "executor/tasks/docker_parameters.hpp"
#include "executor/tasks/labels.hpp"

#include <algorithm>
#include <sstream>

namespace methos::executor {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::int64_t docker_memory_min = 6 * bytes_per_mb; // the Engine refuses less
constexpr std::int64_t docker_cpu_limit_min = 10;            // milli cpus; likewise
/// Of all names and values. dockerd puts them into every event of the container, where a byte may
/// take six, and the Engine client ends a stream with lines of over 4 MiB.
constexpr std::size_t labels_bytes_max = 64 * 1024;
constexpr Duration kill_grace_default = std::chrono::seconds(10);

std::string label_of(const docker::Labels& labels, const char* name) {
    const auto found = labels.find(name);
    return found == labels.end() ? std::string() : found->second;
}

/// "31000:80/tcp": one per host port of the launch, in the spec's order.
std::string ports_label(const TaskSpec& spec, const TaskLaunch& launch) {
    std::string text;
    for (std::size_t i = 0; i < launch.host_ports.size(); ++i) {
        const auto host = launch.host_ports[i];
        const bool mapped = i < spec.ports.size();
        const auto container =
            mapped && spec.ports[i].container_port != 0 ? spec.ports[i].container_port : host;
        const bool udp = mapped && spec.ports[i].protocol == "udp";
        text += (text.empty() ? "" : ",") + std::to_string(host) + ":" + std::to_string(container) +
                (udp ? "/udp" : "/tcp");
    }
    return text;
}

/// The planned ports, each replaced by what the Engine really published for it.
std::vector<std::uint16_t> ports_of(const std::string& planned,
                                    const std::vector<docker::PublishedPort>& published) {
    std::vector<std::uint16_t> ports;
    std::istringstream list(planned);
    std::string entry;
    while (std::getline(list, entry, ',')) {
        const auto colon = entry.find(':');
        const auto slash = entry.find('/');
        if (colon == std::string::npos || slash == std::string::npos || slash < colon) {
            return {}; // not written by us
        }
        const auto host = parse_int(entry.substr(0, colon), 0, 65535);
        const auto container = parse_int(entry.substr(colon + 1, slash - colon - 1), 0, 65535);
        if (!host || !container) {
            return {};
        }
        const auto transport =
            entry.substr(slash + 1) == "udp" ? docker::Transport::Udp : docker::Transport::Tcp;
        const auto found = std::find_if(published.begin(), published.end(), [&](const auto& port) {
            return port.container_port == *container && port.transport == transport;
        });
        ports.push_back(found == published.end() ? static_cast<std::uint16_t>(*host)
                                                 : found->host_port);
    }
    return ports;
}

/// Each of ours is set, also to nothing: what is not set, the image's label of that name would be.
void set_labels(const TaskSpec& spec,
                const TaskLaunch& launch,
                const PlanContext& context,
                docker::Labels& labels) {
    for (const auto& [key, value] : spec.labels) {
        if (!key.empty() && !key.starts_with(label::reserved_prefix)) {
            labels[key] = value;
        }
    }
    labels[label::version] = label::version_value;
    labels[label::cluster] = context.cluster;
    labels[label::cluster_key] = context.cluster_key;
    labels[label::host] = context.host;
    labels[label::task] = launch.name.value;
    labels[label::attempt] = std::to_string(launch.attempt);
    labels[label::framework] = spec.framework;
    labels[label::app] = spec.app;
    labels[label::spec_hash] = spec.hash;
    labels[label::request] = launch.request.value;
    labels[label::mesos_task_id] = launch.name.value;
    labels[label::ports] = ports_label(spec, launch);
    labels[label::kill_grace_ms] =
        std::to_string(duration_cast<milliseconds>(spec.kill_grace).count());
}

Result<void> check_size(const docker::Labels& labels) {
    std::size_t bytes = 0;
    for (const auto& [key, value] : labels) {
        bytes += key.size() + value.size();
    }
    if (bytes > labels_bytes_max) {
        return Error(Code::InvalidInput,
                     "the labels, of which one holds the health checks, take " +
                         std::to_string(bytes) + " bytes; at most " +
                         std::to_string(labels_bytes_max) + " are allowed");
    }
    return {};
}

void set_command(const TaskSpec& spec, docker::ContainerConfig& config) {
    switch (spec.command) {
    case CommandKind::Image:
        return;
    case CommandKind::Shell:
        config.entrypoint = std::vector<std::string>{"/bin/sh", "-c"};
        config.command = {spec.shell};
        return;
    case CommandKind::Args:
        config.command = spec.args;
        return;
    }
}

void publish(const TaskSpec& spec,
             const TaskLaunch& launch,
             const PlanContext& context,
             docker::ContainerConfig& config) {
    const auto count = std::min(spec.ports.size(), launch.host_ports.size());
    for (std::size_t i = 0; i < count; ++i) {
        const auto& mapping = spec.ports[i];
        docker::PortBinding binding;
        binding.host_port = launch.host_ports[i];
        binding.container_port =
            mapping.container_port == 0 ? binding.host_port : mapping.container_port;
        binding.host_ip = context.publish_ip;
        if (mapping.protocol.find("tcp") != std::string::npos) {
            binding.transport = docker::Transport::Tcp;
            config.ports.push_back(binding);
        }
        if (mapping.protocol.find("udp") != std::string::npos) {
            binding.transport = docker::Transport::Udp;
            config.ports.push_back(binding);
        }
    }
}

Result<void> set_network(const TaskSpec& spec,
                         const TaskLaunch& launch,
                         const PlanContext& context,
                         docker::ContainerConfig& config) {
    switch (spec.network) {
    case NetworkMode::Host:
        config.network_mode = "host";
        return {};
    case NetworkMode::None:
        config.network_mode = "none";
        return {};
    case NetworkMode::Bridge:
        config.network_mode = "bridge";
        break;
    case NetworkMode::User:
        if (spec.network_name.empty() || spec.network_name == "host" ||
            spec.network_name.starts_with("container:")) {
            return Error(Code::InvalidInput,
                         "the network must be the name of one made with `docker network create`");
        }
        config.network_mode = spec.network_name;
        break;
    }
    publish(spec, launch, context, config);
    return {};
}

void set_environment(const TaskSpec& spec,
                     const TaskLaunch& launch,
                     docker::ContainerConfig& config) {
    auto env = spec.env;
    for (const auto& [key, value] : launch.env) {
        env[key] = value;
    }
    env.emplace("MESOS_TASK_ID", launch.name.value);
    if (!spec.fetch.empty()) {
        env.emplace(sandbox_variable, sandbox_in_container);
    }
    config.environment.assign(env.begin(), env.end());
}

/// None over what Docker has: it takes no such limit, and the task cannot use more anyway.
std::int64_t cpu_limit_of(std::int64_t milli_cpus, const PlanContext& context) {
    constexpr std::int64_t milli = 1000;
    const bool fits = context.cpus <= 0 || milli_cpus <= context.cpus * milli;
    if (!context.limit_cpus || milli_cpus <= 0 || !fits) {
        return 0;
    }
    return std::max(milli_cpus, docker_cpu_limit_min);
}

} // namespace

Result<docker::ContainerConfig>
plan_container(const TaskSpec& spec, const TaskLaunch& launch, const PlanContext& context) {
    if (spec.privileged) {
        return Error(Code::Forbidden,
                     "privileged containers are not allowed by this host's policy");
    }
    docker::ContainerConfig config;
    set_labels(spec, launch, context, config.labels);
    const auto settled = settle_checks(spec, launch);
    if (!settled) {
        return settled.error();
    }
    config.labels[label::health_checks] = settled->checks.empty() ? "" : health_label(*settled);
    set_environment(spec, launch, config);
    set_command(spec, config);
    config.user = spec.user;
    config.cpu_milli = spec.resources.milli_cpus;
    config.cpu_limit_milli = cpu_limit_of(spec.resources.milli_cpus, context);
    if (spec.resources.mem_bytes > 0) {
        config.memory_bytes = std::max(spec.resources.mem_bytes, docker_memory_min);
    }
    if (spec.resources.gpus > 0) {
        docker::DeviceRequest request;
        request.count = static_cast<int>(spec.resources.gpus);
        config.device_requests.push_back(std::move(request));
    }
    config.stop_timeout = spec.kill_grace;
    if (const auto set = set_network(spec, launch, context, config); !set) {
        return set.error();
    }
    for (const auto& volume : spec.volumes) {
        const auto added =
            add_mount(volume.source, volume.target, volume.read_only, context.policy, config);
        if (!added) {
            return added.error();
        }
    }
    if (!spec.fetch.empty()) { // filled before the container is made; a missing one is an error
        docker::Mount sandbox;
        sandbox.source = context.sandboxes + "/" + sandbox_name_of(launch.name);
        sandbox.target = sandbox_in_container;
        config.mounts.push_back(std::move(sandbox));
    }
    const auto applied = apply_docker_parameters(spec.docker_parameters, context.policy, config);
    if (!applied) {
        return applied.error();
    }
    if (const auto small = check_size(config.labels); !small) {
        return small.error();
    }
    return config;
}

void set_image(docker::ContainerConfig& config, const std::string& image_id) {
    config.image = image_id;
    config.labels[label::image] = image_id;
}

bool is_copy(const docker::Labels& labels, const std::string& name, const std::string& image_id) {
    const auto made_of = label_of(labels, label::image);
    if (made_of.empty() || made_of == image_id) { // empty: made by an executor that wrote none
        return false;
    }
    const auto own = container_name_of(TaskName(label_of(labels, label::task)));
    return name != own && !name.starts_with(own + container_name_suffix);
}

ContainerFacts::Status status_of(docker::ContainerStatus status) {
    switch (status) {
    case docker::ContainerStatus::Created:
        return ContainerFacts::Status::Created;
    case docker::ContainerStatus::Running:
        return ContainerFacts::Status::Running;
    case docker::ContainerStatus::Paused:
        return ContainerFacts::Status::Paused;
    case docker::ContainerStatus::Restarting:
        return ContainerFacts::Status::Restarting;
    case docker::ContainerStatus::Exited:
        return ContainerFacts::Status::Exited;
    case docker::ContainerStatus::Dead:
        return ContainerFacts::Status::Dead;
    case docker::ContainerStatus::Removing:
    case docker::ContainerStatus::Unknown: // a word we do not know: look again
        break;
    }
    return ContainerFacts::Status::Removing;
}

static void add_identity(ContainerFacts& facts, const docker::Labels& labels) {
    if (const auto identity = identity_of(labels)) {
        facts.task = identity->name.value;
        facts.host = identity->host;
        facts.app = identity->app;
        facts.spec_hash = identity->spec_hash;
        facts.attempt = identity->attempt;
        facts.kill_grace = identity->kill_grace;
        facts.health_checks = label_of(labels, label::health_checks);
    }
}

WallTime wall_of(docker::UnixNanos nanos) {
    return WallTime(duration_cast<milliseconds>(nanoseconds(nanos)));
}

ContainerFacts facts_of(const docker::ContainerState& state) {
    ContainerFacts facts;
    facts.id = state.id;
    facts.status = status_of(state.status);
    facts.exit_code = state.exit_code;
    facts.oom_killed = state.oom_killed;
    facts.pid = state.pid;
    facts.error = state.error;
    if (state.is_failed_start() && facts.error.empty()) {
        facts.error = "exit code " + std::to_string(state.exit_code);
    }
    facts.created_at = wall_of(state.created_at);
    facts.started_at = wall_of(state.started_at);
    facts.finished_at = wall_of(state.finished_at);
    for (const auto& address : state.addresses) {
        if (!address.ip.empty()) {
            facts.ip_addresses.push_back(address.ip);
        }
    }
    facts.host_ports = ports_of(label_of(state.labels, label::ports), state.ports);
    if (!is_copy(state.labels, state.name, state.image_id)) {
        add_identity(facts, state.labels);
    }
    return facts;
}

ContainerFacts facts_of(const docker::ContainerSummary& row) {
    ContainerFacts facts;
    facts.id = row.id;
    facts.status = status_of(row.status);
    facts.exit_code = row.exit_code;
    facts.started_at = wall_of(row.created_at);
    facts.finished_at = facts.started_at;
    facts.host_ports = ports_of(label_of(row.labels, label::ports), {});
    if (!is_copy(row.labels, row.name, row.image_id)) {
        add_identity(facts, row.labels);
    }
    return facts;
}

std::vector<ContainerFacts> facts_of(const std::vector<docker::ContainerSummary>& list) {
    std::vector<ContainerFacts> facts;
    facts.reserve(list.size());
    for (const auto& row : list) {
        facts.push_back(facts_of(row));
    }
    return facts;
}

std::optional<TaskIdentity> identity_of(const docker::Labels& labels) {
    TaskIdentity identity;
    identity.name = TaskName(label_of(labels, label::task));
    identity.host = label_of(labels, label::host);
    if (identity.name.empty() || identity.host.empty()) {
        return std::nullopt;
    }
    identity.app = label_of(labels, label::app);
    identity.spec_hash = label_of(labels, label::spec_hash);
    const auto attempt = parse_int(label_of(labels, label::attempt), 0, 1'000'000'000);
    identity.attempt = attempt ? static_cast<std::uint32_t>(*attempt) : 1;
    constexpr std::int64_t grace_max_ms = 24 * 3600 * 1000;
    const auto grace = parse_int(label_of(labels, label::kill_grace_ms), 0, grace_max_ms);
    identity.kill_grace = grace ? Duration(milliseconds(*grace)) : kill_grace_default;
    return identity;
}

} // namespace methos::executor
