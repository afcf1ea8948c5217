// Mesos's scheduler calls as clients write them, nulls and all: what is read of each, and what is
// answered to documents that are broken, oversized or make no sense.
#include "master/frameworks/external/definition/call_read.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace methos;
using namespace methos::external;
using namespace std::chrono_literals;

namespace {

template <class Body>
Body read(const std::string& text) {
    const auto call = read_call(text);
    INFO(text);
    if (!call) {
        FAIL(call.error().message);
    }
    REQUIRE(std::holds_alternative<Body>(call->body));
    return std::get<Body>(call->body);
}

std::string refusal(const std::string& text) {
    const auto call = read_call(text);
    INFO(text);
    REQUIRE_FALSE(call);
    REQUIRE(call.error().code == Code::InvalidInput);
    return call.error().message;
}

std::string subscribe(const std::string& more) {
    return R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f")" + more +
           "}}}";
}

/// An ACCEPT with one LAUNCH of one task with these fields.
std::string launch(const std::string& task) {
    return R"({"framework_id":{"value":"F"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"1-O1"}],
        "operations":[{"type":"LAUNCH","launch":{"task_infos":[{"name":"web",
        "task_id":{"value":"web.1"},"agent_id":{"value":"H"},)" +
           task + "}]}}]}}";
}

const std::string resources =
    R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},
        {"name":"mem","type":"SCALAR","scalar":{"value":64}},
        {"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31002,"end":31003},
                                                           {"begin":31000,"end":31000}]}}])";

TaskRequest task(const std::string& fields) {
    return read<Accept>(launch(resources + "," + fields)).launches.at(0);
}

const std::string true_command = R"("command":{"shell":true,"value":"true"})";

std::string docker(const std::string& fields) {
    return R"("command":{"shell":false},"container":{"type":"DOCKER","docker":{"image":"nginx")" +
           fields + "}}";
}

} // namespace

TEST_CASE("a call of mesos-framework, where every unset field is null, is read as if they were not "
          "there") {
    const auto call = read<Subscribe>(
        R"({"framework_id":null,"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root",
        "name":"docker-test","id":null,"failover_timeout":60.5,"checkpoint":null,"role":null,
        "hostname":"me","principal":null,"webui_url":null,"capabilities":null,"labels":null},
        "force":null},"accept":null,"decline":null,"kill":null,"shutdown":null,"acknowledge":null,
        "reconcile":null,"message":null,"request":null,"revive":null,"suppress":null})");
    CHECK(call.info.id.empty());
    CHECK(call.info.name == "docker-test");
    CHECK(call.info.user == "root");
    CHECK(call.info.hostname == "me");
    CHECK(call.info.failover_timeout == 60500ms);
    CHECK(call.info.roles == std::vector<std::string>{"*"});
    CHECK(call.info.capabilities.empty());
}

TEST_CASE("whatever a real client was recorded to send is read") {
    std::size_t calls = 0;
    for (const auto& entry : std::filesystem::directory_iterator(METHOS_RECORDED_CALLS)) {
        if (entry.path().extension() != ".json") {
            continue;
        }
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string body{std::istreambuf_iterator<char>(in), {}};
        const auto call = read_call(body);
        INFO(entry.path());
        REQUIRE(call);
        if (const auto* accept = std::get_if<Accept>(&call->body)) {
            const auto& task = accept->launches.at(0);
            CHECK(task.invalid == "");
            CHECK(task.spec.image == "nginx");
            CHECK(task.spec.command == CommandKind::Image);
            CHECK(task.host_ports == std::vector<std::uint16_t>{31000});
            CHECK(task.env.at("PORT0") == "31000");
        }
        ++calls;
    }
    CHECK(calls == 7);
}

