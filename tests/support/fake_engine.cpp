#include "tests/support/fake_engine.hpp"

#include "tests/support/fake_engine_state.hpp"

#include <algorithm>
#include <chrono>

namespace methos::test {

namespace {

constexpr std::size_t ring_events_max = 256; ///< as the real one

template <class Function>
void for_each_reader(std::list<std::weak_ptr<FakeSubscriber>>& readers, Function function) {
    readers.remove_if([](const auto& weak) { return weak.expired(); });
    for (const auto& weak : readers) {
        if (const auto reader = weak.lock()) {
            function(*reader);
            reader->signal.notify();
        }
    }
}

docker::Labels attributes_of(const FakeContainer& container) {
    auto attributes = container.labels;
    attributes["name"] = container.name;
    attributes["image"] = container.image;
    return attributes;
}

} // namespace

std::string normal_reference(const std::string& reference) {
    const auto name = reference.find_last_of('/');
    const auto last = reference.substr(name == std::string::npos ? 0 : name + 1);
    const bool is_exact =
        last.find(':') != std::string::npos || last.find('@') != std::string::npos;
    return is_exact ? reference : reference + ":latest";
}

FakeEngine::State::State(asio::any_io_executor executor_) : executor(std::move(executor_)) {}

docker::UnixNanos FakeEngine::State::tick() {
    const auto wall = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    last_time = std::max<docker::UnixNanos>(last_time + 1, wall.count());
    return last_time;
}

void FakeEngine::State::publish(const std::string& type,
                                const std::string& action,
                                const std::string& id,
                                const docker::Labels& attributes) {
    FakeEvent event;
    event.time = tick();
    event.json = event_json(type, action, id, attributes, event.time);
    const auto line = event.json.dump() + "\n";
    for_each_reader(event_readers, [&](FakeSubscriber& reader) {
        if (reader.wants(event.json)) {
            reader.pieces.push_back(line);
        }
    });
    ring.push_back(std::move(event));
    if (ring.size() > ring_events_max) {
        ring.pop_front();
    }
}

void FakeEngine::State::publish(const FakeContainer& container,
                                const std::string& action,
                                const docker::Labels& more) {
    auto attributes = attributes_of(container);
    attributes.insert(more.begin(), more.end());
    publish("container", action, container.id, attributes);
}

FakeContainer* FakeEngine::State::find(const std::string& id_or_name) {
    for (auto& container : containers) {
        const bool is_prefix =
            id_or_name.size() >= 12 && container.id.compare(0, id_or_name.size(), id_or_name) == 0;
        if (container.name == id_or_name || is_prefix) {
            return &container;
        }
    }
    return nullptr;
}

FakeImage* FakeEngine::State::find_image(const std::string& reference) {
    const auto found = images.find(normal_reference(reference));
    if (found != images.end()) {
        return &found->second;
    }
    for (auto& [name, image] : images) {
        if (image.id == reference || image.id == "sha256:" + reference) {
            return &image;
        }
    }
    return nullptr;
}

void FakeEngine::State::put_image(const std::string& reference, FakeImage image) {
    if (image.id.empty()) {
        image.id = "sha256:" + random_hex(32);
    }
    images[normal_reference(reference)] = std::move(image);
}

void FakeEngine::State::log(FakeContainer& container, std::string text, bool is_error) {
    FakeLogEntry entry;
    entry.time = tick();
    entry.is_error = is_error;
    entry.text = std::move(text);
    container.log.push_back(std::move(entry));
    for_each_reader(log_readers, [](FakeSubscriber& /*unused*/) {});
}

FakeAnswer FakeEngine::State::start(FakeContainer& container) {
    const auto& will = container.program;
    if (will.start_status != 204) {
        container.error = will.start_error;
        container.exit_code = will.start_exit_code;
        return refusal(will.start_status, will.start_error);
    }
    auto ports = container.ports;
    for (auto& port : ports) {
        if (port.host_port == 0) {
            port.host_port = static_cast<std::uint16_t>(next_port++);
        }
        for (const auto& other : containers) {
            const bool is_running = other.status == docker::ContainerStatus::Running;
            const bool is_taken =
                is_running && std::any_of(other.ports.begin(),
                                          other.ports.end(),
                                          [&port](const docker::PortBinding& held) {
                                              return held.host_port == port.host_port &&
                                                     held.transport == port.transport;
                                          });
            if (is_taken) {
                container.error = "driver failed programming external connectivity on endpoint " +
                                  container.name + " (" + container.id +
                                  "): Bind for 0.0.0.0:" + std::to_string(port.host_port) +
                                  " failed: port is already allocated";
                container.exit_code = 128;
                return refusal(500, container.error);
            }
        }
    }
    container.ports = std::move(ports);
    container.status = docker::ContainerStatus::Running;
    container.exit_code = 0;
    container.error.clear();
    container.oom_killed = false;
    container.pid = next_pid++;
    container.started_at = tick();
    container.finished_at = 0;
    ++container.starts;
    for (const auto& line : will.output) {
        log(container, line, false);
    }
    for (const auto& line : will.errors) {
        log(container, line, true);
    }
    if (will.exits_at_once) {
        finish(container, *will.exits_at_once, false, true);
    }
    publish(container, "start");
    return {204, ""};
}

void FakeEngine::State::finish(FakeContainer& container, int code, bool oom, bool announce) {
    container.status = docker::ContainerStatus::Exited;
    container.exit_code = code;
    container.oom_killed = oom;
    container.pid = 0;
    container.finished_at = tick();
    if (announce) {
        if (oom) {
            publish(container, "oom");
        }
        publish(container, "die", {{"exitCode", std::to_string(code)}});
    }
    for_each_reader(log_readers, [&container](FakeSubscriber& reader) {
        reader.ended = reader.ended || reader.container == container.id;
    });
}

void FakeEngine::State::erase(const std::string& id) {
    for_each_reader(log_readers, [&id](FakeSubscriber& reader) {
        reader.ended = reader.ended || reader.container == id;
    });
    containers.remove_if([&id](const FakeContainer& container) { return container.id == id; });
}

// ---- what tests call

FakeEngine::FakeEngine(asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {
    // The server belongs to the state, so its handler must not own it.
    auto handler = [weak = std::weak_ptr<State>(state_)](Exchange exchange) {
        auto state = weak.lock();
        if (!state) {
            throw Failure(Code::Cancelled, "the fake Engine is gone");
        }
        return State::serve(std::move(state), std::move(exchange));
    };
    state_->server = std::make_unique<UnixHttpServer>(
        state_->executor, state_->folder.file("docker.sock"), std::move(handler));
    state_->server->listen();
}

FakeEngine::~FakeEngine() {
    go_down();
}

const std::string& FakeEngine::socket_path() const {
    return state_->server->path();
}

void FakeEngine::set_api(std::string max, std::string min, std::string engine) {
    state_->api_max = docker::parse_api_version(max).value();
    state_->api_min = docker::parse_api_version(min).value();
    state_->engine = std::move(engine);
}

void FakeEngine::split_bytes(bool on) {
    state_->server->split_bytes(on);
}

void FakeEngine::stop_listening() {
    state_->server->stop_listening();
}

void FakeEngine::go_down() {
    state_->server->stop();
    state_->ring.clear();
    auto end = [](FakeSubscriber& reader) { reader.ended = true; };
    for_each_reader(state_->event_readers, end);
    for_each_reader(state_->log_readers, end);
    release_pulls();
    release_held();
    release_subscribers();
}

void FakeEngine::come_up() {
    state_->server->listen();
}

FakeImage& FakeEngine::add_image(const std::string& reference, FakeImage image) {
    state_->put_image(reference, std::move(image));
    return *state_->find_image(reference);
}

void FakeEngine::add_remote(const std::string& reference, FakePull pull) {
    if (pull.image.id.empty()) {
        pull.image.id = "sha256:" + random_hex(32);
    }
    state_->remotes[normal_reference(reference)] = std::move(pull);
}

void FakeEngine::release_pulls() {
    for (const auto& gate : std::exchange(state_->held_pulls, {})) {
        gate->open();
    }
}

bool FakeEngine::has_image(const std::string& reference) const {
    return state_->find_image(reference) != nullptr;
}

int FakeEngine::pulls_started(const std::string& reference) const {
    const auto found = state_->pulls.find(normal_reference(reference));
    return found == state_->pulls.end() ? 0 : found->second;
}

const std::vector<std::string>& FakeEngine::pull_credentials() const {
    return state_->pull_credentials;
}

int FakeEngine::pulls_active() const {
    return state_->pulls_active;
}

std::size_t FakeEngine::pulls_held() const {
    return state_->held_pulls.size();
}

void FakeEngine::set_program(std::function<FakeProgram(const FakeContainer&)> program) {
    state_->program = std::move(program);
}

FakeContainer* FakeEngine::find(const std::string& id_or_name) {
    return state_->find(id_or_name);
}

std::vector<FakeContainer*> FakeEngine::containers() {
    std::vector<FakeContainer*> result;
    for (auto& container : state_->containers) {
        result.push_back(&container);
    }
    return result;
}

FakeContainer& FakeEngine::add_container(FakeContainer container) {
    if (container.id.empty()) {
        container.id = random_hex(32);
    }
    if (container.created_at == 0) {
        container.created_at = state_->tick();
    }
    if (container.status == docker::ContainerStatus::Running && container.started_at == 0) {
        container.started_at = state_->tick();
        container.pid = state_->next_pid++;
    }
    return state_->containers.emplace_back(std::move(container));
}

void FakeEngine::exit(const std::string& id_or_name, int code, bool oom, bool announce) {
    if (auto* container = state_->find(id_or_name)) {
        state_->finish(*container, code, oom, announce);
    }
}

void FakeEngine::terminate(const std::string& id_or_name, int code) {
    if (auto* container = state_->find(id_or_name)) {
        state_->publish(*container, "kill", {{"signal", "15"}});
        state_->finish(*container, code, false, true);
    }
}

void FakeEngine::remove(const std::string& id_or_name) {
    auto* container = state_->find(id_or_name);
    if (container == nullptr) {
        return;
    }
    if (container->status == docker::ContainerStatus::Running) {
        state_->publish(*container, "kill", {{"signal", "9"}});
        state_->finish(*container, 137, false, true);
    }
    state_->publish(*container, "destroy");
    state_->erase(container->id);
}

void FakeEngine::write_log(const std::string& id_or_name, std::string text, bool is_error) {
    if (auto* container = state_->find(id_or_name)) {
        state_->log(*container, std::move(text), is_error);
    }
}

void FakeEngine::stall_logs() {
    for_each_reader(state_->log_readers, [](FakeSubscriber& reader) { reader.stalled = true; });
}

void FakeEngine::add_phantom_name(const std::string& name, int times) {
    state_->phantoms[name] = times;
}

void FakeEngine::set_exec(std::function<std::pair<int, std::string>(
                              const FakeContainer&, const std::vector<std::string>&)> exec) {
    state_->exec = std::move(exec);
}

void FakeEngine::inject(FakeFault fault) {
    State::Fault entry{fault, fault.skip, fault.times};
    state_->faults.push_back(std::move(entry));
}

void FakeEngine::release_held() {
    for (const auto& gate : std::exchange(state_->held_calls, {})) {
        gate->open();
    }
}

void FakeEngine::hold_subscribers() {
    state_->subscribers_held = std::make_shared<Gate>(state_->executor);
}

void FakeEngine::release_subscribers() {
    if (const auto held = std::exchange(state_->subscribers_held, nullptr)) {
        held->open();
    }
}

void FakeEngine::emit_raw(std::string line) {
    for_each_reader(state_->event_readers,
                    [&line](FakeSubscriber& reader) { reader.pieces.push_back(line); });
}

int FakeEngine::subscribers() const {
    return static_cast<int>(std::count_if(state_->event_readers.begin(),
                                          state_->event_readers.end(),
                                          [](const auto& weak) { return !weak.expired(); }));
}

const std::vector<std::string>& FakeEngine::calls() const {
    return state_->calls;
}

int FakeEngine::count(const std::string& call) const {
    return static_cast<int>(
        std::count_if(state_->calls.begin(), state_->calls.end(), [&call](const auto& made) {
            return made.compare(0, call.size(), call) == 0;
        }));
}

} // namespace methos::test
