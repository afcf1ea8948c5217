// What tests do with the fake Engine: set it up, let things happen to its containers behind
// everybody's back, hold and release what it does, and look at what it was asked.
#include "tests/support/fake_engine_state.hpp"

#include <algorithm>
#include <utility>

namespace methos::test {

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

void FakeEngine::chunk_answers(bool on) {
    state_->chunk_answers = on;
}

void FakeEngine::keep_alive(bool on) {
    state_->server->keep_alive(on);
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

void FakeEngine::untag(const std::string& reference) {
    const auto name = normal_reference(reference);
    const auto found = state_->images.find(name);
    if (found != state_->images.end()) {
        state_->publish("image", "untag", found->second.id, {{"name", found->second.id}});
        state_->images.erase(found);
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

void FakeEngine::rename(const std::string& id_or_name, const std::string& name) {
    if (auto* container = state_->find(id_or_name)) {
        const auto before = std::exchange(container->name, name);
        state_->publish(*container, "rename", {{"oldName", "/" + before}});
    }
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

void FakeEngine::forget_faults() {
    state_->faults.clear();
}

int FakeEngine::cuts() const {
    return state_->cuts;
}

void FakeEngine::release_held() {
    for (const auto& gate : std::exchange(state_->held_calls, {})) {
        gate->open();
    }
}

std::size_t FakeEngine::held() const {
    return state_->held_calls.size();
}

void FakeEngine::hold_events() {
    state_->events_held = true;
}

void FakeEngine::release_events(
    const std::function<void(std::vector<std::string>& lines)>& arrange) {
    state_->events_held = false;
    for_each_reader(state_->event_readers, [&arrange](FakeSubscriber& reader) {
        arrange(reader.held);
        for (auto& line : std::exchange(reader.held, {})) {
            reader.pieces.push_back(std::move(line));
        }
    });
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