TEST_CASE("roles are one, or many with MULTI_ROLE, and never both") {
    const std::string multi = R"(,"capabilities":[{"type":"MULTI_ROLE"},{"type":null}])";
    CHECK(read<Subscribe>(subscribe(R"(,"role":"ads")")).info.roles ==
          std::vector<std::string>{"ads"});
    CHECK(read<Subscribe>(subscribe(multi + R"(,"roles":["a","b/c"])")).info.roles ==
          std::vector<std::string>{"a", "b/c"});
    CHECK(read<Subscribe>(subscribe(multi)).info.roles.empty());
    CHECK_THAT(refusal(subscribe(R"(,"roles":["a"])")), Catch::Contains("not MULTI_ROLE capable"));
    CHECK_THAT(refusal(subscribe(multi + R"(,"role":"a")")),
               Catch::Contains("framework_info.role: must not be set"));
    for (const auto* role : {"", "-a", "a b", "..", "/a", "a//b", "a/"}) {
        CHECK_THAT(refusal(subscribe(multi + R"(,"roles":[")" + role + R"("])")),
                   Catch::Contains("invalid role"));
    }
    CHECK_THAT(refusal(subscribe(multi + R"(,"roles":["a","a"])")),
               Catch::Contains("contains duplicate items"));
    CHECK_THAT(
        refusal(
            R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"","name":""},"suppressed_roles":["x"]}})"),
        Catch::Contains("Suppressed role 'x'"));
}

TEST_CASE("every call that means something is read") {
    const std::string from = R"({"framework_id":{"value":"F"},)";
    CHECK(read<Accept>(from + R"("type":"ACCEPT","accept":{"offer_ids":[{"value":"1-O1"},
        {"value":"1-O2"}],"operations":[{"type":"RESERVE","id":{"value":"op"}},{"type":"CREATE"}],
        "filters":{"refuse_seconds":2.5}}})")
              .refuse == Duration(2500ms));
    const auto accept = read<Accept>(from + R"("type":"ACCEPT","accept":{"offer_ids":[],
        "operations":[{"type":"RESERVE","id":{"value":"op"}}]}})");
    CHECK(accept.unsupported.at(0).type == "RESERVE");
    CHECK(accept.unsupported.at(0).id == "op");
    CHECK_FALSE(accept.refuse);

    CHECK(read<Decline>(from + R"("type":"DECLINE","decline":{"offer_ids":[{"value":"1-O9"}]}})")
              .offer_ids == std::vector<std::string>{"1-O9"});
    const auto far_decline = read<Decline>(
        from +
        R"("type":"DECLINE","decline":{"offer_ids":[],"filters":{"refuse_seconds":1e300}}})");
    CHECK(far_decline.refuse == Duration(std::chrono::hours(24 * 365)));
    const auto negative = read<Decline>(
        from + R"("type":"DECLINE","decline":{"offer_ids":[],"filters":{"refuse_seconds":-1}}})");
    CHECK_FALSE(negative.refuse);

    CHECK(read<Revive>(from + R"("type":"REVIVE"})").roles.empty());
    CHECK(read<Revive>(from + R"("type":"REVIVE","revive":{"roles":["a"]}})").roles.size() == 1);
    CHECK(read<Suppress>(from + R"("type":"SUPPRESS","suppress":{"roles":null}})").roles.empty());
    CHECK(read<Suppress>(from + R"("type":"SUPPRESS","suppress":{"roles":"a"}})").roles.size() ==
          1);

    const auto kill = read<Kill>(from + R"("type":"KILL","kill":{"task_id":{"value":"t"},
        "agent_id":{"value":"H"},"kill_policy":{"grace_period":{"nanoseconds":5000000000}}}})");
    CHECK(kill.task_id == "t");
    CHECK(kill.agent_id.value == "H");
    CHECK(kill.grace == Duration(5s));

    const auto acknowledge =
        read<Acknowledge>(from + R"("type":"ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"H"},
        "task_id":{"value":"t"},"uuid":"AAECAwQFBgcICQoLDA0ODw=="}})");
    CHECK(acknowledge.uuid == std::string("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16));

    const auto reconcile = read<Reconcile>(
        from +
        R"("type":"RECONCILE","reconcile":{"tasks":[{"task_id":{"value":"t"},"agent_id":null}]}})");
    CHECK(reconcile.tasks.at(0).task_id == "t");
    CHECK(reconcile.tasks.at(0).agent_id.empty());
    CHECK(read<Reconcile>(from + R"("type":"RECONCILE","reconcile":{"tasks":[]}})").tasks.empty());

    CHECK(read<ToExecutor>(from + R"("type":"MESSAGE","message":{"agent_id":{"value":"H"},
        "executor_id":{"value":"e"},"data":"aGk="}})")
              .data == "hi");
    CHECK(read<Ignored>(from + R"("type":"REQUEST","request":{"requests":[]}})").type == "REQUEST");
    CHECK(read<Ignored>(from + R"("type":"SHUTDOWN","shutdown":{}})").type == "SHUTDOWN");
    (void)read<Teardown>(from + R"("type":"TEARDOWN"})");
    CHECK(read<UpdateFramework>(from + R"("type":"UPDATE_FRAMEWORK","update_framework":{
        "framework_info":{"user":"u","name":"n","id":{"value":"F"}}}})")
              .info.name == "n");
}

