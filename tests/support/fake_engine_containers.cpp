// The fake Engine's calls on containers: made, listed, inspected, started, stopped, removed, with
// the words and statuses of the real one.
#include "tests/support/fake_engine_calls.hpp"

#include <algorithm>
#include <cstdlib>

namespace methos::test {

namespace {

using State = FakeEngine::State;
using docker::ContainerStatus;

std::vector<docker::PortBinding> ports_of(const Json& host) {
    std::vector<docker::PortBinding> ports;
    const auto bindings = host.value("PortBindings", Json::object());
    for (const auto& entry : bindings.items()) {
        for (const auto& binding : entry.value()) {
            docker::PortBinding port;
            port.container_port = static_cast<std::uint16_t>(std::atoi(entry.key().c_str()));
            if (entry.key().find("/udp") != std::string::npos) {
                port.transport = docker::Transport::Udp;
            }
            port.host_port =
                static_cast<std::uint16_t>(std::atoi(binding.value("HostPort", "").c_str()));
            port.host_ip = binding.value("HostIp", "");
            ports.push_back(port);
        }
    }
    return ports;
}

FakeAnswer name_taken(const std::string& name, const std::string& holder) {
    return refusal(409,
                   "Conflict. The container name \"/" + name +
                       "\" is already in use by container \"" + holder +
                       "\". You have to remove (or rename) that container to be able to reuse that "
                       "name.");
}

FakeAnswer stop(State& state, FakeContainer& container) {
    if (container.status != ContainerStatus::Running) {
        return {304, ""};
    }
    state.publish(container, "kill", {{"signal", "15"}});
    if (container.program.ignores_sigterm) {
        state.publish(container, "kill", {{"signal", "9"}});
    }
    state.finish(container, container.program.ignores_sigterm ? 137 : 143, false, true);
    state.publish(container, "stop");
    return {204, ""};
}

FakeAnswer kill(State& state, FakeContainer& container, std::string signal) {
    if (container.status != ContainerStatus::Running) {
        return refusal(409,
                       "Cannot kill container: " + container.name + ": Container " + container.id +
                           " is not running");
    }
    if (signal.empty()) {
        signal = "SIGKILL";
    }
    state.publish(container, "kill", {{"signal", signal}});
    const bool is_kill = signal == "SIGKILL" || signal == "9" || signal == "KILL";
    const bool is_term = signal == "SIGTERM" || signal == "15" || signal == "TERM";
    if (is_kill) {
        state.finish(container, 137, false, true);
    } else if (is_term && !container.program.ignores_sigterm) {
        state.finish(container, 143, false, true);
    }
    return {204, ""};
}

FakeAnswer remove(State& state, FakeContainer& container, bool force) {
    if (container.status == ContainerStatus::Running) {
        if (!force) {
            return refusal(409,
                           "You cannot remove a running container " + container.id +
                               ". Stop the container before attempting removal or force remove");
        }
        state.publish(container, "kill", {{"signal", "9"}});
        state.finish(container, 137, false, true);
    }
    state.publish(container, "destroy");
    state.erase(container.id);
    return {204, ""};
}

FakeAnswer create_exec(State& state, const FakeContainer& container, const UnixRequest& request) {
    if (container.status != ContainerStatus::Running) {
        return refusal(409, "Container " + container.id + " is not running");
    }
    const auto id = random_hex(32);
    auto& exec = state.execs[id];
    exec.container = container.id;
    exec.command = Json::parse(request.body).value("Cmd", std::vector<std::string>());
    Json json;
    json["Id"] = id;
    return json_answer(201, json);
}

} // namespace

FakeAnswer create_container(State& state, const UnixRequest& request) {
    const auto body = Json::parse(request.body);
    const auto name = request.parameter("name");
    const auto phantom = state.phantoms.find(name);
    if (phantom != state.phantoms.end() && phantom->second-- > 0) {
        return name_taken(name, random_hex(32));
    }
    if (const auto* holder = state.find(name)) {
        return name_taken(name, holder->id);
    }
    const auto reference = body.value("Image", "");
    const auto* image = state.find_image(reference);
    if (image == nullptr) {
        return refusal(404, "No such image: " + normal_reference(reference));
    }
    const auto& host = body.at("HostConfig");
    for (const auto& mount : host.value("Mounts", Json::array())) {
        const auto source = mount.value("Source", "");
        if (mount.value("Type", "") == "bind" && !std::filesystem::exists(source)) {
            return refusal(400,
                           "invalid mount config for type \"bind\": bind source path does not "
                           "exist: " +
                               source);
        }
    }
    FakeContainer container;
    container.id = random_hex(32);
    container.name = name;
    container.image = reference;
    container.image_id = image->id;
    container.body = request.body;
    container.labels = body.value("Labels", docker::Labels());
    container.labels.insert(image->labels.begin(), image->labels.end()); // under those of the call
    container.environment = body.value("Env", std::vector<std::string>());
    container.tty = body.value("Tty", false);
    container.network_mode = host.value("NetworkMode", "default");
    container.ports = ports_of(host);
    container.created_at = state.tick();
    if (state.program) {
        container.program = state.program(container);
    }
    auto& made = state.containers.emplace_back(std::move(container));
    state.publish(made, "create");
    Json answer;
    answer["Id"] = made.id;
    answer["Warnings"] = nullptr;
    return json_answer(201, answer);
}

FakeAnswer list_containers(State& state, const UnixRequest& request) {
    const auto labels = filter_of(request, "label");
    const auto all = request.parameter("all");
    Json rows = Json::array();
    for (const auto& container : state.containers) {
        const bool is_shown =
            all == "1" || all == "true" || container.status == ContainerStatus::Running;
        const bool fits = std::all_of(labels.begin(), labels.end(), [&](const auto& filter) {
            return matches(container.labels, filter);
        });
        if (is_shown && fits) {
            rows.push_back(state.list_json(container));
        }
    }
    return json_answer(200, rows);
}

FakeAnswer call_container(State& state, const UnixRequest& request, const Parts& parts) {
    const auto verb = parts.size() > 2 ? parts[2] : std::string();
    auto* container = state.find(parts[1]);
    if (container == nullptr) {
        return no_such_container(parts[1]);
    }
    const auto& method = request.method;
    if (method == "GET" && verb == "json") {
        return json_answer(200, state.inspect_json(*container, state.api_of(request.target)));
    }
    if (method == "DELETE" && verb.empty()) {
        const auto force = request.parameter("force");
        return remove(state, *container, force == "1" || force == "true");
    }
    if (method == "POST" && verb == "start") {
        const bool is_running = container->status == ContainerStatus::Running;
        return is_running ? FakeAnswer{304, ""} : state.start(*container);
    }
    if (method == "POST" && verb == "stop") {
        return stop(state, *container);
    }
    if (method == "POST" && verb == "kill") {
        return kill(state, *container, request.parameter("signal"));
    }
    if (method == "POST" && verb == "exec") {
        return create_exec(state, *container, request);
    }
    return refusal(404, "page not found");
}

} // namespace methos::test
