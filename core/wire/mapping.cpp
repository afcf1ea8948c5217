#include "core/wire/mapping.hpp"

#include "core/wire/check.hpp"
#include "core/wire/health_check_mapping.hpp"

#include <algorithm>
#include <array>

namespace methos::wire {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t host_port_ranges_max = 1'000;
constexpr std::size_t host_attributes_max = 1'000;
constexpr std::size_t status_message_bytes_max = 4096; // no more is kept, and a frame holds many
constexpr std::int64_t image_bytes_max = std::int64_t{1} << 60;
constexpr std::int64_t image_layers_max = 100'000;
constexpr std::int64_t percent_max = 100;
constexpr auto state_last = static_cast<std::uint32_t>(TaskState::Unknown);
constexpr auto reason_last = static_cast<std::uint32_t>(Reason::HostDraining);

std::int64_t ms_of(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime wall_of(std::int64_t ms) {
    return WallTime(milliseconds(ms));
}

template <class Texts>
void copy_texts(const std::map<std::string, std::string>& from, Texts& out) {
    out.clear();
    for (const auto& [key, value] : from) {
        out[key] = value;
    }
}

/// Checked copy of a protobuf map of texts; keys are never empty.
template <class Texts>
std::map<std::string, std::string>
read_texts(Check& check, std::string_view field, const Texts& in, std::size_t limit) {
    check.that(in.size() <= limit, field, "has too many entries");
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : in) {
        check.name(field, key, name_bytes_max);
        check.text(field, value, text_bytes_max);
        texts.emplace(key, value);
    }
    return texts;
}

/// Names of environment variables hold no `=`: the Engine would cut them at another place.
template <class Texts>
std::map<std::string, std::string> read_env(Check& check, const Texts& in) {
    auto env = read_texts(check, "env", in, list_length_max);
    const bool legal = std::none_of(env.begin(), env.end(), [](const auto& entry) {
        return entry.first.find('=') != std::string::npos;
    });
    check.that(legal, "env", "has a name with '=' in it");
    return env;
}

template <class Ports>
std::vector<std::uint16_t> read_ports(Check& check, const Ports& in) {
    check.length("host_ports", in.size());
    std::vector<std::uint16_t> ports;
    ports.reserve(static_cast<std::size_t>(in.size()));
    for (const auto port : in) {
        check.range("host_ports", port, 1, 65535);
        ports.push_back(static_cast<std::uint16_t>(port));
    }
    return ports;
}

/// Host and TaskSpec name their amounts alike.
template <class Message>
void write_amounts(const Resources& resources, Message& out) {
    out.set_milli_cpus(resources.milli_cpus);
    out.set_mem_bytes(resources.mem_bytes);
    out.set_disk_bytes(resources.disk_bytes);
    out.set_gpus(resources.gpus);
}

template <class Message>
Resources read_amounts(Check& check, const Message& in) {
    check.range("milli_cpus", in.milli_cpus(), 0, milli_cpus_max);
    check.range("mem_bytes", in.mem_bytes(), 0, amount_bytes_max);
    check.range("disk_bytes", in.disk_bytes(), 0, amount_bytes_max);
    check.range("gpus", in.gpus(), 0, gpus_max);
    return Resources{in.milli_cpus(), in.mem_bytes(), in.disk_bytes(), in.gpus()};
}

bool is_id(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

CommandKind command_of(TaskSpec::Command command) {
    switch (command) {
    case TaskSpec::SHELL:
        return CommandKind::Shell;
    case TaskSpec::ARGS:
        return CommandKind::Args;
    default:
        return CommandKind::Image;
    }
}

TaskSpec::Command to_wire(CommandKind command) {
    switch (command) {
    case CommandKind::Shell:
        return TaskSpec::SHELL;
    case CommandKind::Args:
        return TaskSpec::ARGS;
    case CommandKind::Image:
        break;
    }
    return TaskSpec::IMAGE;
}

NetworkMode network_of(TaskSpec::Network network) {
    switch (network) {
    case TaskSpec::BRIDGE:
        return NetworkMode::Bridge;
    case TaskSpec::USER:
        return NetworkMode::User;
    case TaskSpec::NONE:
        return NetworkMode::None;
    default:
        return NetworkMode::Host;
    }
}

TaskSpec::Network to_wire(NetworkMode network) {
    switch (network) {
    case NetworkMode::Bridge:
        return TaskSpec::BRIDGE;
    case NetworkMode::User:
        return TaskSpec::USER;
    case NetworkMode::None:
        return TaskSpec::NONE;
    case NetworkMode::Host:
        break;
    }
    return TaskSpec::HOST;
}

std::vector<methos::PortMapping> read_mappings(Check& check, const TaskSpec& in) {
    static constexpr std::array<std::string_view, 5> protocols{
        "", "tcp", "udp", "udp,tcp", "tcp,udp"};
    check.length("ports", in.ports_size());
    std::vector<methos::PortMapping> ports;
    for (const auto& port : in.ports()) {
        check.range("container_port", port.container_port(), 0, 65535);
        const bool known =
            std::find(protocols.begin(), protocols.end(), port.protocol()) != protocols.end();
        check.that(known, "protocol", "is none of tcp, udp and udp,tcp");
        check.text("port name", port.name(), name_bytes_max);
        methos::PortMapping mapping;
        mapping.container_port = static_cast<std::uint16_t>(port.container_port());
        if (!port.protocol().empty()) {
            mapping.protocol = port.protocol();
        }
        mapping.name = port.name();
        ports.push_back(std::move(mapping));
    }
    return ports;
}

std::vector<VolumeMount> read_volumes(Check& check, const TaskSpec& in) {
    check.length("volumes", in.volumes_size());
    std::vector<VolumeMount> volumes;
    for (const auto& volume : in.volumes()) {
        check.text("volume source", volume.source(), text_bytes_max);
        check.text("volume target", volume.target(), text_bytes_max);
        check.that(volume.target().rfind('/', 0) == 0, "volume target", "is not an absolute path");
        volumes.push_back(VolumeMount{volume.source(), volume.target(), volume.read_only()});
    }
    return volumes;
}

std::vector<std::pair<std::string, std::string>> read_parameters(Check& check, const TaskSpec& in) {
    check.length("docker_parameters", in.docker_parameters_size());
    std::vector<std::pair<std::string, std::string>> parameters;
    for (const auto& parameter : in.docker_parameters()) {
        check.name("docker parameter", parameter.key(), name_bytes_max);
        check.text("docker parameter", parameter.value(), text_bytes_max);
        parameters.emplace_back(parameter.key(), parameter.value());
    }
    return parameters;
}

std::vector<FetchItem> read_fetch(Check& check, const TaskSpec& in) {
    check.length("fetch", in.fetch_size(), fetch_items_max);
    std::vector<FetchItem> items;
    for (const auto& item : in.fetch()) {
        check.name("fetch uri", item.uri(), text_bytes_max);
        check.text("fetch output_file", item.output_file(), text_bytes_max);
        items.push_back(FetchItem{
            item.uri(), item.output_file(), item.extract(), item.executable(), item.cache()});
    }
    return items;
}

void check_command(Check& check, const TaskSpec& in) {
    check.that(TaskSpec::Command_IsValid(in.command()), "command", "is of no known kind");
    check.text("shell", in.shell(), text_bytes_max);
    check.length("args", in.args_size());
    for (const auto& arg : in.args()) {
        check.text("args", arg, text_bytes_max);
    }
    check.that(in.command() != TaskSpec::SHELL || !in.shell().empty(), "shell", "is empty");
}

void check_network(Check& check, const TaskSpec& in) {
    check.that(TaskSpec::Network_IsValid(in.network()), "network", "is of no known kind");
    check.text("network_name", in.network_name(), name_bytes_max);
    check.that(
        in.network() != TaskSpec::USER || !in.network_name().empty(), "network_name", "is empty");
}

} // namespace

void to_wire(const HostInfo& info, Host& out) {
    out.Clear();
    out.set_id(info.id.value);
    out.set_hostname(clean_text(info.hostname, name_bytes_max));
    out.set_address(clean_text(info.address, name_bytes_max));
    write_amounts(info.resources.scalars, out);
    for (const auto& range : info.resources.ports.ranges()) {
        auto* port = out.add_ports();
        port->set_first(range.first);
        port->set_last(range.last);
    }
    for (const auto& [key, value] : info.attributes) {
        (*out.mutable_attributes())[clean_text(key, name_bytes_max)] = clean_text(value);
    }
    out.set_role(clean_text(info.role, name_bytes_max));
    out.set_docker_up(info.docker_up);
    out.set_docker_version(clean_text(info.docker_version, name_bytes_max));
    out.set_docker_api(clean_text(info.docker_api, name_bytes_max));
    out.set_trouble(clean_text(info.trouble, name_bytes_max));
}

Result<HostInfo> from_wire(const Host& in) {
    Check check("host '" + clean_text(in.id(), name_bytes_max) + "'");
    check.name("id", in.id(), name_bytes_max);
    check.that(is_id(in.id()), "id", "may hold letters, digits, '.', '_' and '-' only");
    check.that(!in.hostname().empty(), "hostname", "is empty");
    check.line("hostname", in.hostname(), name_bytes_max);
    check.line("address", in.address(), name_bytes_max);
    check.line("role", in.role(), name_bytes_max);
    check.that(in.role().find(' ') == std::string::npos, "role", "holds a blank");
    check.line("docker_version", in.docker_version(), name_bytes_max);
    check.line("docker_api", in.docker_api(), name_bytes_max);
    check.line("trouble", in.trouble(), name_bytes_max);
    check.length("ports", in.ports_size(), host_port_ranges_max);

    HostInfo info;
    info.id = HostId(in.id());
    info.hostname = in.hostname();
    info.address = in.address();
    info.resources.scalars = read_amounts(check, in);
    info.attributes = read_texts(check, "attributes", in.attributes(), host_attributes_max);
    for (const auto& [key, value] : info.attributes) {
        check.line("attributes", key, name_bytes_max);
        check.line("attributes", value, text_bytes_max);
    }
    for (const auto& range : in.ports()) {
        check.that(range.first() >= 1 && range.first() <= range.last() && range.last() <= 65535,
                   "ports",
                   "has a range that is not within 1-65535");
        if (check.error()) {
            break;
        }
        info.resources.ports.insert(methos::PortRange{static_cast<std::uint16_t>(range.first()),
                                                      static_cast<std::uint16_t>(range.last())});
    }
    if (!in.role().empty()) {
        info.role = in.role();
    }
    info.docker_up = in.docker_up();
    info.docker_version = in.docker_version();
    info.docker_api = in.docker_api();
    info.trouble = in.trouble();
    return check.finish(std::move(info));
}

void to_wire(const methos::TaskSpec& spec, TaskSpec& out) {
    out.Clear();
    out.set_number(spec.number.value);
    out.set_framework(spec.framework);
    out.set_app(spec.app);
    out.set_version(spec.version);
    out.set_image(spec.image);
    out.set_force_pull(spec.force_pull);
    out.set_command(to_wire(spec.command));
    out.set_shell(spec.shell);
    for (const auto& arg : spec.args) {
        out.add_args(arg);
    }
    copy_texts(spec.env, *out.mutable_env());
    copy_texts(spec.labels, *out.mutable_labels());
    out.set_network(to_wire(spec.network));
    out.set_network_name(spec.network_name);
    for (const auto& port : spec.ports) {
        auto* mapping = out.add_ports();
        mapping->set_container_port(port.container_port);
        mapping->set_protocol(port.protocol);
        mapping->set_name(port.name);
    }
    for (const auto& volume : spec.volumes) {
        auto* mount = out.add_volumes();
        mount->set_source(volume.source);
        mount->set_target(volume.target);
        mount->set_read_only(volume.read_only);
    }
    for (const auto& [key, value] : spec.docker_parameters) {
        auto* parameter = out.add_docker_parameters();
        parameter->set_key(key);
        parameter->set_value(value);
    }
    out.set_privileged(spec.privileged);
    out.set_user(spec.user);
    write_amounts(spec.resources, out);
    out.set_kill_grace_ms(duration_cast<milliseconds>(spec.kill_grace).count());
    write_health_checks(spec.health_checks, out);
    for (const auto& item : spec.fetch) {
        auto* fetch = out.add_fetch();
        fetch->set_uri(item.uri);
        fetch->set_output_file(item.output_file);
        fetch->set_extract(item.extract);
        fetch->set_executable(item.executable);
        fetch->set_cache(item.cache);
    }
    out.set_hash(spec.hash);
}

Result<methos::TaskSpec> from_wire(const TaskSpec& in) {
    Check check("task spec " + std::to_string(in.number()));
    check.that(in.number() != 0, "number", "is 0");
    check.name("image", in.image(), text_bytes_max);
    check.text("framework", in.framework(), name_bytes_max);
    check.text("app", in.app(), text_bytes_max);
    check.text("version", in.version(), name_bytes_max);
    check.text("user", in.user(), name_bytes_max);
    check.text("hash", in.hash(), name_bytes_max);
    check_command(check, in);
    check_network(check, in);
    check.range("kill_grace_ms", in.kill_grace_ms(), 0, milliseconds(kill_grace_max).count());

    methos::TaskSpec spec;
    spec.number = SpecNumber(in.number());
    spec.framework = in.framework();
    spec.app = in.app();
    spec.version = in.version();
    spec.image = in.image();
    spec.force_pull = in.force_pull();
    spec.command = command_of(in.command());
    spec.shell = in.shell();
    spec.args.assign(in.args().begin(), in.args().end());
    spec.env = read_env(check, in.env());
    spec.labels = read_texts(check, "labels", in.labels(), list_length_max);
    spec.network = network_of(in.network());
    spec.network_name = in.network_name();
    spec.ports = read_mappings(check, in);
    spec.volumes = read_volumes(check, in);
    spec.docker_parameters = read_parameters(check, in);
    spec.privileged = in.privileged();
    spec.user = in.user();
    spec.resources = read_amounts(check, in);
    spec.kill_grace = check.error() ? Duration::zero() : Duration(milliseconds(in.kill_grace_ms()));
    spec.health_checks = read_health_checks(check, in);
    spec.fetch = read_fetch(check, in);
    spec.hash = in.hash();
    return check.finish(std::move(spec));
}

void to_wire(const methos::TaskLaunch& launch, TaskLaunch& out) {
    out.Clear();
    out.set_number(launch.number.value);
    out.set_name(launch.name.value);
    out.set_spec(launch.spec.value);
    out.set_attempt(launch.attempt);
    for (const auto port : launch.host_ports) {
        out.add_host_ports(port);
    }
    copy_texts(launch.env, *out.mutable_env());
    out.set_request(launch.request.value);
}

Result<methos::TaskLaunch> from_wire(const TaskLaunch& in) {
    Check check("task launch " + std::to_string(in.number()));
    check.that(in.number() != 0, "number", "is 0");
    check.name("name", in.name(), name_bytes_max);
    check.that(in.spec() != 0, "spec", "is 0");
    check.that(in.attempt() != 0, "attempt", "is 0");
    check.text("request", in.request(), name_bytes_max);

    methos::TaskLaunch launch;
    launch.number = TaskNumber(in.number());
    launch.name = TaskName(in.name());
    launch.spec = SpecNumber(in.spec());
    launch.attempt = in.attempt();
    launch.host_ports = read_ports(check, in.host_ports());
    launch.env = read_env(check, in.env());
    launch.request = RequestId(in.request());
    return check.finish(std::move(launch));
}

void to_wire(const methos::TaskStatus& status, TaskStatus& out) {
    out.Clear();
    out.set_number(status.number.value);
    out.set_name(status.name.value);
    out.set_stamp(status.stamp);
    out.set_state(static_cast<std::uint32_t>(status.state));
    out.set_reason(static_cast<std::uint32_t>(status.reason));
    out.set_message(clean_text(status.message, status_message_bytes_max));
    out.set_time_ms(ms_of(status.time));
    out.set_container_id(clean_text(status.container_id, name_bytes_max));
    for (const auto& address : status.ip_addresses) {
        out.add_ip_addresses(clean_text(address, name_bytes_max));
    }
    for (const auto port : status.host_ports) {
        out.add_host_ports(port);
    }
    if (status.exit_code) {
        out.set_exit_code(*status.exit_code);
    }
    if (status.healthy) {
        out.set_healthy(*status.healthy);
    }
    out.set_started_at_ms(ms_of(status.started_at));
    if (status.image) {
        to_wire(*status.image, *out.mutable_image());
    }
}

Result<methos::TaskStatus> from_wire(const TaskStatus& in) {
    Check check("task status " + std::to_string(in.number()));
    check.that(in.number() != 0 || !in.name().empty(), "task", "has no number and no name");
    check.text("name", in.name(), name_bytes_max);
    check.range("state", in.state(), 0, state_last);
    check.text("message", in.message(), text_bytes_max);
    check.range("time_ms", in.time_ms(), 0, wall_time_ms_max);
    check.range("started_at_ms", in.started_at_ms(), 0, wall_time_ms_max);
    check.text("container_id", in.container_id(), name_bytes_max);
    check.length("ip_addresses", in.ip_addresses_size());
    for (const auto& address : in.ip_addresses()) {
        check.text("ip_addresses", address, name_bytes_max);
    }

    methos::TaskStatus status;
    status.number = TaskNumber(in.number());
    status.name = TaskName(in.name());
    status.stamp = in.stamp();
    status.state = static_cast<TaskState>(std::min(in.state(), state_last));
    // Reasons are appended to: one that this build does not know explains nothing, and harms
    // nothing.
    status.reason = in.reason() > reason_last ? Reason::None : static_cast<Reason>(in.reason());
    status.message = in.message();
    status.time = wall_of(in.time_ms());
    status.container_id = in.container_id();
    status.ip_addresses.assign(in.ip_addresses().begin(), in.ip_addresses().end());
    status.host_ports = read_ports(check, in.host_ports());
    if (in.has_exit_code()) {
        status.exit_code = in.exit_code();
    }
    if (in.has_healthy()) {
        status.healthy = in.healthy();
    }
    status.started_at = wall_of(in.started_at_ms());
    if (in.has_image()) {
        // Figures that cannot be are no reason to lose the status they came with.
        if (const auto image = from_wire(in.image())) {
            status.image = *image;
        }
    }
    return check.finish(std::move(status));
}

void to_wire(const methos::ImageProgress& progress, ImageProgress& out) {
    out.set_bytes_done(progress.bytes_done);
    out.set_bytes_total(progress.bytes_total);
    out.set_percent(static_cast<std::uint32_t>(progress.percent));
    out.set_layers_done(static_cast<std::uint32_t>(progress.layers_done));
    out.set_layers_total(static_cast<std::uint32_t>(progress.layers_total));
}

Result<methos::ImageProgress> from_wire(const ImageProgress& in) {
    Check check("image progress");
    check.range("bytes_total", in.bytes_total(), 0, image_bytes_max);
    check.range("bytes_done", in.bytes_done(), 0, in.bytes_total());
    check.range("percent", in.percent(), 0, percent_max);
    check.range("layers_total", in.layers_total(), 0, image_layers_max);
    check.range("layers_done", in.layers_done(), 0, in.layers_total());

    methos::ImageProgress progress;
    progress.bytes_done = in.bytes_done();
    progress.bytes_total = in.bytes_total();
    progress.percent = static_cast<int>(in.percent());
    progress.layers_done = static_cast<int>(in.layers_done());
    progress.layers_total = static_cast<int>(in.layers_total());
    return check.finish(std::move(progress));
}

} // namespace methos::wire