TEST_CASE("a call that is no call is refused in Mesos's words, with the place") {
    const std::string from = R"({"framework_id":{"value":"F"},)";
    CHECK_THAT(refusal("not json"), Catch::StartsWith("Failed to parse body into JSON: "));
    CHECK_THAT(refusal(""), Catch::StartsWith("Failed to parse body into JSON: "));
    CHECK_THAT(refusal("[]"), Catch::Contains("expected an object"));
    CHECK_THAT(refusal("{}"), Catch::Contains("Expecting 'type' to be present"));
    CHECK_THAT(refusal(R"({"type":"LAUNCH_MISSILES"})"), Catch::Contains("'LAUNCH_MISSILES'"));
    CHECK_THAT(refusal(R"({"type":"subscribe","subscribe":{}})"), Catch::Contains("'subscribe'"));
    CHECK_THAT(refusal(R"({"type":"SUBSCRIBE"})"),
               Catch::Contains("Expecting 'subscribe' to be present"));
    CHECK_THAT(refusal(R"({"type":"SUBSCRIBE","subscribe":{}})"),
               Catch::Contains("subscribe.framework_info: missing"));
    CHECK_THAT(refusal(R"({"type":"TEARDOWN"})"),
               Catch::Contains("Expecting 'framework_id' to be present"));
    CHECK_THAT(refusal(from + R"("type":"KILL","kill":{"task_id":{}}})"),
               Catch::Contains("kill.task_id.value: missing"));
    CHECK_THAT(refusal(from + R"("type":"DECLINE","decline":{"offer_ids":[{"value":7}]}})"),
               Catch::Contains("decline.offer_ids[0].value: expected a string"));
    CHECK_THAT(
        refusal(from +
                R"("type":"ACKNOWLEDGE","acknowledge":{"task_id":{"value":"t"},"uuid":"%%%%"}})"),
        Catch::Contains("acknowledge.uuid: expected base64"));
    CHECK_THAT(
        refusal(from +
                R"("type":"ACKNOWLEDGE","acknowledge":{"task_id":{"value":"t"},"uuid":"aGk="}})"),
        Catch::Contains("Not a valid UUID"));
    CHECK_THAT(refusal(from + R"("type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"",
        "name":"","id":{"value":"G"}}}})"),
               Catch::Contains("'framework_id' differs from 'subscribe.framework_info.id'"));
    CHECK_THAT(refusal(subscribe(R"(,"failover_timeout":-1)")),
               Catch::Contains("failover_timeout: must not be negative"));
    CHECK_THAT(refusal(R"({"type":"TEARDOWN","framework_id":{"value":"../x"}})"),
               Catch::Contains("invalid characters"));
}

