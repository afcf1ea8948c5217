// From a definition to a launch: the spec that a host gets, the ports it needs and the environment
// that Marathon's users rely on.
#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/frameworks/services/definition/app_task.hpp"
#include "tests/support/catch.hpp"

using namespace methos;
using namespace methos::services;

namespace {

using Ports = std::vector<std::uint16_t>;
const std::string version = "2014-03-01T23:42:20.938Z";

AppDefinition parsed(const std::string& text) {
    const auto app = parse_app(text);
    INFO((app ? std::string() : app.error().body_json));
    REQUIRE(app);
    return *app;
}

TaskSpec spec_of(const std::string& text, const std::string& default_image = "") {
    const auto spec = make_task_spec(parsed(text), version, default_image);
    REQUIRE(spec);
    return *spec;
}

std::map<std::string, std::string> env_of(const std::string& text, const Ports& host_ports) {
    return instance_env(parsed(text), TaskName("a.instance-1._app.1"), "node1", host_ports);
}

} // namespace

TEST_CASE("cmd runs in a shell, args go to the entrypoint, neither runs the image as it is") {
    const auto shell = spec_of(R"({"id":"/a","cmd":"run","container":{"docker":{"image":"i"}}})");
    REQUIRE(shell.command == CommandKind::Shell);
    REQUIRE(shell.shell == "run");
    const auto args =
        spec_of(R"({"id":"/a","args":["x","y"],"container":{"docker":{"image":"i"}}})");
    REQUIRE(args.command == CommandKind::Args);
    REQUIRE(args.args == std::vector<std::string>{"x", "y"});
    REQUIRE(spec_of(R"({"id":"/a","container":{"docker":{"image":"i"}}})").command ==
            CommandKind::Image);
}

TEST_CASE("a command without an image takes the master's default, or says how to give one") {
    REQUIRE(spec_of(R"({"id":"/a","cmd":"x"})", "busybox").image == "busybox");
    REQUIRE(
        spec_of(R"({"id":"/a","cmd":"x","container":{"docker":{"image":"i"}}})", "busybox").image ==
        "i");
    const auto none = make_task_spec(parsed(R"({"id":"/a","cmd":"x"})"), version, "");
    REQUIRE_FALSE(none);
    REQUIRE(none.error().code == Code::InvalidInput);
    REQUIRE(none.error().message.find("--default-image") != std::string::npos);
}

TEST_CASE("what can never be launched is refused rather than launched without it") {
    for (const char* text :
         {R"({"id":"/a","container":{"docker":{"image":"i"},
              "volumes":[{"containerPath":"data","persistent":{"size":1}}]}})",
          R"({"id":"/a","env":{"P":{"secret":"s"}},"container":{"docker":{"image":"i"}}})"}) {
        const auto spec = make_task_spec(parsed(text), version, "");
        REQUIRE_FALSE(spec);
        REQUIRE(spec.error().code == Code::InvalidInput);
    }
}

TEST_CASE("everything of the container reaches the spec") {
    const auto spec = spec_of(R"({"id":"/g/a","cpus":0.5,"mem":64,"user":"nobody",
        "labels":{"l":"v"},"taskKillGracePeriodSeconds":3,"fetch":[{"uri":"http://h/f"}],
        "container":{"docker":{"image":"i","forcePullImage":true,"privileged":true,
          "parameters":[{"key":"cap-add","value":"NET_ADMIN"}]},
          "volumes":[{"containerPath":"/c","hostPath":"/h","mode":"RO"}]}})");
    REQUIRE(spec.framework == "services");
    REQUIRE(spec.app == "/g/a");
    REQUIRE(spec.version == version);
    REQUIRE(spec.force_pull);
    REQUIRE(spec.privileged);
    REQUIRE(spec.docker_parameters ==
            std::vector<std::pair<std::string, std::string>>{{"cap-add", "NET_ADMIN"}});
    REQUIRE(spec.volumes == std::vector<VolumeMount>{{"/h", "/c", true}});
    REQUIRE(spec.fetch == std::vector<FetchItem>{{"http://h/f", "", true, false, false}});
    REQUIRE(spec.labels.at("l") == "v");
    REQUIRE(spec.user == "nobody");
    REQUIRE(spec.kill_grace == std::chrono::seconds(3));
    REQUIRE(spec.resources == Resources{500, 64 * bytes_per_mb, 0, 0});
    REQUIRE_FALSE(spec.hash.empty());
    REQUIRE(spec.hash != spec_of(R"({"id":"/g/a","container":{"docker":{"image":"i"}}})").hash);
}

