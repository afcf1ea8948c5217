#include "master/frameworks/external/stored.hpp"

#include "core/base/error.hpp"
#include "master/state/records.pb.h"

namespace methos::external {

namespace {

enum class End : std::uint32_t { Lives, Ending, Completed };

std::int64_t to_ms(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime from_ms(std::int64_t ms) {
    return WallTime(std::chrono::milliseconds(ms));
}

[[noreturn]] void throw_damaged(const std::string& what, std::uint64_t key) {
    throw Failure(Code::Internal,
                  "the stored record of " + what + " " + std::to_string(key) +
                      " is damaged; restore a snapshot");
}

End end_of(FrameworkState state) {
    switch (state) {
    case FrameworkState::Ending:
        return End::Ending;
    case FrameworkState::Completed:
        return End::Completed;
    default:
        return End::Lives;
    }
}

FrameworkState state_of(std::uint32_t end) {
    switch (static_cast<End>(end)) {
    case End::Ending:
        return FrameworkState::Ending;
    case End::Completed:
        return FrameworkState::Completed;
    default:
        return FrameworkState::Disconnected;
    }
}

FrameworkInfo info_of(const state::FrameworkRecord& record) {
    FrameworkInfo info;
    info.id = FrameworkId(record.id());
    info.name = record.name();
    info.user = record.user();
    info.principal = record.principal();
    info.hostname = record.hostname();
    info.webui_url = record.webui_url();
    info.roles = {record.roles().begin(), record.roles().end()};
    info.failover_timeout = std::chrono::milliseconds(record.failover_timeout_ms());
    info.checkpoint = record.checkpoint();
    info.capabilities = {record.capabilities().begin(), record.capabilities().end()};
    for (const auto& label : record.labels()) {
        info.labels.emplace_back(label.key(),
                                 label.has_value() ? std::optional(label.value()) : std::nullopt);
    }
    return info;
}

LoadedUpdate update_of(std::uint64_t key, const state::StatusUpdateRecord& record) {
    if (record.state() > static_cast<std::uint32_t>(TaskState::Unknown)) {
        throw_damaged("status update", key);
    }
    LoadedUpdate loaded;
    loaded.task_key = record.task();
    loaded.pending.key = key;
    auto& update = loaded.pending.update;
    update.state = static_cast<TaskState>(record.state());
    update.source = record.by_master() ? StatusSource::Master : StatusSource::Executor;
    update.reason = record.reason();
    update.message = record.message();
    update.uuid = record.uuid();
    update.time = from_ms(record.time_ms());
    if (record.has_healthy()) {
        update.healthy = record.healthy();
    }
    update.container_id = record.container_id();
    update.ip_addresses = {record.ip_addresses().begin(), record.ip_addresses().end()};
    return loaded;
}

} // namespace

std::string stored_framework(const ForeignFramework& framework) {
    const auto& info = framework.info;
    state::FrameworkRecord record;
    record.set_id(info.id.value);
    record.set_name(info.name);
    record.set_user(info.user);
    record.set_principal(info.principal);
    record.set_hostname(info.hostname);
    record.set_webui_url(info.webui_url);
    *record.mutable_roles() = {info.roles.begin(), info.roles.end()};
    record.set_failover_timeout_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(info.failover_timeout).count());
    record.set_checkpoint(info.checkpoint);
    *record.mutable_capabilities() = {info.capabilities.begin(), info.capabilities.end()};
    for (const auto& [key, value] : info.labels) {
        auto* label = record.add_labels();
        label->set_key(key);
        if (value) {
            label->set_value(*value);
        }
    }
    record.set_owner(framework.owner);
    record.set_registered_at_ms(to_ms(framework.registered_at));
    record.set_subscribed_at_ms(to_ms(framework.subscribed_at));
    record.set_ended_at_ms(to_ms(framework.ended_at));
    record.set_end(static_cast<std::uint32_t>(end_of(framework.state)));
    return record.SerializeAsString();
}

std::string stored_task(std::uint64_t framework_key, const ForeignTask& task) {
    state::UpdateRecord record;
    auto& stored = *record.mutable_task();
    stored.set_framework(framework_key);
    stored.set_id(task.id);
    stored.set_number(task.number.value);
    stored.set_agent(task.latest.agent_id.value);
    stored.set_definition(task.definition);
    if (task.name.value != task.id) {
        stored.set_name(task.name.value);
    }
    return record.SerializeAsString();
}

std::string stored_resting_name(const TaskName& name, WallTime since) {
    state::UpdateRecord record;
    record.mutable_resting()->set_name(name.value);
    record.mutable_resting()->set_since_ms(to_ms(since));
    return record.SerializeAsString();
}

std::string stored_update(std::uint64_t task_key, const Update& update) {
    state::UpdateRecord record;
    auto& stored = *record.mutable_update();
    stored.set_task(task_key);
    stored.set_state(static_cast<std::uint32_t>(update.state));
    stored.set_by_master(update.source == StatusSource::Master);
    stored.set_reason(update.reason);
    stored.set_message(update.message);
    stored.set_uuid(update.uuid);
    stored.set_time_ms(to_ms(update.time));
    if (update.healthy) {
        stored.set_healthy(*update.healthy);
    }
    stored.set_container_id(update.container_id);
    *stored.mutable_ip_addresses() = {update.ip_addresses.begin(), update.ip_addresses.end()};
    return record.SerializeAsString();
}

ForeignFramework load_stored_framework(std::uint64_t key, const std::string& bytes) {
    state::FrameworkRecord record;
    if (!record.ParseFromString(bytes) || record.id().empty()) {
        throw_damaged("framework", key);
    }
    ForeignFramework framework;
    framework.key = key;
    framework.info = info_of(record);
    framework.owner = record.owner();
    framework.state = state_of(record.end());
    framework.registered_at = from_ms(record.registered_at_ms());
    framework.subscribed_at = from_ms(record.subscribed_at_ms());
    framework.ended_at = from_ms(record.ended_at_ms());
    return framework;
}

std::variant<LoadedTask, LoadedUpdate, RestingName> load_stored_update(std::uint64_t key,
                                                                       const std::string& bytes) {
    state::UpdateRecord record;
    if (!record.ParseFromString(bytes) || record.what_case() == state::UpdateRecord::WHAT_NOT_SET) {
        throw_damaged("status update", key);
    }
    if (record.has_update()) {
        return update_of(key, record.update());
    }
    if (record.has_resting()) {
        return RestingName{key, TaskName(record.resting().name()), std::nullopt};
    }
    LoadedTask loaded;
    loaded.framework_key = record.task().framework();
    loaded.task.key = key;
    loaded.task.id = record.task().id();
    loaded.task.name =
        TaskName(record.task().name().empty() ? record.task().id() : record.task().name());
    loaded.task.number = TaskNumber(record.task().number());
    loaded.task.definition = record.task().definition();
    loaded.task.latest.task_id = record.task().id();
    loaded.task.latest.agent_id = HostId(record.task().agent());
    return loaded;
}

} // namespace methos::external