TEST_CASE("bombs do not go off") {
    CHECK_THAT(refusal(std::string(100'000, '[')), Catch::Contains("nested deeper"));
    std::string deep = R"({"a":)";
    for (int i = 0; i < 70; ++i) {
        deep += R"({"a":)";
    }
    CHECK_THAT(refusal(deep), Catch::Contains("nested deeper"));
    CHECK_THAT(refusal("\"" + std::string(call_bytes_max, 'x') + "\""),
               Catch::Contains("larger than"));
    std::string many = "[0";
    for (std::size_t i = 0; i < call_values_max; ++i) {
        many += ",0";
    }
    CHECK_THAT(refusal(many + "]"), Catch::Contains("values"));
    CHECK_THAT(refusal(R"({"type":"TEARDOWN","type":"SUBSCRIBE"})"),
               Catch::Contains("the field 'type' comes twice"));
    CHECK_THAT(refusal(R"({"a":[{"x":1},{"x":1,"x":2}]})"), Catch::Contains("'x' comes twice"));
    CHECK_THAT(refusal(subscribe(R"(,"failover_timeout":NaN)")), Catch::Contains("parse"));
    CHECK_THAT(refusal(subscribe(R"(,"failover_timeout":1e999)")), Catch::Contains("parse"));
    CHECK_THAT(refusal(subscribe(R"(,"principal":"a\u0000b")")), Catch::Contains("NUL"));
    CHECK_THAT(refusal(subscribe(",\"principal\":\"\xff\"")), Catch::Contains("parse"));
    CHECK(read<Subscribe>(subscribe(R"(,"failover_timeout":1e300)")).info.failover_timeout ==
          Duration(1'000'000'000s));
}

TEST_CASE("a Docker task becomes a spec, its ports and its environment") {
    const auto read = task(R"("command":{"shell":false,"value":"serve","arguments":["-v","8080"],
        "user":"www","environment":{"variables":[{"name":"PORT0","value":"31002"},
        {"name":"EMPTY","value":null}]}},"container":{"type":"DOCKER","hostname":"h",
        "docker":{"image":"nginx:1","network":"BRIDGE","force_pull_image":true,"privileged":true,
        "parameters":[{"key":"ulimit","value":"nofile=1"}],
        "port_mappings":[{"host_port":31002,"container_port":80},
                         {"host_port":31000,"container_port":53,"protocol":"UDP"}]},
        "volumes":[{"mode":"RO","container_path":"/c","host_path":"/h"},
          {"mode":"RW","container_path":"/d","source":{"type":"DOCKER_VOLUME",
           "docker_volume":{"name":"vol"}}}]},
        "labels":{"labels":[{"key":"k","value":"v"},{"key":"bare"}]},
        "kill_policy":{"grace_period":{"nanoseconds":2000000000}},
        "health_check":{"type":"HTTP","http":{"port":80}},"executor":null,"data":null)");
    REQUIRE(read.invalid == "");
    CHECK(read.task_id == "web.1");
    CHECK(read.agent_id.value == "H");
    CHECK(read.spec.image == "nginx:1");
    CHECK(read.spec.force_pull);
    CHECK(read.spec.privileged);
    CHECK(read.spec.command == CommandKind::Args);
    CHECK(read.spec.args == std::vector<std::string>{"serve", "-v", "8080"});
    CHECK(read.spec.user == "www");
    CHECK(read.spec.network == NetworkMode::Bridge);
    CHECK(read.spec.resources.milli_cpus == 500);
    CHECK(read.spec.resources.mem_bytes == 64 * bytes_per_mb);
    CHECK(read.spec.kill_grace == Duration(2s));
    CHECK(read.spec.labels == std::map<std::string, std::string>{{"k", "v"}, {"bare", ""}});
    CHECK(read.spec.docker_parameters == std::vector<std::pair<std::string, std::string>>{
                                             {"ulimit", "nofile=1"}, {"hostname", "h"}});
    CHECK(read.spec.ports == std::vector<PortMapping>{{80, "tcp", ""}, {53, "udp", ""}});
    CHECK(read.host_ports == std::vector<std::uint16_t>{31002, 31000, 31003});
    CHECK(read.spec.volumes == std::vector<VolumeMount>{{"/h", "/c", true}, {"vol", "/d", false}});
    CHECK(read.env == std::map<std::string, std::string>{{"PORT0", "31002"}, {"EMPTY", ""}});
    CHECK(read.spec.env.empty());
    CHECK_THAT(read.definition, Catch::Contains(R"("health_check":{"http":{"port":80})"));
    CHECK(read.definition.find("null") == std::string::npos);
}

TEST_CASE("what a command wants fetched is read with Mesos's defaults") {
    const auto with_uris = [](const std::string& uris) {
        return task(R"("command":{"value":"run","uris":)" + uris +
                    R"(},"container":{"type":"DOCKER","docker":{"image":"i"}})");
    };
    const auto read = with_uris(R"([{"value":"http://h/a.tgz"},{"value":"http://h/run",
        "output_file":"bin/run","extract":false,"executable":true,"cache":true}])");
    CHECK(read.invalid == "");
    CHECK(read.spec.fetch ==
          std::vector<FetchItem>{{"http://h/a.tgz", "", true, false, false},
                                 {"http://h/run", "bin/run", false, true, true}});
    CHECK_THAT(with_uris(R"([{"value":""}])").invalid, Catch::Contains("empty value"));
    std::string many;
    for (std::size_t i = 0; i <= fetch_items_max; ++i) {
        many += (i == 0 ? "" : ",") + std::string(R"({"value":"u"})");
    }
    CHECK_THAT(with_uris("[" + many + "]").invalid, Catch::Contains("more than 100"));
}

TEST_CASE("a health check comes with Mesos's defaults") {
    const auto read =
        task(docker("") + R"(,"health_check":{"type":"HTTP","http":{"port":80,"path":"/up"}})");
    REQUIRE(read.invalid == "");
    REQUIRE(read.spec.health_checks.size() == 1);
    const auto& check = read.spec.health_checks[0];
    CHECK(check.kind == ProbeKind::Http);
    CHECK(check.port == 80);
    CHECK(check.path == "/up");
    CHECK(check.delay == Duration(15s));
    CHECK(check.interval == Duration(10s));
    CHECK(check.timeout == Duration(20s));
    CHECK(check.grace == Duration(10s));
    CHECK(check.failures_max == 3);
}

TEST_CASE("health checks of all kinds are read") {
    const auto check = [](const std::string& text) {
        const auto read = task(docker("") + R"(,"health_check":)" + text);
        CHECK(read.invalid == "");
        return read.spec.health_checks.at(0);
    };
    const auto https = check(R"({"type":"HTTP","delay_seconds":0,"interval_seconds":0,
        "timeout_seconds":0.25,"grace_period_seconds":1e300,"consecutive_failures":0,
        "http":{"port":443,"scheme":"https","protocol":"IPV6","statuses":[200]}})");
    CHECK(https.kind == ProbeKind::Https);
    CHECK(https.ipv6);
    CHECK(https.path == "/");
    CHECK(https.delay == Duration::zero());
    CHECK(https.interval == health_interval_min);
    CHECK(https.timeout == Duration(250ms));
    CHECK(https.grace == health_time_max);
    CHECK(https.failures_max == 0);

    const auto tcp = check(R"({"type":"TCP","tcp":{"port":6379}})");
    CHECK(tcp.kind == ProbeKind::Tcp);
    CHECK(tcp.port == 6379);

    const auto shell = check(R"({"type":"COMMAND","command":{"value":"test -f /ok",
        "environment":{"variables":[{"name":"A","value":"1"}]}}})");
    CHECK(shell.kind == ProbeKind::Command);
    CHECK(shell.command == std::vector<std::string>{"/bin/sh", "-c", "test -f /ok"});
    CHECK(shell.env == std::map<std::string, std::string>{{"A", "1"}});

    const auto program =
        check(R"({"type":"COMMAND","command":{"shell":false,"value":"/ok","arguments":["-v"]}})");
    CHECK(program.command == std::vector<std::string>{"/ok", "-v"});
}

