#include "tests/unit/executor/docker/answer_kinds.hpp"

#include "executor/docker/decode.hpp"

#include <nlohmann/json.hpp>

namespace methos::docker {

namespace {

using Json = nlohmann::json;

std::string shown(const std::vector<std::string>& list) {
    return Json(list).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string shown(const Labels& labels) {
    return Json(labels).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string shown(bool flag) {
    return flag ? "yes" : "no";
}

Fields fields_of_info(const std::string& body) {
    const auto info = decode_info(body);
    return {{"/ID", info.id},
            {"/Name", info.name},
            {"/NCPU", std::to_string(info.cpus)},
            {"/MemTotal", std::to_string(info.memory_bytes)},
            {"/DockerRootDir", info.root_dir},
            {"/Driver", info.storage_driver},
            {"/CgroupVersion", info.cgroup_version},
            {"/Runtimes", shown(info.runtimes)},
            {"/LiveRestoreEnabled", shown(info.live_restore)},
            {"/RegistryConfig/Mirrors", shown(info.registry_mirrors)},
            {"/RegistryConfig/InsecureRegistryCIDRs", shown(info.insecure_registries)}};
}

Fields fields_of_image(const std::string& body) {
    const auto image = decode_image(body);
    return {{"/Id", image.id},
            {"/RepoTags", shown(image.repo_tags)},
            {"/RepoDigests", shown(image.repo_digests)},
            {"/Architecture", image.architecture},
            {"/Os", image.os},
            {"/Size", std::to_string(image.size_bytes)},
            {"/Config/User", image.user},
            {"/Config/Cmd", shown(image.command)},
            {"/Config/Entrypoint", shown(image.entrypoint)},
            {"/Config/Env", shown(image.environment)},
            {"/Config/ExposedPorts", shown(image.exposed_ports)},
            {"/Config/StopSignal", image.stop_signal},
            {"/Config/Healthcheck", shown(image.has_healthcheck)},
            {"/Config/Labels", shown(image.labels)}};
}

Fields fields_of_container(const std::string& body) {
    const auto container = decode_container(body);
    std::vector<std::string> ports;
    for (const auto& port : container.ports) {
        ports.push_back(std::to_string(port.container_port) + to_string(port.transport) +
                        std::to_string(port.host_port) + port.host_ip);
    }
    std::vector<std::string> addresses;
    for (const auto& address : container.addresses) {
        addresses.push_back(address.network + address.ip + address.gateway);
    }
    return {{"/Id", container.id},
            {"/Name", container.name},
            {"/Image", container.image_id},
            {"/Created", std::to_string(container.created_at)},
            {"/RestartCount", std::to_string(container.restart_count)},
            {"/Config/Image", container.image},
            {"/Config/Labels", shown(container.labels)},
            {"/Config/Env", shown(container.environment)},
            {"/Config/Tty", shown(container.tty)},
            {"/HostConfig/NetworkMode", container.network_mode},
            {"/HostConfig/LogConfig/Type", container.log_driver},
            {"/State/Status", to_string(container.status)},
            {"/State/ExitCode", std::to_string(container.exit_code)},
            {"/State/Error", container.error},
            {"/State/OOMKilled", shown(container.oom_killed)},
            {"/State/Pid", std::to_string(container.pid)},
            {"/State/StartedAt", std::to_string(container.started_at)},
            {"/State/FinishedAt", std::to_string(container.finished_at)},
            {"/State/Health/Status", std::to_string(static_cast<int>(container.health))},
            {"/NetworkSettings/Ports", shown(ports)},
            {"/NetworkSettings/Networks", shown(addresses)}};
}

Fields fields_of_list(const std::string& body) {
    const auto rows = decode_list(body);
    Fields fields;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto row = "/" + std::to_string(i);
        fields[row + "/Id"] = rows[i].id;
        fields[row + "/Names"] = rows[i].name;
        fields[row + "/Image"] = rows[i].image;
        fields[row + "/ImageID"] = rows[i].image_id;
        fields[row + "/State"] = to_string(rows[i].status);
        fields[row + "/Status"] = std::to_string(rows[i].exit_code);
        fields[row + "/Created"] = std::to_string(rows[i].created_at);
        fields[row + "/Labels"] = shown(rows[i].labels);
    }
    return fields;
}

Fields fields_of_event(const std::string& line) {
    const auto event = decode_event(line);
    return {{"/Type", event.type},
            {"/Action", event.action + "|" + event.detail},
            {"/Actor/ID", event.id},
            {"/Actor/Attributes", shown(event.attributes)},
            {"/timeNano", std::to_string(event.time)}};
}

Fields fields_of_version(const std::string& body) {
    const auto version = decode_version(body);
    return {{"/ApiVersion", version.api_max.to_string()},
            {"/MinAPIVersion", version.api_min.to_string()},
            {"/Version", version.engine},
            {"/Os", version.os},
            {"/Arch", version.arch},
            {"/KernelVersion", version.kernel}};
}

Fields fields_of_created(const std::string& body) {
    const auto created = decode_created(body);
    return {{"/Id", created.id}, {"/Warnings", shown(created.warnings)}};
}

Fields fields_of_exec_id(const std::string& body) {
    return {{"/Id", decode_exec_id(body)}};
}

Fields fields_of_exec_state(const std::string& body) {
    const auto state = decode_exec_state(body);
    return {{"/Running", shown(state.running)}, {"/ExitCode", std::to_string(state.exit_code)}};
}

} // namespace

const std::vector<AnswerKind>& answer_kinds() {
    static const std::vector<AnswerKind> all{
        {"info",
         R"({"ID":"7TRN:IPZB","Name":"host","NCPU":4,"MemTotal":8589934592,"DockerRootDir":
             "/var/lib/docker","Driver":"overlay2","CgroupVersion":"2","Runtimes":{"runc":{}},
             "LiveRestoreEnabled":true,"RegistryConfig":{"Mirrors":["http://m/"],
             "InsecureRegistryCIDRs":["127.0.0.0/8"]}})",
         fields_of_info,
         {"/ID"}},
        {"image",
         R"({"Id":"sha256:aa","RepoTags":["demo:1"],"RepoDigests":["demo@sha256:bb"],
             "Architecture":"amd64","Os":"linux","Size":4000000,"Config":{"User":"app","Cmd":
             ["/bin/sh"],"Entrypoint":["/init"],"Env":["A=1"],"ExposedPorts":{"80/tcp":{}},
             "StopSignal":"SIGQUIT","Healthcheck":{"Test":["CMD","true"]},"Labels":{"a":"b"}}})",
         fields_of_image,
         {"/Id"}},
        {"container that has ended",
         R"({"Id":"cc","Name":"/methos-demo","Image":"sha256:aa","Created":
             "2026-11-22T10:00:00.5Z","RestartCount":0,"Config":{"Image":"demo:1","Labels":
             {"io.methos.task":"demo.1"},"Env":["A=1"],"Tty":true},"HostConfig":{"NetworkMode":
             "bridge","LogConfig":{"Type":"json-file"}},"State":{"Status":"exited","ExitCode":137,
             "Error":"","OOMKilled":true,"Pid":0,"StartedAt":"2026-11-22T10:00:01Z","FinishedAt":
             "2026-11-22T10:00:02Z"},"NetworkSettings":{"Ports":{},"Networks":{}}})",
         fields_of_container,
         {"/Id", "/State/ExitCode"}},
        {"container that runs",
         R"({"Id":"cc","Name":"/methos-demo","Image":"sha256:aa","Created":
             "2026-11-22T10:00:00.5Z","RestartCount":2,"Config":{"Image":"demo:1","Labels":
             {"io.methos.task":"demo.1"},"Env":["A=1"],"Tty":false},"HostConfig":{"NetworkMode":
             "bridge","LogConfig":{"Type":"json-file"}},"State":{"Status":"running","ExitCode":0,
             "Error":"","OOMKilled":false,"Pid":4711,"StartedAt":"2026-11-22T10:00:01Z",
             "FinishedAt":"0001-01-01T00:00:00Z","Health":{"Status":"healthy"}},"NetworkSettings":
             {"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"31001"}]},"Networks":{"bridge":
             {"IPAddress":"172.17.0.2","Gateway":"172.17.0.1"}}}})",
         fields_of_container,
         {"/Id"}},
        {"list",
         R"([{"Id":"c1","Names":["/one"],"Image":"demo:1","ImageID":"sha256:aa","State":"running",
              "Status":"Up 2 hours","Created":1700000000,"Labels":{"a":"b"}},{"Id":"c2","Names":
              ["/two"],"Image":"demo:1","ImageID":"sha256:aa","State":"exited","Status":
              "Exited (3) 1 hour ago","Created":1700000001,"Labels":{"a":"c"}}])",
         fields_of_list,
         {"/0/Id", "/1/Id"}},
        {"event",
         R"({"Type":"container","Action":"health_status: healthy","Actor":{"ID":"cc","Attributes":
             {"exitCode":"137"}},"timeNano":1700000000000000001})",
         fields_of_event,
         {""}},
        {"version",
         R"({"ApiVersion":"1.44","MinAPIVersion":"1.24","Version":"25.0.0","Os":"linux","Arch":
             "amd64","KernelVersion":"6.1"})",
         fields_of_version,
         {"/ApiVersion"}},
        {"answer to create", R"({"Id":"cc","Warnings":["w"]})", fields_of_created, {"/Id"}},
        {"answer to exec", R"({"Id":"ee"})", fields_of_exec_id, {"/Id"}},
        {"state of an exec that has ended",
         R"({"Running":false,"ExitCode":3,"Pid":0})",
         fields_of_exec_state,
         {"/ExitCode"}},
        {"state of an exec that runs",
         R"({"Running":true,"ExitCode":0,"Pid":12})",
         fields_of_exec_state,
         {"/Running"}}, // without it, it has ended; then the exit code must be there, and is
    };
    return all;
}

} // namespace methos::docker
