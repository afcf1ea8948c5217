#include "master/frameworks/external/definition/call_read.hpp"

#include "master/frameworks/external/definition/document.hpp"
#include "master/frameworks/external/definition/framework_read.hpp"
#include "master/frameworks/external/definition/message_fields.hpp"
#include "master/frameworks/external/definition/task_read.hpp"

#include <array>

namespace methos::external {

using nlohmann::json;

namespace {

constexpr double refuse_seconds_max = 31'536'000; ///< Mesos's cap, 365 days
constexpr std::size_t uuid_bytes = 16;

/// The message of a call with the type's name in lower case: `accept` of ACCEPT.
struct CallReader {
    const char* type;
    const char* field; ///< null: the type says it all
    CallBody (*read)(const MessageFields& fields, std::string& invalid);
};

void read_ids(const MessageFields& fields, const char* name, std::vector<std::string>& target) {
    fields.each(name, [&](const MessageFields& item) {
        std::string id;
        item.require("value", id);
        target.push_back(std::move(id));
    });
}

/// Absent, also when negative: Mesos's default then.
std::optional<Duration> read_refuse(const MessageFields& fields) {
    std::optional<double> seconds;
    fields.message("filters").read("refuse_seconds", seconds);
    if (!seconds || *seconds < 0) {
        return std::nullopt;
    }
    const auto capped = std::min(*seconds, refuse_seconds_max);
    return std::chrono::milliseconds(static_cast<std::int64_t>(capped * 1000));
}

CallBody read_subscribe(const MessageFields& fields, std::string& invalid) {
    Subscribe call;
    fields.require("framework_info");
    call.info = read_framework_info(fields.message("framework_info"));
    fields.read("suppressed_roles", call.suppressed_roles);
    invalid = why_unusable(call.info, call.suppressed_roles);
    return call;
}

CallBody read_update_framework(const MessageFields& fields, std::string& invalid) {
    UpdateFramework call;
    fields.require("framework_info");
    call.info = read_framework_info(fields.message("framework_info"));
    fields.read("suppressed_roles", call.suppressed_roles);
    invalid = why_unusable(call.info, call.suppressed_roles);
    return call;
}

CallBody read_teardown(const MessageFields&, std::string&) {
    return Teardown();
}

void read_operation(const MessageFields& operation, Accept& call) {
    std::string type;
    operation.read("type", type);
    if (type == "LAUNCH") {
        operation.message("launch").each("task_infos", [&](const MessageFields& item) {
            call.launches.push_back(read_task_info(item));
        });
        return;
    }
    if (type == "LAUNCH_GROUP") {
        operation.message("launch_group")
            .message("task_group")
            .each("tasks", [&](const MessageFields& item) {
                auto task = read_task_info(item);
                task.of_group = true;
                task.invalid = "LAUNCH_GROUP is not supported: Methos has no pods; launch the "
                               "tasks one by one with LAUNCH";
                call.launches.push_back(std::move(task));
            });
        return;
    }
    UnsupportedOperation unsupported;
    unsupported.type = type.empty() ? "UNKNOWN" : type;
    operation.read_id("id", unsupported.id);
    call.unsupported.push_back(std::move(unsupported));
}

CallBody read_accept(const MessageFields& fields, std::string&) {
    Accept call;
    read_ids(fields, "offer_ids", call.offer_ids);
    fields.each("operations", [&](const MessageFields& item) { read_operation(item, call); });
    call.refuse = read_refuse(fields);
    return call;
}

CallBody read_decline(const MessageFields& fields, std::string&) {
    Decline call;
    read_ids(fields, "offer_ids", call.offer_ids);
    call.refuse = read_refuse(fields);
    return call;
}

CallBody read_revive(const MessageFields& fields, std::string&) {
    Revive call;
    fields.read("roles", call.roles);
    return call;
}

CallBody read_suppress(const MessageFields& fields, std::string&) {
    Suppress call;
    fields.read("roles", call.roles);
    return call;
}

CallBody read_kill(const MessageFields& fields, std::string&) {
    Kill call;
    fields.require_id("task_id", call.task_id);
    fields.read_id("agent_id", call.agent_id.value);
    call.grace = read_kill_policy(fields.message("kill_policy"));
    return call;
}

CallBody read_acknowledge(const MessageFields& fields, std::string& invalid) {
    Acknowledge call;
    fields.require_id("task_id", call.task_id);
    fields.read_id("agent_id", call.agent_id.value);
    fields.require("uuid");
    fields.read_bytes("uuid", call.uuid);
    if (call.uuid.size() != uuid_bytes) {
        invalid = "Not a valid UUID: acknowledge.uuid has " + std::to_string(call.uuid.size()) +
                  " bytes instead of 16";
    }
    return call;
}

CallBody read_reconcile(const MessageFields& fields, std::string&) {
    Reconcile call;
    fields.each("tasks", [&](const MessageFields& item) {
        Reconcile::Asked asked;
        item.require_id("task_id", asked.task_id);
        item.read_id("agent_id", asked.agent_id.value);
        call.tasks.push_back(std::move(asked));
    });
    return call;
}

CallBody read_reconcile_operations(const MessageFields& fields, std::string&) {
    ReconcileOperations call;
    fields.each("operations", [&](const MessageFields& item) {
        std::string id;
        item.require_id("operation_id", id);
        call.operation_ids.push_back(std::move(id));
    });
    return call;
}

CallBody read_message(const MessageFields& fields, std::string&) {
    ToExecutor call;
    fields.require_id("agent_id", call.agent_id.value);
    fields.require_id("executor_id", call.executor_id);
    fields.require("data");
    fields.read_bytes("data", call.data);
    return call;
}

CallBody read_ignored(const MessageFields&, std::string&) {
    return Ignored();
}

constexpr std::array readers{
    CallReader{"SUBSCRIBE", "subscribe", read_subscribe},
    CallReader{"TEARDOWN", nullptr, read_teardown},
    CallReader{"ACCEPT", "accept", read_accept},
    CallReader{"DECLINE", "decline", read_decline},
    CallReader{"ACCEPT_INVERSE_OFFERS", "accept_inverse_offers", read_ignored},
    CallReader{"DECLINE_INVERSE_OFFERS", "decline_inverse_offers", read_ignored},
    CallReader{"REVIVE", nullptr, read_revive},
    CallReader{"SUPPRESS", nullptr, read_suppress},
    CallReader{"KILL", "kill", read_kill},
    CallReader{"SHUTDOWN", "shutdown", read_ignored},
    CallReader{"ACKNOWLEDGE", "acknowledge", read_acknowledge},
    CallReader{"ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status", read_ignored},
    CallReader{"RECONCILE", "reconcile", read_reconcile},
    CallReader{"RECONCILE_OPERATIONS", "reconcile_operations", read_reconcile_operations},
    CallReader{"MESSAGE", "message", read_message},
    CallReader{"REQUEST", "request", read_ignored},
    CallReader{"UPDATE_FRAMEWORK", "update_framework", read_update_framework},
};

Error refused(const std::string& why) {
    return Error(Code::InvalidInput, "Failed to validate scheduler::Call: " + why);
}

/// The message that the type asks for. REVIVE and SUPPRESS may come with none.
MessageFields body_of(const MessageFields& fields, const CallReader& reader) {
    if (reader.field != nullptr) {
        return fields.message(reader.field);
    }
    const std::string type = reader.type;
    return fields.message(type == "REVIVE"     ? "revive"
                          : type == "SUPPRESS" ? "suppress"
                                               : "teardown");
}

const FrameworkInfo* info_of(const Call& call) {
    if (const auto* subscribe = std::get_if<Subscribe>(&call.body)) {
        return &subscribe->info;
    }
    const auto* update = std::get_if<UpdateFramework>(&call.body);
    return update == nullptr ? nullptr : &update->info;
}

/// What Mesos checks of a call whose fields are all of the right type.
std::string why_invalid(const Call& call, const std::string& type, const std::string& invalid) {
    const bool first = std::holds_alternative<Subscribe>(call.body);
    if (!first && call.framework.empty()) {
        return "Expecting 'framework_id' to be present";
    }
    if (const auto* info = info_of(call); info != nullptr && info->id != call.framework) {
        return first ? "'framework_id' differs from 'subscribe.framework_info.id'"
                     : "'framework_id' differs from 'update_framework.framework_info.id'";
    }
    if (!call.framework.empty()) {
        if (const auto why = why_no_id(call.framework.value); !why.empty()) {
            return "'framework_id' is invalid: " + why;
        }
    }
    return invalid.empty() ? "" : type + ": " + invalid;
}

} // namespace

Result<Call> read_call(const std::string& body) {
    const auto document = parse_document(body);
    if (!document) {
        return document.error();
    }
    Problem problem;
    const MessageFields fields(*document, "", problem);
    Call call;
    std::string type;
    std::string invalid;
    fields.read_id("framework_id", call.framework.value);
    fields.read("type", type);
    const auto reader = std::find_if(
        readers.begin(), readers.end(), [&](const auto& known) { return type == known.type; });
    const bool lacks_body =
        reader != readers.end() && reader->field != nullptr && !fields.has(reader->field);
    if (reader != readers.end() && !lacks_body) {
        call.body = reader->read(body_of(fields, *reader), invalid);
        if (auto* ignored = std::get_if<Ignored>(&call.body)) {
            ignored->type = type;
        }
    }
    if (problem.found()) {
        return Error(Code::InvalidInput,
                     "Failed to convert JSON into Call protobuf: " + problem.text());
    }
    if (type.empty() || reader == readers.end()) {
        // Mesos drops an enum's unknown word while it reads, and then misses it.
        return refused(type.empty() ? "Expecting 'type' to be present"
                                    : "Expecting 'type' to be present: '" + type.substr(0, 64) +
                                          "' is none of scheduler::Call");
    }
    if (lacks_body) {
        return refused("Expecting '" + std::string(reader->field) + "' to be present");
    }
    if (const auto why = why_invalid(call, type, invalid); !why.empty()) {
        return refused(why);
    }
    return call;
}

} // namespace methos::external
