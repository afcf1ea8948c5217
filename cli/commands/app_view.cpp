#include "cli/commands/app_view.hpp"

#include "cli/client/names.hpp"
#include "cli/output/words.hpp"
#include "core/model/task.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace methos::cli {

namespace {

using nlohmann::ordered_json;

[[noreturn]] void fail_shape(const std::string& what) {
    throw Failure(Error(Code::Protocol,
                        "the master's answer holds no " + what +
                            "; are client and master of the same version? `methos version` tells"));
}

const ordered_json& member(const ordered_json& object, const char* key) {
    static const ordered_json nothing;
    if (!object.is_object()) {
        return nothing;
    }
    const auto found = object.find(key);
    return found == object.end() ? nothing : *found;
}

std::string text(const ordered_json& object, const char* key) {
    const auto& value = member(object, key);
    return value.is_string() ? value.get<std::string>() : "";
}

double number(const ordered_json& object, const char* key) {
    const auto& value = member(object, key);
    return value.is_number() ? value.get<double>() : 0;
}

std::int64_t count(const ordered_json& object, const char* key) {
    const auto& value = member(object, key);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::optional<bool> health_of(const ordered_json& task) {
    std::optional<bool> healthy;
    const auto& results = member(task, "healthCheckResults");
    if (results.is_array()) {
        for (const auto& result : results) {
            const auto& alive = member(result, "alive");
            healthy = healthy.value_or(true) && alive.is_boolean() && alive.get<bool>();
        }
    }
    return healthy;
}

InstanceView read_task(const ordered_json& task) {
    InstanceView view;
    view.id = text(task, "id");
    view.app_id = text(task, "appId");
    view.host = text(task, "host");
    view.host_id = text(task, "slaveId");
    view.address = text(task, "address");
    view.state = text(task, "state");
    view.started_at = text(task, "startedAt");
    view.staged_at = text(task, "stagedAt");
    view.version = text(task, "version");
    view.message = text(task, "message");
    view.healthy = health_of(task);
    if (const auto& percent = member(member(task, "image"), "percent");
        percent.is_number_integer()) {
        view.image_percent = percent.get<std::int64_t>();
    }
    const auto& ports = member(task, "ports");
    if (ports.is_array()) {
        for (const auto& port : ports) {
            if (port.is_number_integer()) {
                view.ports.push_back(port.get<std::int64_t>());
            }
        }
    }
    return view;
}

std::vector<InstanceView> read_task_list(const ordered_json& list) {
    std::vector<InstanceView> tasks;
    if (list.is_array()) {
        for (const auto& task : list) {
            tasks.push_back(read_task(task));
        }
    }
    return tasks;
}

std::string command_of(const ordered_json& app) {
    auto command = text(app, "cmd");
    const auto& args = member(app, "args");
    if (command.empty() && args.is_array()) {
        for (const auto& arg : args) {
            if (arg.is_string()) {
                command += (command.empty() ? "" : " ") + arg.get<std::string>();
            }
        }
    }
    return command;
}

std::vector<std::string> container_ports_of(const ordered_json& app) {
    std::vector<std::string> ports;
    const auto& mappings = member(member(app, "container"), "portMappings");
    if (mappings.is_array()) {
        for (const auto& mapping : mappings) {
            const auto protocol = text(mapping, "protocol");
            ports.push_back(std::to_string(count(mapping, "containerPort")) + "/" +
                            (protocol.empty() ? "tcp" : protocol));
        }
    }
    return ports;
}

std::optional<FailureView> failure_of(const ordered_json& app) {
    const auto& failure = member(app, "lastTaskFailure");
    if (!failure.is_object()) {
        return std::nullopt;
    }
    FailureView view;
    view.task_id = text(failure, "taskId");
    view.host = text(failure, "host");
    view.state = text(failure, "state");
    view.message = text(failure, "message");
    view.timestamp = text(failure, "timestamp");
    return view;
}

AppView read_bare_app(const ordered_json& app) {
    if (text(app, "id").empty()) {
        fail_shape("app");
    }
    AppView view;
    view.id = text(app, "id");
    view.image = text(member(member(app, "container"), "docker"), "image");
    view.command = command_of(app);
    view.instances = count(app, "instances");
    view.cpus = number(app, "cpus");
    view.mem = number(app, "mem");
    view.staged = count(app, "tasksStaged");
    view.running = count(app, "tasksRunning");
    view.healthy = count(app, "tasksHealthy");
    view.unhealthy = count(app, "tasksUnhealthy");
    view.version = text(app, "version");
    view.config_version = text(member(app, "versionInfo"), "lastConfigChangeAt");
    const auto& deployments = member(app, "deployments");
    view.has_deployment = deployments.is_array() && !deployments.empty();
    const auto& deleting = member(app, "deleting");
    view.deleting = deleting.is_boolean() && deleting.get<bool>();
    view.tasks = read_task_list(member(app, "tasks"));
    view.container_ports = container_ports_of(app);
    view.last_failure = failure_of(app);
    return view;
}

WaitingView read_waiting(const ordered_json& group) {
    WaitingView view;
    view.count = count(group, "count");
    view.text = text(group, "text");
    const auto& reasons = member(group, "reasons");
    if (reasons.is_array()) {
        for (const auto& reason : reasons) {
            const auto& hosts = member(reason, "hosts");
            const auto host_count =
                hosts.is_array() ? static_cast<std::int64_t>(hosts.size()) : count(reason, "hosts");
            view.reasons.push_back(WaitingReason{text(reason, "reason"), host_count});
        }
    }
    return view;
}

} // namespace

AppView read_app(const ordered_json& document) {
    const auto& inner = member(document, "app");
    return read_bare_app(inner.is_object() ? inner : document);
}

std::vector<AppView> read_apps(const ordered_json& document) {
    const auto& list = member(document, "apps");
    if (!list.is_array()) {
        fail_shape("list of apps");
    }
    std::vector<AppView> apps;
    for (const auto& app : list) {
        apps.push_back(read_bare_app(app));
    }
    std::sort(
        apps.begin(), apps.end(), [](const AppView& a, const AppView& b) { return a.id < b.id; });
    return apps;
}

std::vector<InstanceView> read_tasks(const ordered_json& document) {
    const auto& list = member(document, "tasks");
    if (!list.is_array()) {
        fail_shape("list of tasks");
    }
    return read_task_list(list);
}

WhyView read_why(const ordered_json& document) {
    const auto& waiting = member(document, "waiting");
    if (!waiting.is_array()) {
        fail_shape("list of what waits");
    }
    WhyView why;
    why.wanted = count(document, "wanted");
    why.running = count(document, "running");
    for (const auto& group : waiting) {
        why.waiting.push_back(read_waiting(group));
    }
    return why;
}

bool has_ended(const std::string& state) {
    const auto known = parse_task_state(state);
    return known && is_terminal(*known);
}

std::string plain_state(const std::string& state) {
    constexpr std::string_view prefix = "TASK_";
    auto word = state.compare(0, prefix.size(), prefix) == 0 ? state.substr(prefix.size()) : state;
    std::transform(word.begin(), word.end(), word.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '_' ? ' ' : c;
    });
    return word;
}

