// Fuzz target of the v1 scheduler API's JSON: any bytes as the body of a call. They are either read
// or refused with a sentence; what was read is within the bounds that the heart relies on, and its
// tasks can be printed again.
#include "master/frameworks/external/definition/call_read.hpp"
#include "master/frameworks/external/definition/print.hpp"
#include "tests/support/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace {

using namespace methos;
using namespace methos::external;

void expect(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_task(const TaskRequest& task) {
    expect(task.definition.size() <= task_info_bytes_max);
    expect(task.host_ports.size() <= 4096);
    if (!task.invalid.empty()) {
        return;
    }
    expect(!task.task_id.empty() && task.task_id.size() <= 255);
    expect(task.spec.ports.size() <= task.host_ports.size() ||
           task.spec.network == NetworkMode::None);
    expect(!task.spec.resources.negative());
    expect(task.spec.kill_grace >= Duration::zero());
    Update last;
    last.task_id = task.task_id;
    const auto printed = over_task_json(FrameworkId("F"), task.definition, last);
    expect(nlohmann::json::parse(print_line(printed)) == printed);
}

void check_framework(const FrameworkInfo& info) {
    expect(info.failover_timeout >= Duration::zero());
    for (const auto& role : info.roles) {
        expect(!role.empty());
    }
    const auto printed = json_of(info);
    expect(nlohmann::json::parse(print_line(printed)) == printed);
}

} // namespace

std::vector<std::string> methos::fuzz::seed_inputs() {
    return {
        R"({"framework_id":null,"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root",
        "name":"n","id":null,"failover_timeout":0,"capabilities":[{"type":"MULTI_ROLE"}],
        "roles":["a","b"],"labels":{"labels":[{"key":"k","value":"v"}]}},
        "suppressed_roles":["a"]}})",
        R"({"framework_id":{"value":"F"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"1-O1"}],
        "operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"t","task_id":{"value":"t"},
        "agent_id":{"value":"H"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}},
        {"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":31002}]}}],
        "command":{"shell":false,"arguments":["a"],"environment":{"variables":[{"name":"A",
        "value":"1"}]}},"container":{"type":"DOCKER","docker":{"image":"i","network":"BRIDGE",
        "port_mappings":[{"host_port":31000,"container_port":80,"protocol":"tcp"}],
        "parameters":[{"key":"k","value":"v"}]},"volumes":[{"mode":"RO","container_path":"/c",
        "host_path":"/h"}]},"labels":{"labels":[{"key":"k","value":"v"}]},
        "kill_policy":{"grace_period":{"nanoseconds":1}}}]}},{"type":"RESERVE"}],
        "filters":{"refuse_seconds":1.5}}})",
        R"({"framework_id":{"value":"F"},"type":"ACKNOWLEDGE","acknowledge":{"agent_id":
        {"value":"H"},"task_id":{"value":"t"},"uuid":"AAECAwQFBgcICQoLDA0ODw=="}})",
        R"({"framework_id":{"value":"F"},"type":"RECONCILE","reconcile":{"tasks":[{"task_id":
        {"value":"t"},"agent_id":{"value":"H"}}]}})",
        R"({"framework_id":{"value":"F"},"type":"KILL","kill":{"task_id":{"value":"t"},
        "kill_policy":{"grace_period":{"nanoseconds":9223372036854775807}}}})",
        R"({"framework_id":{"value":"F"},"type":"UPDATE_FRAMEWORK","update_framework":
        {"framework_info":{"user":"u","name":"n","id":{"value":"F"},"role":"r"}}})",
    };
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto call = read_call(std::string(reinterpret_cast<const char*>(data), size));
    if (!call) {
        expect(call.error().code == Code::InvalidInput && !call.error().message.empty());
        return 0;
    }
    if (const auto* subscribe = std::get_if<Subscribe>(&call->body)) {
        check_framework(subscribe->info);
    } else if (const auto* update = std::get_if<UpdateFramework>(&call->body)) {
        check_framework(update->info);
    } else if (const auto* accept = std::get_if<Accept>(&call->body)) {
        expect(!accept->refuse || *accept->refuse >= Duration::zero());
        for (const auto& task : accept->launches) {
            check_task(task);
        }
    } else if (const auto* acknowledge = std::get_if<Acknowledge>(&call->body)) {
        expect(acknowledge->uuid.size() == 16);
    }
    return 0;
}
