// TaskInfo's health_check to a HealthCheck of the spec: Mesos's defaults, and Mesos's words for
// what is wrong. Its `check`, which only tells and never kills, is kept and not run, as by Mesos's
// own Docker executor.
#include "master/frameworks/external/definition/task_read.hpp"

#include <algorithm>
#include <cmath>

namespace methos::external {

namespace {

constexpr std::int64_t failures_most = 1'000'000; // more is as good as never

Duration read_seconds(const MessageFields& fields,
                      const char* name,
                      double seconds,
                      Duration least,
                      TaskRequest& task) {
    fields.read(name, seconds);
    if (!(seconds >= 0)) {
        refuse(task,
               "Task uses invalid health check: Expecting '" + std::string(name) +
                   "' to be non-negative");
        return least;
    }
    const double longest = std::chrono::duration<double>(health_time_max).count();
    // The bus counts milliseconds.
    const auto whole_ms = std::llround(std::min(seconds, longest) * 1000);
    return std::max<Duration>(std::chrono::milliseconds(whole_ms), least);
}

void read_port(const MessageFields& fields, HealthCheck& check, TaskRequest& task) {
    std::int64_t port = 0;
    fields.require("port", port);
    if (port < 1 || port > 65535) {
        refuse(task, "Task uses invalid health check: its port must be from 1 to 65535");
        return;
    }
    check.port = static_cast<std::uint16_t>(port);
    std::string protocol;
    fields.read("protocol", protocol);
    check.ipv6 = protocol == "IPV6";
}

void read_http(const MessageFields& fields, HealthCheck& check, TaskRequest& task) {
    std::string scheme = "http";
    fields.read("scheme", scheme);
    fields.read("path", check.path);
    read_port(fields, check, task);
    if (scheme != "http" && scheme != "https") {
        refuse(task,
               "Task uses invalid health check: Unsupported HTTP health check scheme: '" +
                   scheme.substr(0, 64) + "'");
    }
    check.kind = scheme == "https" ? ProbeKind::Https : ProbeKind::Http;
    const bool legal = check.path.starts_with('/') &&
                       std::none_of(check.path.begin(), check.path.end(), [](char c) {
                           return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
                       });
    if (!legal) {
        refuse(task,
               "Task uses invalid health check: The path '" + check.path.substr(0, 200) +
                   "' of HTTP health check must start with '/' and hold no blanks");
    }
}

void read_command(const MessageFields& fields, HealthCheck& check, TaskRequest& task) {
    check.kind = ProbeKind::Command;
    bool shell = true;
    std::string value;
    fields.read("shell", shell);
    fields.read("value", value);
    if (value.empty()) {
        refuse(task,
               std::string("Task uses invalid health check: Command health check must contain ") +
                   (shell ? "'shell command'" : "'executable path'"));
        return;
    }
    if (shell) {
        check.command = {"/bin/sh", "-c", value};
    } else {
        std::vector<std::string> arguments;
        fields.read("arguments", arguments);
        check.command = {value};
        check.command.insert(check.command.end(), arguments.begin(), arguments.end());
    }
    fields.message("environment").each("variables", [&](const MessageFields& item) {
        std::string name;
        std::string text;
        item.require("name", name);
        item.read("value", text);
        if (name.empty() || name.find('=') != std::string::npos) {
            refuse(task, "Environment variable '" + name + "' has an illegal name");
            return;
        }
        check.env[name] = text;
    });
}

} // namespace

void read_health_check(const MessageFields& fields, TaskRequest& task) {
    HealthCheck check;
    std::string type;
    fields.read("type", type);
    const auto wants = [&](const char* part) {
        if (!fields.has(part)) {
            refuse(task,
                   "Task uses invalid health check: Expecting '" + std::string(part) +
                       "' to be set for " + type + " health check");
        }
        return fields.has(part);
    };
    if (type.empty()) {
        refuse(task, "Task uses invalid health check: HealthCheck must specify 'type'");
        return;
    }
    if (type == "COMMAND") {
        if (wants("command")) {
            read_command(fields.message("command"), check, task);
        }
    } else if (type == "HTTP") {
        if (wants("http")) {
            read_http(fields.message("http"), check, task);
        }
    } else if (type == "TCP") {
        check.kind = ProbeKind::Tcp;
        if (wants("tcp")) {
            read_port(fields.message("tcp"), check, task);
        }
    } else {
        refuse(task,
               "Task uses invalid health check: '" + type.substr(0, 64) +
                   "' is not a valid health check type");
        return;
    }
    if (asks_network(check.kind) && task.spec.network == NetworkMode::None) {
        refuse(task,
               "Task uses invalid health check: a task without a network can only have a COMMAND "
               "health check");
    }
    constexpr Duration any = Duration::zero();
    check.delay = read_seconds(fields, "delay_seconds", 15, any, task);
    check.interval = read_seconds(fields, "interval_seconds", 10, health_interval_min, task);
    check.timeout = read_seconds(fields, "timeout_seconds", 20, any, task);
    check.grace = read_seconds(fields, "grace_period_seconds", 10, any, task);
    std::int64_t failures = 3;
    fields.read("consecutive_failures", failures);
    check.failures_max = static_cast<std::uint32_t>(std::min(failures, failures_most));
    task.spec.health_checks = {std::move(check)};
}

} // namespace methos::external
