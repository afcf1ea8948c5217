#include "tests/support/docker_model.hpp"

#include <algorithm>

namespace methos::test {

using executor::CallFailure;
using executor::Event;
namespace event = executor::event;

namespace {

docker::UnixNanos nanos_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

} // namespace

Event DockerModel::create(const docker::ContainerConfig& config,
                          const std::string& name,
                          WallTime now) {
    const auto holder =
        std::find_if(containers_.begin(), containers_.end(), [&name](const auto& entry) {
            return entry.second.state.name == name;
        });
    if (holder != containers_.end()) {
        return event::CreateFailed{CallFailure::NameConflict, "the name is taken"};
    }
    Container container;
    container.state.id = prefix_ + std::to_string(++made_);
    container.state.name = name;
    container.state.image_id = config.image;
    container.state.labels = config.labels;
    container.state.created_at = nanos_of(now);
    container.state.status = docker::ContainerStatus::Created;
    container.milli_cpus = config.cpu_milli;
    container.memory_bytes = config.memory_bytes;
    const auto id = container.state.id;
    containers_.emplace(id, std::move(container));
    return event::Created{id};
}

Event DockerModel::start(const std::string& id, WallTime now) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) {
        return event::StartFailed{CallFailure::ContainerGone, "No such container"};
    }
    auto& container = found->second;
    if (!container.is_running()) {
        container.state.status = docker::ContainerStatus::Running;
        container.state.error.clear();
        container.state.exit_code = 0;
        container.state.started_at = nanos_of(now);
        ++container.starts;
    }
    return event::Started();
}

Event DockerModel::refuse_start(const std::string& id,
                                CallFailure failure,
                                const std::string& why) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) {
        return event::StartFailed{CallFailure::ContainerGone, "No such container"};
    }
    constexpr int cannot_run = 128;
    found->second.state.error = why;
    found->second.state.exit_code = cannot_run;
    return event::StartFailed{failure, why};
}

Event DockerModel::inspect(const std::string& id_or_name) const {
    const auto found =
        std::find_if(containers_.begin(), containers_.end(), [&id_or_name](const auto& entry) {
            return entry.first == id_or_name || entry.second.state.name == id_or_name;
        });
    if (found == containers_.end()) {
        return event::Missing();
    }
    return event::Seen{executor::facts_of(found->second.state)};
}

Event DockerModel::remove(const std::string& id) {
    containers_.erase(id);
    return event::Removed();
}

Event DockerModel::refuse_removal(const std::string& id, WallTime now) {
    constexpr int killed = 137;
    (void)end(id, killed, now);
    if (const auto found = containers_.find(id); found != containers_.end()) {
        found->second.state.status = docker::ContainerStatus::Dead;
    }
    return event::RemoveFailed();
}

bool DockerModel::end(const std::string& id, int exit_code, WallTime now) {
    const auto found = containers_.find(id);
    if (found == containers_.end() || !found->second.is_running()) {
        return false;
    }
    auto& state = found->second.state;
    state.status = docker::ContainerStatus::Exited;
    state.exit_code = exit_code;
    state.finished_at = nanos_of(now);
    return true;
}

void DockerModel::start_by_hand(const std::string& id, WallTime now) {
    (void)start(id, now);
    if (const auto found = containers_.find(id); found != containers_.end()) {
        --found->second.starts;
    }
}

std::vector<executor::ContainerFacts> DockerModel::list() const {
    std::vector<executor::ContainerFacts> rows;
    rows.reserve(containers_.size());
    for (const auto& [id, container] : containers_) {
        docker::ContainerSummary row;
        row.id = id;
        row.name = container.state.name;
        row.status = container.state.status;
        row.exit_code = container.state.exit_code;
        row.created_at = container.state.created_at;
        row.labels = container.state.labels;
        rows.push_back(executor::facts_of(row));
    }
    return rows;
}

const DockerModel::Container* DockerModel::find(const std::string& id) const {
    const auto found = containers_.find(id);
    return found == containers_.end() ? nullptr : &found->second;
}

} // namespace methos::test