TEST_CASE("a health check that cannot be is its task's error, in Mesos's words") {
    const auto why = [](const std::string& text) {
        return task(docker("") + R"(,"health_check":)" + text).invalid;
    };
    CHECK_THAT(why(R"({"http":{"port":80}})"), Catch::Contains("must specify 'type'"));
    CHECK_THAT(why(R"({"type":"UDP"})"), Catch::Contains("not a valid health check type"));
    CHECK_THAT(why(R"({"type":"HTTP","tcp":{"port":80}})"),
               Catch::Contains("Expecting 'http' to be set"));
    CHECK_THAT(why(R"({"type":"HTTP","http":{"port":0}})"), Catch::Contains("from 1 to 65535"));
    CHECK_THAT(why(R"({"type":"HTTP","http":{"port":80,"scheme":"ftp"}})"),
               Catch::Contains("Unsupported HTTP health check scheme"));
    CHECK_THAT(why(R"({"type":"HTTP","http":{"port":80,"path":"up"}})"),
               Catch::Contains("must start with '/'"));
    CHECK_THAT(why(R"({"type":"HTTP","http":{"port":80,"path":"/ HTTP/1.1\r\nA: b"}})"),
               Catch::Contains("must start with '/'"));
    CHECK_THAT(why(R"({"type":"TCP","tcp":{"port":80},"delay_seconds":-1})"),
               Catch::Contains("'delay_seconds' to be non-negative"));
    CHECK_THAT(why(R"({"type":"COMMAND","command":{"shell":true}})"),
               Catch::Contains("'shell command'"));
    CHECK_THAT(task(R"("command":{"value":"a"},"container":{"type":"DOCKER","docker":
        {"image":"a","network":"NONE"}},"health_check":{"type":"TCP","tcp":{"port":80}})")
                   .invalid,
               Catch::Contains("without a network"));
}

