#include "tests/support/fake_engine.hpp"

#include "tests/support/fake_engine_state.hpp"

#include <algorithm>
#include <chrono>

namespace methos::test {

namespace {

constexpr std::size_t ring_events_max = 256; ///< as the real one

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
        if (!reader.wants(event.json)) {
            return;
        }
        if (events_held) {
            reader.held.push_back(line);
        } else {
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
        finish(container, *will.exits_at_once, will.runs_out_of_memory, true);
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

} // namespace methos::test
