#include "master/frameworks/external/definition/task_read.hpp"

#include "core/base/json.hpp"
#include "core/wire/frames.hpp"
#include "master/frameworks/external/definition/call_read.hpp"
#include "master/frameworks/external/definition/framework_read.hpp"

#include <algorithm>

namespace methos::external {

using nlohmann::json;

namespace {

/// Of a host's ports that a task takes.
struct PortsTaken {
    std::vector<std::uint16_t> numbers; ///< in the order in which the framework named them
    bool valid = true;
};

void read_ranges(const MessageFields& resource, PortsTaken& ports) {
    constexpr std::int64_t port_max = 65535;
    constexpr std::size_t ports_max = 1024;
    resource.message("ranges").each("range", [&](const MessageFields& item) {
        std::int64_t begin = 0;
        std::int64_t end = 0;
        item.require("begin", begin);
        item.require("end", end);
        if (begin < 1 || end > port_max || begin > end ||
            ports.numbers.size() + static_cast<std::size_t>(end - begin) >= ports_max) {
            ports.valid = false;
            return;
        }
        for (auto port = begin; port <= end; ++port) {
            ports.numbers.push_back(static_cast<std::uint16_t>(port));
        }
    });
}

/// Adds a scalar to the amount that its name says; a name may come several times, for several
/// roles.
void add_scalar(const std::string& name, double value, TaskRequest& task) {
    auto& sum = task.spec.resources;
    if (name == "gpus") {
        constexpr double gpus_max = 1024;
        if (value < 0 || value > gpus_max ||
            value != static_cast<double>(static_cast<int>(value))) {
            refuse(task, "Task uses invalid resources: gpus must be a whole number");
            return;
        }
        sum.gpus += static_cast<std::int64_t>(value);
        return;
    }
    const bool is_cpus = name == "cpus";
    const auto amount = is_cpus ? milli_cpus_of(value) : bytes_of_mb(value);
    if (!amount) {
        refuse(task, "Task uses invalid resources: " + name + ": " + amount.error().message);
        return;
    }
    auto& target = is_cpus ? sum.milli_cpus : name == "mem" ? sum.mem_bytes : sum.disk_bytes;
    target += *amount;
}

PortsTaken read_resources(const MessageFields& fields, TaskRequest& task) {
    PortsTaken ports;
    if (!fields.has("resources")) {
        refuse(task, "Task uses no resources");
    }
    fields.each("resources", [&](const MessageFields& item) {
        std::string name;
        std::string type;
        item.require("name", name);
        item.require("type", type);
        if (name == "ports" && type == "RANGES") {
            read_ranges(item, ports);
            return;
        }
        const bool known = name == "cpus" || name == "mem" || name == "disk" || name == "gpus";
        if (!known || type != "SCALAR" || !item.has("scalar")) {
            refuse(task,
                   "Task uses invalid resources: '" + name.substr(0, 64) +
                       "' is none of cpus, mem, disk and gpus (SCALAR) and ports (RANGES)");
            return;
        }
        double value = 0;
        item.message("scalar").require("value", value);
        add_scalar(name, value, task);
    });
    if (!ports.valid) {
        refuse(task,
               "Task uses invalid resources: ports must be ranges from 1 to 65535, and not "
               "more than 1024 ports in all");
    }
    return ports;
}

void read_environment(const MessageFields& command, TaskRequest& task) {
    command.message("environment").each("variables", [&](const MessageFields& item) {
        std::string name;
        std::string type;
        std::string value;
        item.require("name", name);
        item.read("type", type);
        item.read("value", value);
        if (type == "SECRET" || item.has("secret")) {
            refuse(task,
                   "the variable " + name +
                       " asks for a secret, and Methos has no store of secrets: give it a value");
        }
        if (name.empty() || name.find('=') != std::string::npos) {
            refuse(task, "Environment variable '" + name + "' has an illegal name");
            return;
        }
        task.env[name] = value; // the last one counts, as in an environment
    });
}

void read_uris(const MessageFields& command, TaskRequest& task) {
    command.each("uris", [&](const MessageFields& item) {
        FetchItem fetch;
        item.require("value", fetch.uri);
        item.read("output_file", fetch.output_file);
        item.read("extract", fetch.extract);
        item.read("executable", fetch.executable);
        item.read("cache", fetch.cache);
        if (fetch.uri.empty()) {
            refuse(task, "one of command.uris has an empty value");
        }
        task.spec.fetch.push_back(std::move(fetch));
    });
    if (task.spec.fetch.size() > fetch_items_max) {
        refuse(task, "command.uris has more than " + std::to_string(fetch_items_max) + " entries");
    }
}

void read_command(const MessageFields& command, TaskRequest& task) {
    bool shell = true;
    std::string value;
    std::vector<std::string> arguments;
    command.read("shell", shell);
    command.read("value", value);
    command.read("arguments", arguments);
    command.read("user", task.spec.user);
    read_environment(command, task);
    read_uris(command, task);
    if (shell && command.has("value")) {
        task.spec.command = CommandKind::Shell;
        task.spec.shell = value;
    } else if (shell) {
        refuse(task,
               "Shell specified but no command value provided: set command.shell to false to run "
               "the image as it is");
    } else if (command.has("value") || !arguments.empty()) {
        task.spec.command = CommandKind::Args;
        if (command.has("value")) {
            task.spec.args.push_back(value);
        }
        task.spec.args.insert(task.spec.args.end(), arguments.begin(), arguments.end());
    }
}

void read_executor(const MessageFields& executor, TaskRequest& task) {
    const bool built_in = !executor.has("command") && !executor.has("container");
    if (!built_in) {
        refuse(task,
               "Custom executors are not supported: give the task a command (and a container) "
               "instead of an ExecutorInfo");
    }
}

void read_labels(const MessageFields& fields, TaskRequest& task) {
    fields.message("labels").each("labels", [&](const MessageFields& item) {
        std::string key;
        std::string value;
        item.require("key", key);
        item.read("value", value);
        task.spec.labels[key] = value;
    });
}

/// A port of the host's own network stands for itself; behind a bridge what is not mapped is only
/// kept from others.
void set_ports(const PortsTaken& ports, TaskRequest& task) {
    if (task.spec.network == NetworkMode::Host) {
        task.spec.ports.assign(ports.numbers.size(), PortMapping());
        task.host_ports = ports.numbers;
        return;
    }
    for (const auto mapped : task.host_ports) {
        if (std::find(ports.numbers.begin(), ports.numbers.end(), mapped) == ports.numbers.end()) {
            refuse(task,
                   "Port [ " + std::to_string(mapped) +
                       " ] of the port mappings is not included in the task's resources");
        }
    }
    for (const auto port : ports.numbers) {
        if (std::find(task.host_ports.begin(), task.host_ports.end(), port) ==
            task.host_ports.end()) {
            task.host_ports.push_back(port);
        }
    }
}

} // namespace

void refuse(TaskRequest& task, const std::string& why) {
    if (task.invalid.empty()) {
        task.invalid = why;
    }
}

std::optional<Duration> read_kill_policy(const MessageFields& fields) {
    const auto grace = fields.message("grace_period");
    if (!grace.has("nanoseconds")) {
        return std::nullopt;
    }
    std::int64_t nanoseconds = 0;
    grace.read("nanoseconds", nanoseconds);
    return std::min<Duration>(std::chrono::nanoseconds(nanoseconds), wire::kill_grace_max);
}

json without_nulls(const json& document) {
    if (document.is_array()) {
        auto kept = json::array();
        for (const auto& item : document) {
            if (!item.is_null()) {
                kept.push_back(without_nulls(item));
            }
        }
        return kept;
    }
    if (!document.is_object()) {
        return document;
    }
    auto kept = json::object();
    for (const auto& [name, value] : document.items()) {
        if (!value.is_null()) {
            kept[name] = without_nulls(value);
        }
    }
    return kept;
}

TaskRequest read_task_info(const MessageFields& fields) {
    TaskRequest task;
    fields.require("name", task.name);
    fields.require_id("task_id", task.task_id);
    fields.require_id("agent_id", task.agent_id.value);
    if (const auto why = why_no_id(task.task_id); !why.empty()) {
        refuse(task, "Task ID is invalid: " + why);
    }
    if (fields.has("executor")) {
        read_executor(fields.message("executor"), task);
    }
    if (fields.has("command")) {
        read_command(fields.message("command"), task);
    } else if (!fields.has("container")) {
        refuse(task, "Task should have a CommandInfo or a ContainerInfo");
    }
    if (fields.has("container")) {
        read_container(fields.message("container"), task);
    }
    set_ports(read_resources(fields, task), task);
    if (fields.has("health_check")) {
        read_health_check(fields.message("health_check"), task);
    }
    read_labels(fields, task);
    if (const auto grace = read_kill_policy(fields.message("kill_policy"))) {
        task.spec.kill_grace = *grace;
    }
    task.definition = dump_json(without_nulls(fields.object()));
    if (task.definition.size() > task_info_bytes_max) {
        refuse(task, "TaskInfo is larger than " + std::to_string(task_info_bytes_max) + " bytes");
        task.definition.clear();
    }
    return task;
}

} // namespace methos::external