TEST_CASE("commands name their process as Mesos has it") {
    CHECK(task(R"("command":{"value":"echo hi"})").spec.command == CommandKind::Shell);
    CHECK(task(R"("command":{"value":"echo hi"})").spec.shell == "echo hi");
    CHECK(task(R"("command":{"value":"echo hi"})").spec.image == "");
    CHECK(task(docker("")).spec.command == CommandKind::Image);
    CHECK(task(R"("container":{"type":"DOCKER","docker":{"image":"nginx"}})").invalid == "");
    CHECK(task(R"("command":{"shell":false,"arguments":["a"]})").spec.args ==
          std::vector<std::string>{"a"});
    CHECK_THAT(task(R"("command":{"shell":true})").invalid,
               Catch::Contains("Shell specified but no command value"));
    CHECK_THAT(task(R"("name2":1)").invalid, Catch::Contains("CommandInfo"));
}

TEST_CASE("networks are Mesos's four, and Mesos containers may name a Docker image") {
    CHECK(task(docker("")).spec.network == NetworkMode::Host);
    CHECK(task(docker("")).host_ports == std::vector<std::uint16_t>{31002, 31003, 31000});
    CHECK(task(docker("")).spec.ports.size() == 3);
    CHECK(task(docker(R"(,"network":"NONE")")).spec.network == NetworkMode::None);
    CHECK_THAT(task(docker(R"(,"network":"USER")")).invalid, Catch::Contains("network_infos"));
    CHECK_THAT(task(docker(R"(,"network":"WEAVE")")).invalid, Catch::Contains("'WEAVE'"));
    const auto user = task(R"("container":{"type":"DOCKER","docker":{"image":"i","network":"USER"},
        "network_infos":[{"name":null},{"name":"blue"}]})");
    CHECK(user.spec.network == NetworkMode::User);
    CHECK(user.spec.network_name == "blue");
    const auto mesos = task(R"("container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER",
        "docker":{"name":"nginx"}}}})");
    CHECK(mesos.invalid == "");
    CHECK(mesos.spec.image == "nginx");
}