std::vector<std::string> endpoints_of(const InstanceView& instance) {
    std::vector<std::string> endpoints;
    const bool ipv6 = instance.host.find(':') != std::string::npos;
    for (const auto port : instance.ports) {
        endpoints.push_back((ipv6 ? "[" + instance.host + "]" : instance.host) + ":" +
                            std::to_string(port));
    }
    if (endpoints.empty() && !instance.host.empty()) {
        endpoints.push_back(instance.host);
    }
    return endpoints;
}

std::optional<Answer> find_app(Master& master, const std::string& id) {
    auto answer = master.send("GET", "/methos/v1/apps/" + url_path_of(id));
    if (answer.status >= 200 && answer.status < 300) {
        return answer;
    }
    if (answer.status != 404 && answer.status != 501) {
        throw Failure(error_of_answer(answer, "look at " + id, master.target()));
    }
    return master.find("/v2/apps/" + url_path_of(id), "look at " + id);
}

Failure no_such_app(Master& master, const std::string& id) {
    const auto known = master.app_ids();
    const auto similar = similar_names(id, known);
    const auto advice = !similar.empty() ? "did you mean " + listed(similar) + "?"
                        : known.empty()  ? std::string("`methos run IMAGE` makes one")
                                         : std::string("`methos ls` shows those there are");
    return Failure(Error(Code::NotFound, "there is no app " + id + "; " + advice));
}

Answer get_app(Master& master, const std::string& id) {
    auto answer = find_app(master, id);
    if (!answer) {
        throw no_such_app(master, id);
    }
    return std::move(*answer);
}

std::optional<WhyView> find_why(Master& master, const std::string& id) {
    const auto answer = master.send("GET", "/methos/v1/why/" + url_path_of(id));
    if (answer.status == 404 || answer.status == 501) {
        return std::nullopt;
    }
    if (answer.status < 200 || answer.status >= 300) {
        throw Failure(error_of_answer(answer, "ask why " + id + " waits", master.target()));
    }
    return read_why(parse_answer(answer, "why " + id + " waits"));
}

} // namespace methos::cli
