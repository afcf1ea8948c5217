// The calls of the fake Engine: from the request to the state and the answer.
#include "tests/support/fake_engine_state.hpp"

#include <algorithm>
#include <cstdlib>

namespace methos::test {

namespace {

using State = FakeEngine::State;
using StatePtr = std::shared_ptr<State>;
using docker::ContainerStatus;

/// A call's path without the version, in its parts: {"containers", "<id>", "json"}.
using Parts = std::vector<std::string>;

http::Headers headers_of(const State& state, const std::string& content_type) {
    http::Headers headers;
    headers.add("Api-Version", state.api_max.to_string());
    headers.add("Server", "Docker/" + state.engine + " (linux)");
    if (!content_type.empty()) {
        headers.add("Content-Type", content_type);
    }
    return headers;
}

awaitable<void> reply(StatePtr state, Exchange exchange, FakeAnswer answer) {
    auto headers = headers_of(*state, answer.body.empty() ? "" : "application/json");
    co_await exchange->answer(answer.status, std::move(answer.body), std::move(headers));
}

FakeAnswer json_answer(int status, const Json& json) {
    return {status, json.dump() + "\n"};
}

std::string without_version(const std::string& path) {
    if (path.compare(0, 2, "/v") != 0 || path.size() < 3 || path[2] < '0' || path[2] > '9') {
        return path;
    }
    return path.substr(std::min(path.find('/', 1), path.size()));
}

/// Image names hold slashes: /images/<name>/json is three parts whatever the name.
Parts parts_of(const std::string& path) {
    Parts parts;
    std::size_t start = 1;
    while (start <= path.size()) {
        const auto slash = std::min(path.find('/', start), path.size());
        parts.push_back(path.substr(start, slash - start));
        start = slash + 1;
    }
    return parts;
}

FakeAnswer no_such_container(const std::string& name) {
    return refusal(404, "No such container: " + name);
}

bool matches(const docker::Labels& labels, const std::string& filter) {
    const auto equals = filter.find('=');
    const auto found = labels.find(filter.substr(0, equals));
    return found != labels.end() &&
           (equals == std::string::npos || found->second == filter.substr(equals + 1));
}

std::vector<std::string> filter_of(const UnixRequest& request, const std::string& name) {
    const auto text = request.parameter("filters");
    if (text.empty()) {
        return {};
    }
    return Json::parse(text).value(name, std::vector<std::string>());
}

docker::UnixNanos nanos_of(const std::string& seconds) {
    if (seconds.empty()) {
        return 0;
    }
    char* end = nullptr;
    const auto whole = std::strtoll(seconds.c_str(), &end, 10);
    docker::UnixNanos fraction = 0;
    if (*end == '.') {
        auto digits = std::string(end + 1);
        digits.resize(9, '0');
        fraction = std::strtoll(digits.c_str(), nullptr, 10);
    }
    return whole * 1'000'000'000 + fraction;
}

// ---- containers

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

FakeAnswer create(State& state, const UnixRequest& request) {
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

FakeAnswer list(State& state, const UnixRequest& request) {
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

// ---- images

FakeAnswer call_image(State& state, const UnixRequest& request, const Parts& parts) {
    const bool is_delete = request.method == "DELETE";
    auto reference = parts[1];
    const auto end = is_delete ? parts.size() : parts.size() - 1;
    for (std::size_t i = 2; i < end; ++i) {
        reference += "/" + parts[i];
    }
    const auto* image = state.find_image(reference);
    if (image == nullptr) {
        return refusal(404, "No such image: " + normal_reference(reference));
    }
    if (is_delete) {
        const auto id = image->id;
        const bool is_used = std::any_of(state.containers.begin(),
                                         state.containers.end(),
                                         [&id](const auto& user) { return user.image_id == id; });
        if (is_used && request.parameter("force").empty()) {
            return refusal(409,
                           "conflict: unable to remove repository reference \"" + reference +
                               "\" (must force) - container is using its referenced image");
        }
        std::erase_if(state.images, [&](const auto& entry) {
            return entry.first == normal_reference(reference) || reference == id;
        });
        return json_answer(200, Json::array());
    }
    if (parts.back() == "tag") {
        const auto copy = *image;
        state.put_image(request.parameter("repo") + ":" + request.parameter("tag"), copy);
        return {201, ""};
    }
    return json_answer(200, state.image_json(reference, *image));
}

FakeAnswer import_image(State& state, const UnixRequest& request) {
    FakeImage image;
    image.command.clear();
    image.id = "sha256:" + random_hex(32);
    for (const auto& change : request.parameters("changes")) {
        if (change.compare(0, 4, "CMD ") == 0) {
            image.command = Json::parse(change.substr(4)).get<std::vector<std::string>>();
        }
    }
    auto tag = request.parameter("tag");
    state.put_image(request.parameter("repo") + (tag.empty() ? "" : ":" + tag), image);
    Json json;
    json["status"] = image.id;
    return json_answer(200, json);
}

/// Finds the names in the archive's manifest.json without unpacking it.
FakeAnswer load_images(State& state, const UnixRequest& request) {
    constexpr std::string_view mark = "\"RepoTags\":[\"";
    const auto found = request.body.find(mark);
    if (found == std::string::npos) {
        return refusal(500, "open manifest.json: no such file or directory");
    }
    const auto start = found + mark.size();
    const auto name = request.body.substr(start, request.body.find('"', start) - start);
    state.put_image(name, FakeImage());
    Json json;
    json["stream"] = "Loaded image: " + name + "\n";
    return json_answer(200, json);
}

std::string
layer_line(int layer, const std::string& status, std::int64_t done, std::int64_t total) {
    Json json;
    json["id"] = "layer" + std::to_string(layer);
    json["status"] = status;
    json["progressDetail"] = Json::object();
    if (total > 0) {
        json["progressDetail"]["current"] = done;
        json["progressDetail"]["total"] = total;
    }
    return json.dump() + "\r\n";
}

std::string status_line(const std::string& status) {
    Json json;
    json["status"] = status;
    return json.dump() + "\r\n";
}

/// Counts a pull as active for as long as it lives.
class ActivePull {
  public:
    explicit ActivePull(StatePtr state) : state_(std::move(state)) { ++state_->pulls_active; }

    ActivePull(const ActivePull&) = delete;
    ActivePull& operator=(const ActivePull&) = delete;

    ~ActivePull() { --state_->pulls_active; }

  private:
    StatePtr state_;
};

awaitable<void> pull(StatePtr state, Exchange exchange) {
    const auto tag = exchange->request.parameter("tag");
    const auto reference = normal_reference(exchange->request.parameter("fromImage") +
                                            (tag.find(':') == std::string::npos ? ":" : "@") + tag);
    ++state->pulls[reference];
    const auto found = state->remotes.find(reference);
    if (found == state->remotes.end()) {
        co_await reply(state,
                       exchange,
                       refusal(404,
                               "manifest for " + reference +
                                   " not found: manifest unknown: manifest unknown"));
        co_return;
    }
    const auto remote = found->second;
    if (remote.status != 200) {
        co_await reply(state, exchange, refusal(remote.status, remote.message));
        co_return;
    }
    const ActivePull active(state);
    auto headers = headers_of(*state, "application/json");
    co_await exchange->begin(200, std::move(headers));
    co_await exchange->write(status_line("Pulling from " + reference));
    int number = 0;
    for (const auto bytes : remote.layers) {
        ++number;
        co_await exchange->write(layer_line(number, "Pulling fs layer", 0, 0));
        co_await exchange->write(layer_line(number, "Downloading", bytes / 2, bytes));
        if (remote.hold && number == 1) {
            auto gate = std::make_shared<Gate>(state->executor);
            state->held_pulls.push_back(gate);
            const bool goes_on = co_await exchange->wait(*gate);
            if (!goes_on) {
                exchange->close();
                co_return;
            }
        }
        while (remote.retry_forever) {
            co_await exchange->write(layer_line(number, "Retrying in 1 second", 0, 0));
            co_await sleep_for(std::chrono::milliseconds(5));
        }
        co_await exchange->write(layer_line(number, "Downloading", bytes, bytes));
        co_await exchange->write(layer_line(number, "Download complete", 0, 0));
        co_await exchange->write(layer_line(number, "Extracting", bytes, bytes));
        co_await exchange->write(layer_line(number, "Pull complete", 0, 0));
    }
    if (!remote.stream_error.empty()) {
        Json json;
        json["errorDetail"]["message"] = remote.stream_error;
        json["error"] = remote.stream_error;
        co_await exchange->write(json.dump() + "\r\n");
    } else {
        state->put_image(reference, remote.image);
        co_await exchange->write(status_line("Digest: sha256:" + std::string(64, 'd')));
        co_await exchange->write(status_line("Status: Downloaded newer image for " + reference));
    }
    co_await exchange->end();
}

// ---- streams

std::function<bool(const Json&)> event_filter(const UnixRequest& request) {
    auto types = filter_of(request, "type");
    auto actions = filter_of(request, "event");
    auto labels = filter_of(request, "label");
    return [types, actions, labels](const Json& event) {
        const auto type = event.at("Type").get<std::string>();
        const auto action = event.at("Action").get<std::string>();
        const auto attributes = event.at("Actor").at("Attributes").get<docker::Labels>();
        const auto is_in = [](const std::vector<std::string>& list, const std::string& word) {
            return list.empty() || std::any_of(list.begin(), list.end(), [&word](const auto& one) {
                       return word == one || word.compare(0, one.size() + 1, one + ":") == 0;
                   });
        };
        return is_in(types, type) && is_in(actions, action) &&
               std::all_of(labels.begin(), labels.end(), [&attributes](const auto& filter) {
                   return matches(attributes, filter);
               });
    };
}

awaitable<void> events(StatePtr state, Exchange exchange) {
    auto reader = std::make_shared<FakeSubscriber>(state->executor);
    reader->wants = event_filter(exchange->request);
    const auto since = nanos_of(exchange->request.parameter("since"));
    for (const auto& event : state->ring) {
        if (since > 0 && event.time >= since && reader->wants(event.json)) {
            reader->pieces.push_back(event.json.dump() + "\n");
        }
    }
    state->event_readers.push_back(reader);
    auto headers = headers_of(*state, "application/json");
    co_await exchange->begin(200, std::move(headers));
    while (!reader->ended) {
        while (!reader->pieces.empty()) {
            auto piece = std::move(reader->pieces.front());
            reader->pieces.pop_front();
            co_await exchange->write(std::move(piece));
        }
        const bool there = co_await exchange->wait(reader->signal);
        if (!there) {
            break;
        }
    }
    exchange->close();
}

struct LogWindow {
    bool out = false;
    bool err = false;
    bool timestamps = false;
    docker::UnixNanos since = 0;
    docker::UnixNanos until = 0;
    std::size_t begin = 0;

    [[nodiscard]] bool shows(const FakeLogEntry& entry) const {
        return (entry.is_error ? err : out) && entry.time >= since &&
               (until == 0 || entry.time <= until);
    }
};

LogWindow window_of(const UnixRequest& request, const FakeContainer& container) {
    LogWindow window;
    window.out = request.parameter("stdout") == "1";
    window.err = request.parameter("stderr") == "1";
    window.timestamps = request.parameter("timestamps") == "1";
    window.since = nanos_of(request.parameter("since"));
    window.until = nanos_of(request.parameter("until"));
    const auto tail = request.parameter("tail");
    if (!tail.empty() && tail != "all") {
        const auto count = static_cast<std::size_t>(std::atoi(tail.c_str()));
        window.begin = container.log.size() - std::min(count, container.log.size());
    }
    return window;
}

awaitable<void> logs(StatePtr state, Exchange exchange, std::string id) {
    const auto* container = state->find(id);
    if (container == nullptr) {
        co_await reply(state, exchange, no_such_container(id));
        co_return;
    }
    const auto window = window_of(exchange->request, *container);
    if (!window.out && !window.err) {
        co_await reply(
            state, exchange, refusal(400, "Bad parameters: you must choose at least one stream"));
        co_return;
    }
    const bool follow = exchange->request.parameter("follow") == "1";
    auto reader = std::make_shared<FakeSubscriber>(state->executor);
    reader->container = container->id;
    state->log_readers.push_back(reader);
    auto headers = headers_of(*state, "");
    co_await exchange->begin(200, std::move(headers));
    auto next = window.begin;
    for (;;) {
        // The container may go while a piece is written.
        container = state->find(id);
        if (container != nullptr && next < container->log.size()) {
            const auto& entry = container->log[next++];
            if (window.shows(entry)) {
                auto bytes = log_bytes(entry, container->tty, window.timestamps);
                co_await exchange->write(std::move(bytes));
            }
            continue;
        }
        const bool is_running =
            container != nullptr && container->status == ContainerStatus::Running;
        if (!follow || reader->ended || !is_running) {
            break;
        }
        const bool there = co_await exchange->wait(reader->signal);
        if (!there) {
            co_return;
        }
    }
    co_await exchange->end();
}

awaitable<void> start_exec(StatePtr state, Exchange exchange, std::string id) {
    auto& exec = state->execs.at(id);
    const auto* container = state->find(exec.container);
    FakeLogEntry output;
    if (container != nullptr && state->exec) {
        const auto result = state->exec(*container, exec.command);
        exec.exit_code = result.first;
        output.text = result.second;
    }
    auto headers = headers_of(*state, "application/vnd.docker.raw-stream");
    co_await exchange->begin_until_close(200, std::move(headers));
    if (!output.text.empty()) {
        co_await exchange->write(log_bytes(output, false, false));
    }
    exchange->close();
}

// ---- routing

/// The calls whose answer is whole.
FakeAnswer call_plain(State& state, const UnixRequest& request, const Parts& parts) {
    const auto& room = parts[0];
    if (room == "version") {
        return json_answer(200, state.version_json());
    }
    if (room == "info") {
        return json_answer(200, state.info_json());
    }
    if (room == "_ping") {
        return {200, "OK"};
    }
    if (room == "containers" && parts.size() == 2 && request.method != "DELETE") {
        return parts[1] == "create" ? create(state, request) : list(state, request);
    }
    if (room == "containers" && parts.size() >= 2) {
        return call_container(state, request, parts);
    }
    if (room == "images" && parts.size() == 2 && parts[1] == "create") {
        return import_image(state, request);
    }
    if (room == "images" && parts.size() == 2 && parts[1] == "load") {
        return load_images(state, request);
    }
    if (room == "images" && parts.size() >= 2) {
        return call_image(state, request, parts);
    }
    if (room == "exec" && parts.size() == 3) {
        Json json;
        json["Running"] = false;
        json["ExitCode"] = state.execs[parts[1]].exit_code;
        return json_answer(200, json);
    }
    return refusal(404, "page not found");
}

awaitable<void> dispatch(StatePtr state, Exchange exchange, Parts parts) {
    const auto& request = exchange->request;
    const bool is_pull = parts[0] == "images" && parts.size() == 2 && parts[1] == "create" &&
                         request.parameter("fromSrc").empty();
    if (is_pull) {
        co_await pull(state, exchange);
    } else if (parts[0] == "events") {
        co_await events(state, exchange);
    } else if (parts[0] == "containers" && parts.size() == 3 && parts[2] == "logs") {
        co_await logs(state, exchange, parts[1]);
    } else if (parts[0] == "exec" && parts.size() == 3 && parts[2] == "start") {
        co_await start_exec(state, exchange, parts[1]);
    } else {
        co_await reply(state, exchange, call_plain(*state, request, parts));
    }
}

std::optional<FakeFault> take_fault(State& state, const std::string& call) {
    for (auto it = state.faults.begin(); it != state.faults.end(); ++it) {
        if (call.compare(0, it->fault.call.size(), it->fault.call) != 0) {
            continue;
        }
        if (it->skip > 0) {
            --it->skip;
            continue;
        }
        auto fault = it->fault;
        if (it->times > 0 && --it->times == 0) {
            state.faults.erase(it);
        }
        return fault;
    }
    return std::nullopt;
}

/// True when the call is to be done as usual (perhaps later).
awaitable<bool> suffer(StatePtr state, Exchange exchange, FakeFault fault, Parts parts) {
    using Kind = FakeFault::Kind;
    if (fault.kind == Kind::Answer) {
        FakeAnswer answer{fault.status, fault.body};
        co_await reply(state, exchange, std::move(answer));
    } else if (fault.kind == Kind::DropBefore) {
        exchange->close();
    } else if (fault.kind == Kind::DropAfter) {
        const auto ignored = call_plain(*state, exchange->request, parts);
        exchange->close();
    } else if (fault.kind == Kind::CutBody) {
        auto headers = headers_of(*state, "application/json");
        co_await exchange->answer_cut(200, std::move(fault.body), std::move(headers));
    } else {
        auto gate = std::make_shared<Gate>(state->executor);
        state->held_calls.push_back(gate);
        co_await gate->wait();
        // As the real one: what was asked is done, whether or not the client still waits.
        co_return true;
    }
    co_return false;
}

} // namespace

docker::ApiVersion FakeEngine::State::api_of(const std::string& target) const {
    const auto end = target.find('/', 1);
    if (target.compare(0, 2, "/v") != 0 || end == std::string::npos) {
        return api_max;
    }
    return docker::parse_api_version(target.substr(2, end - 2)).value_or(api_max);
}

awaitable<void> FakeEngine::State::serve(StatePtr state, Exchange exchange) {
    const auto& request = exchange->request;
    const auto plain = without_version(request.target);
    const auto call = request.method + " " + plain;
    state->calls.push_back(call);
    auto parts = parts_of(without_version(request.path));
    auto fault = take_fault(*state, call);
    if (fault) {
        const bool goes_on = co_await suffer(state, exchange, *fault, parts);
        if (!goes_on) {
            co_return;
        }
    }
    const auto api = state->api_of(request.target);
    if (api > state->api_max) {
        co_await reply(state,
                       exchange,
                       refusal(400,
                               "client version " + api.to_string() +
                                   " is too new. Maximum supported API version is " +
                                   state->api_max.to_string()));
    } else if (api < state->api_min) {
        co_await reply(state,
                       exchange,
                       refusal(400,
                               "client version " + api.to_string() +
                                   " is too old. Minimum supported API version is " +
                                   state->api_min.to_string() +
                                   ", please upgrade your client to a newer version"));
    } else {
        co_await dispatch(state, exchange, std::move(parts));
    }
}

} // namespace methos::test