TEST_CASE("what Methos cannot do is said of the task, and the call goes on") {
    const auto invalid = [](const std::string& fields) { return task(fields).invalid; };
    CHECK_THAT(invalid(R"("executor":{"executor_id":{"value":"e"},"command":{"value":"x"}})"),
               Catch::Contains("Custom executors are not supported"));
    CHECK(invalid(true_command + R"(,"executor":{"type":"DEFAULT","executor_id":{"value":"e"}})") ==
          "");
    CHECK_THAT(invalid(R"("command":{"value":"x","environment":{"variables":[{"name":"S",
        "type":"SECRET","secret":{}}]}})"),
               Catch::Contains("secret"));
    CHECK_THAT(invalid(docker(R"(,"network":"BRIDGE","port_mappings":[{"host_port":31009,
        "container_port":80}])")),
               Catch::Contains("Port [ 31009 ]"));
    CHECK_THAT(invalid(docker(R"(,"network":"BRIDGE","port_mappings":[{"host_port":0,
        "container_port":80}])")),
               Catch::Contains("from 1 to 65535"));
    CHECK_THAT(invalid(docker(R"(,"port_mappings":[{"host_port":31000,"container_port":80}])")),
               Catch::Contains("only supported for bridge"));
    CHECK_THAT(invalid(R"("container":{"type":"DOCKER","docker":{"image":"i"},
        "volumes":[{"mode":"RW","container_path":"/c","host_path":"relative"}]})"),
               Catch::Contains("not an absolute path"));
    CHECK_THAT(invalid(R"("container":{"type":"DOCKER","docker":{"image":"i"},
        "volumes":[{"mode":"RW","container_path":"/c","source":{"type":"SECRET","secret":{}}}]})"),
               Catch::Contains("of a kind"));
    CHECK_THAT(invalid(R"("container":{"type":"ROCKET"})"), Catch::Contains("'ROCKET'"));

    const auto with = [](const std::string& list) {
        return read<Accept>(launch(true_command + R"(,"resources":)" + list))
            .launches.at(0)
            .invalid;
    };
    CHECK_THAT(with("null"), Catch::Contains("Task uses no resources"));
    CHECK_THAT(with(R"([{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}])"),
               Catch::Contains("cpus"));
    CHECK_THAT(with(R"([{"name":"gpus","type":"SCALAR","scalar":{"value":0.5}}])"),
               Catch::Contains("whole number"));
    CHECK_THAT(with(R"([{"name":"tapes","type":"SCALAR","scalar":{"value":1}}])"),
               Catch::Contains("'tapes'"));
    CHECK_THAT(with(R"([{"name":"ports","type":"RANGES","ranges":{"range":
        [{"begin":1,"end":9223372036854775807}]}}])"),
               Catch::Contains("ports must be"));

    CHECK_THAT(task(docker("") + R"(,"labels":{"labels":[{"key":"k","value":")" +
                    std::string(task_info_bytes_max, 'x') + R"("}]})")
                   .invalid,
               Catch::Contains("TaskInfo is larger"));
    const auto group = read<Accept>(R"({"framework_id":{"value":"F"},"type":"ACCEPT","accept":{
        "offer_ids":[{"value":"1-O1"}],"operations":[{"type":"LAUNCH_GROUP","launch_group":{
        "executor":{"type":"DEFAULT"},"task_group":{"tasks":[{"name":"a","task_id":{"value":"a"},
        "agent_id":{"value":"H"},"resources":[],"command":{"value":"x"}}]}}}]}})");
    CHECK(group.launches.at(0).of_group);
    CHECK_THAT(group.launches.at(0).invalid, Catch::Contains("LAUNCH_GROUP"));
}

TEST_CASE("a resource that comes for several roles is one amount") {
    const auto read_task = read<Accept>(launch(true_command + R"(,"resources":[
        {"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"role":"*"},
        {"name":"cpus","type":"SCALAR","scalar":{"value":0.2},"role":"ads"},
        {"name":"disk","type":"SCALAR","scalar":{"value":1}}])"))
                               .launches.at(0);
    CHECK(read_task.invalid == "");
    CHECK(read_task.spec.resources.milli_cpus == 300);
    CHECK(read_task.spec.resources.disk_bytes == bytes_per_mb);
}

TEST_CASE("an offer id has one spelling and one epoch") {
    CHECK(offer_id(7, OfferNumber(12)) == "7-O12");
    CHECK(parse_offer_id(7, "7-O12") == OfferNumber(12));
    for (const auto* text : {"",
                             "6-O12",
                             "7-O012",
                             "7-O",
                             "7-O-1",
                             "7-O0",
                             "7-O12 ",
                             "7-o12",
                             "7-O99999999999999999999"}) {
        CHECK_FALSE(parse_offer_id(7, text));
    }
}