TEST_CASE("networks and ports, as the spec has them and as an offer needs them") {
    struct Case {
        const char* fields;
        NetworkMode network;
        Ports container_ports;
        Ports wanted;
    };

    const auto row = GENERATE(values<Case>({
        {R"("portDefinitions":[{"port":80},{"port":0}])", NetworkMode::Host, {0, 0}, {0, 0}},
        {R"("portDefinitions":[{"port":80},{"port":0}],"requirePorts":true)",
         NetworkMode::Host,
         {0, 0},
         {80, 0}},
        {R"("portDefinitions":[])", NetworkMode::Host, {}, {}},
        {R"("networks":[{"mode":"container/bridge"}],"container":{"docker":{"image":"i"},
            "portMappings":[{"containerPort":80},{"containerPort":81,"hostPort":31000},{}]})",
         NetworkMode::Bridge,
         {80, 81, 0},
         {0, 31000, 0}},
        {R"("networks":[{"mode":"container","name":"n"}],"container":{"docker":{"image":"i"},
            "portMappings":[{"containerPort":80},{"containerPort":81,"hostPort":0}]})",
         NetworkMode::User,
         {81},
         {0}},
        {R"("container":{"docker":{"image":"i","network":"NONE"}})", NetworkMode::None, {}, {}},
    }));
    const auto text = std::string(R"({"id":"/a","cmd":"x",)") + row.fields + "}";
    CAPTURE(text);
    const auto spec = spec_of(text, "i");
    REQUIRE(spec.network == row.network);
    Ports container_ports;
    for (const auto& port : spec.ports) {
        container_ports.push_back(port.container_port);
    }
    REQUIRE(container_ports == row.container_ports);
    REQUIRE(wanted_host_ports(parsed(text)) == row.wanted);
}

TEST_CASE("all instances see their app") {
    const auto env = spec_of(R"({"id":"/g/a","cpus":0.5,"mem":64,"cmd":"x",
        "labels":{"my.label-x":"1","a__b.-":"4","B":"2"},"env":{"OWN":"3","MARATHON_APP_ID":"mine"},
        "container":{"docker":{"image":"i:1"}}})")
                         .env;
    REQUIRE(env.at("MARATHON_APP_VERSION") == version);
    REQUIRE(env.at("MARATHON_APP_DOCKER_IMAGE") == "i:1");
    REQUIRE(env.at("MARATHON_APP_RESOURCE_CPUS") == "0.5");
    REQUIRE(env.at("MARATHON_APP_RESOURCE_MEM") == "64.0");
    REQUIRE(env.at("MARATHON_APP_RESOURCE_DISK") == "0.0");
    REQUIRE(env.at("MARATHON_APP_RESOURCE_GPUS") == "0");
    REQUIRE(env.at("MARATHON_APP_LABELS") == "B A__B_ MY_LABEL_X");
    REQUIRE(env.at("MARATHON_APP_LABEL_A__B_") == "4");
    REQUIRE(env.at("MARATHON_APP_LABEL_MY_LABEL_X") == "1");
    REQUIRE(env.at("OWN") == "3");
    REQUIRE(env.at("MARATHON_APP_ID") == "mine");
}

TEST_CASE("a label that is too long for a variable is left out") {
    const auto env_with_label = [](std::size_t key_bytes, std::size_t value_bytes) {
        return spec_of(R"({"id":"/a","cmd":"x","labels":{")" + std::string(key_bytes, 'k') +
                       R"(":")" + std::string(value_bytes, 'v') +
                       R"("},"container":{"docker":{"image":"i:1"}}})")
            .env;
    };
    REQUIRE_FALSE(env_with_label(492, 511).at("MARATHON_APP_LABELS").empty());
    REQUIRE(env_with_label(493, 1).at("MARATHON_APP_LABELS").empty());
    REQUIRE(env_with_label(1, 512).at("MARATHON_APP_LABELS").empty());
}

TEST_CASE("each instance sees itself: host networking") {
    const auto env = env_of(R"({"id":"/a","cmd":"x","env":{"PORT1":"own"},"portDefinitions":
        [{"port":8080,"name":"web-ui"},{"port":0}]})",
                            {31005, 31009});
    REQUIRE(env.at("MESOS_TASK_ID") == "a.instance-1._app.1");
    REQUIRE(env.at("HOST") == "node1");
    REQUIRE(env.at("PORT") == "31005");
    REQUIRE(env.at("PORT0") == "31005");
    REQUIRE(env.at("PORTS") == "31005,31009");
    REQUIRE(env.at("PORT_8080") == "31005");
    REQUIRE(env.at("PORT_31009") == "31009");
    REQUIRE(env.at("PORT_WEB_UI") == "31005");
    REQUIRE(env.at("PORT_WEB-UI") == "31005"); // what Marathon calls it; no shell can read it
    REQUIRE_FALSE(env.contains("PORT1"));      // the user's own stays in the spec's environment
}

TEST_CASE("each instance sees itself: behind a network") {
    const auto bridged = env_of(R"({"id":"/a","cmd":"x","networks":[{"mode":"container/bridge"}],
        "container":{"portMappings":[{"containerPort":80,"name":"http"},{"containerPort":0}]}})",
                                {31000, 31001});
    REQUIRE(bridged.at("PORT_80") == "31000");
    REQUIRE(bridged.at("PORT_HTTP") == "31000");
    REQUIRE(bridged.at("PORT_31001") == "31001");
    const auto own = env_of(R"({"id":"/a","cmd":"x","networks":[{"mode":"container","name":"n"}],
        "container":{"portMappings":[{"containerPort":80},{"containerPort":81,"hostPort":0}]}})",
                            {31000});
    REQUIRE(own.at("PORT0") == "80");
    REQUIRE(own.at("PORT1") == "31000");
    REQUIRE(own.at("PORT_80") == "80");
    REQUIRE(own.at("PORT") == "31000"); // the host's, and no port of the container's own
    REQUIRE(own.at("PORTS") == "31000");
    const auto none = env_of(R"({"id":"/a","cmd":"x","portDefinitions":[]})", {});
    REQUIRE_FALSE(none.contains("PORT"));
    REQUIRE_FALSE(none.contains("PORTS"));
}

TEST_CASE("fewer ports than the definition has are no harm") {
    const auto env = env_of(R"({"id":"/a","cmd":"x","ports":[0,0]})", {31000});
    REQUIRE(env.at("PORTS") == "31000");
}

TEST_CASE("health checks of all of Marathon's protocols become the executor's") {
    const auto check_of = [](const std::string& app, const std::string& check) {
        return spec_of(R"({"id":"/a","cmd":"x","container":{"docker":{"image":"i"})" + app +
                       R"(,"healthChecks":[)" + check + "]}")
            .health_checks.at(0);
    };
    const std::string host = R"(},"portDefinitions":[{"port":0},{"port":0}])";
    const std::string bridge = R"(,"portMappings":[{"containerPort":80,"hostPort":8080},
        {"containerPort":90,"hostPort":0}]},"networks":[{"mode":"container/bridge"}])";

    const auto plain = check_of(host, R"({"path":"up"})");
    CHECK(plain.kind == ProbeKind::Http);
    CHECK(plain.path == "/up");
    CHECK(plain.port == 0);
    CHECK(plain.port_index == 0U);
    CHECK(plain.grace == std::chrono::seconds(300));
    CHECK(plain.interval == std::chrono::seconds(60));
    CHECK(plain.timeout == std::chrono::seconds(20));
    CHECK(plain.delay == std::chrono::seconds(15));
    CHECK(plain.failures_max == 3);

    const auto https = check_of(bridge, R"({"protocol":"MESOS_HTTPS","portIndex":1,
        "ignoreHttp1xx":true,"ipProtocol":"IPv6","maxConsecutiveFailures":0,
        "intervalSeconds":0})");
    CHECK(https.kind == ProbeKind::Https);
    CHECK(https.port_index == 1U);
    CHECK(https.ignore_1xx);
    CHECK(https.ipv6);
    CHECK(https.failures_max == 0);
    CHECK(https.interval == health_interval_min);

    CHECK(check_of(bridge, R"({"protocol":"TCP","port":8080})").port == 80); // seen from outside
    CHECK(check_of(bridge, R"({"protocol":"MESOS_TCP","port":8080})").port == 8080);
    CHECK(check_of(bridge, R"({"protocol":"TCP","port":91})").kind == ProbeKind::Tcp);
    CHECK(check_of(host, R"({"protocol":"COMMAND","command":{"value":"test -f /ok"}})").command ==
          std::vector<std::string>{"/bin/sh", "-c", "test -f /ok"});
}

TEST_CASE("a port of a user network that has no host port is asked by its own number") {
    const auto spec = spec_of(R"({"id":"/a","cmd":"x","container":{"docker":{"image":"i"},
        "portMappings":[{"containerPort":70},{"containerPort":80,"hostPort":0}]},
        "networks":[{"mode":"container","name":"n"}],
        "healthChecks":[{"portIndex":0},{"portIndex":1}]})");
    CHECK(spec.health_checks.at(0).port == 70);
    CHECK(spec.health_checks.at(1).port_index == 0U); // the first of the launch's ports
}

TEST_CASE("a health check that nobody can make is refused with the definition") {
    const auto absent = make_task_spec(
        parsed(R"({"id":"/a","cmd":"x","container":{"docker":{"image":"i"}},"portDefinitions":[],
                 "healthChecks":[{"port":0}]})"),
        version,
        "");
    REQUIRE_FALSE(absent);
    CHECK(absent.error().message.find("does not have") != std::string::npos);

    const auto blank = make_task_spec(parsed(R"({"id":"/a","cmd":"x","container":
        {"docker":{"image":"i"}},"portDefinitions":[{"port":0}],"healthChecks":[{"path":"/a b"}]})"),
                                      version,
                                      "");
    REQUIRE_FALSE(blank);
    CHECK(blank.error().message.find("%20") != std::string::npos);
}
