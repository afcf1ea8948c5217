// What people send is read as Marathon reads it: defaults, old spellings, partial updates; and what
// is wrong is answered in Marathon's shapes, all of it at once, with the place.
#include "master/frameworks/services/definition/app_parse.hpp"
#include "master/frameworks/services/definition/app_print.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>
#include <set>

using namespace methos;
using namespace methos::services;
using nlohmann::json;

namespace {

AppDefinition parsed(const std::string& text, const ParseOptions& options = {}) {
    const auto app = parse_app(text, options);
    INFO(text);
    INFO((app ? std::string() : app.error().body_json));
    REQUIRE(app);
    return *app;
}

struct Refusal {
    int status;
    json body;
};

Refusal refused(const std::string& text, const ParseOptions& options = {}) {
    const auto app = parse_app(text, options);
    INFO(text);
    REQUIRE_FALSE(app);
    return {app.error().status, json::parse(app.error().body_json)};
}

/// The errors at one path of a refusal.
std::vector<std::string> errors_at(const Refusal& refusal, const std::string& path) {
    INFO(refusal.body.dump());
    for (const auto& detail : refusal.body.at("details")) {
        if (detail.at("path") == path) {
            return detail.at("errors");
        }
    }
    return {};
}

} // namespace

TEST_CASE("a small definition gets Marathon's defaults") {
    const auto app = parsed(R"({"id":"web","cmd":"sleep 1"})");
    REQUIRE(app.id.value == "/web");
    REQUIRE(app.cmd == "sleep 1");
    REQUIRE(app.instances == 1);
    REQUIRE(app.resources == Resources{1000, 128 * bytes_per_mb, 0, 0});
    REQUIRE(app.network_mode() == AppNetworkMode::Host);
    REQUIRE(app.port_definitions.size() == 1);
    REQUIRE(app.port_definitions[0].name == "default");
    REQUIRE_FALSE(app.container);
    const auto out = to_json(app);
    REQUIRE(out["cpus"].dump() == "1");
    REQUIRE(out["networks"] == json::parse(R"([{"mode":"host"}])"));
    REQUIRE(out["upgradeStrategy"] ==
            json::parse(R"({"minimumHealthCapacity":1,"maximumOverCapacity":1})"));
    REQUIRE(out["unreachableStrategy"] ==
            json::parse(R"({"inactiveAfterSeconds":0,"expungeAfterSeconds":0})"));
    REQUIRE(out["maxLaunchDelaySeconds"] == 300);
    REQUIRE(out["backoffFactor"] == 1.15);
    REQUIRE(out["killSelection"] == "YOUNGEST_FIRST");
    for (const char* absent :
         {"container", "args", "user", "acceptedResourceRoles", "ports", "uris"}) {
        CAPTURE(absent);
        REQUIRE_FALSE(out.contains(absent));
    }
}

TEST_CASE("a strict client finds no field that it does not know") {
    // marathon-python's list (reference, section 3).
    const std::set<std::string> known{"acceptedResourceRoles",
                                      "args",
                                      "backoffFactor",
                                      "backoffSeconds",
                                      "cmd",
                                      "constraints",
                                      "container",
                                      "cpus",
                                      "dependencies",
                                      "disk",
                                      "env",
                                      "executor",
                                      "healthChecks",
                                      "id",
                                      "role",
                                      "instances",
                                      "killSelection",
                                      "labels",
                                      "maxLaunchDelaySeconds",
                                      "mem",
                                      "ports",
                                      "requirePorts",
                                      "storeUrls",
                                      "taskRateLimit",
                                      "taskKillGracePeriodSeconds",
                                      "upgradeStrategy",
                                      "unreachableStrategy",
                                      "uris",
                                      "user",
                                      "ipAddress",
                                      "fetch",
                                      "readinessChecks",
                                      "secrets",
                                      "portDefinitions",
                                      "residency",
                                      "gpus",
                                      "networks"};
    const auto app = parsed(R"({"id":"/a","cmd":"x","user":"u","taskKillGracePeriodSeconds":3,
        "acceptedResourceRoles":["*"],"priority":5,"autoscale":{"min":1},"unknown":1})");
    const auto out = to_json(app);
    for (const auto& [name, value] : out.items()) {
        CAPTURE(name);
        REQUIRE(known.contains(name));
    }
    const auto shown = to_json(app, Extensions::Shown);
    REQUIRE(shown["priority"] == 5);
    REQUIRE(shown["autoscale"]["min"] == 1);
    REQUIRE_FALSE(shown.contains("unknown"));
}

TEST_CASE("old spellings mean what new ones do") {
    const auto [old_text, new_text] = GENERATE(table<std::string, std::string>({
        {R"({"id":"/a","cmd":"x","ports":[8080,0]})",
         R"({"id":"/a","cmd":"x","portDefinitions":[{"port":8080},{"port":0}]})"},
        {R"({"id":"/a","cmd":"x","uris":["http://h/f.tgz"]})",
         R"({"id":"/a","cmd":"x","fetch":[{"uri":"http://h/f.tgz"}]})"},
        {R"({"id":"/a","cmd":"x","uris":["http://h/f.gz","f.tar.bz2"],"fetch":[]})",
         R"({"id":"/a","cmd":"x","uris":[],
             "fetch":[{"uri":"http://h/f.gz","extract":false},{"uri":"f.tar.bz2"}]})"},
        {R"({"id":"/a","container":{"docker":{"image":"i","network":"BRIDGE",
             "portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp"}]}},"ports":[10001]})",
         R"({"id":"/a","container":{"type":"DOCKER","docker":{"image":"i"},
             "portMappings":[{"containerPort":80}]},"networks":[{"mode":"container/bridge"}]})"},
        {R"({"id":"/a","container":{"docker":{"image":"i","network":"HOST","portMappings":[]}}})",
         R"({"id":"/a","container":{"docker":{"image":"i"}}})"},
        {R"({"id":"/a","container":{"docker":{"image":"i","network":"NONE"}}})",
         R"({"id":"/a","container":{"docker":{"image":"i"}},
             "networks":[{"mode":"container","name":"none"}]})"},
        {R"({"id":"/a","container":{"docker":{"image":"i","network":"USER"}},
             "ipAddress":{"networkName":"blue","discovery":{"ports":[{"number":80,"name":"w"}]}}})",
         R"({"id":"/a","container":{"docker":{"image":"i"},
             "portMappings":[{"containerPort":80,"name":"w"}]},
             "networks":[{"mode":"container","name":"blue"}]})"},
        {R"({"id":"/a","cmd":"x","args":null,"container":null,"ipAddress":null,"uris":null,"mem":null})",
         R"({"id":"/a","cmd":"x"})"},
        {R"({"id":"/a","cmd":"x","constraints":[["hostname","UNIQUE",""]]})",
         R"({"id":"/a","cmd":"x","constraints":[["hostname","UNIQUE"]]})"},
        {R"({"id":"/a","cmd":"x","ports":[1],"portDefinitions":[{"port":1}]})",
         R"({"id":"/a","cmd":"x","portDefinitions":[{"port":1}]})"},
    }));
    CAPTURE(old_text);
    REQUIRE(stored_text(parsed(old_text)) == stored_text(parsed(new_text)));
}

TEST_CASE("what is to be fetched is answered with Marathon's defaults") {
    const auto app = parsed(R"({"id":"/a","cmd":"x","fetch":[{"uri":"http://h/a.tgz"},
        {"uri":"http://h/run","destPath":"bin/run","extract":false,"executable":true,
         "cache":true}]})");
    REQUIRE(to_json(app)["fetch"] == nlohmann::json::parse(R"([
        {"uri":"http://h/a.tgz","extract":true,"executable":false,"cache":false},
        {"uri":"http://h/run","destPath":"bin/run","extract":false,"executable":true,
         "cache":true}])"));
    REQUIRE(app.fetch == std::vector<FetchItem>{{"http://h/a.tgz", "", true, false, false},
                                                {"http://h/run", "bin/run", false, true, true}});
    const auto wrong = refused(R"({"id":"/a","cmd":"x","fetch":[{"uri":"u","extract":"no"}]})");
    REQUIRE_FALSE(errors_at(wrong, "/fetch(0)/extract").empty());
}

TEST_CASE("an app behind a network has mappings and no port definitions") {
    const auto bridged = parsed(
        R"({"id":"/a","container":{"docker":{"image":"i"}},"networks":[{"mode":"container/bridge"}]})");
    REQUIRE(bridged.port_definitions.empty());
    REQUIRE(bridged.container->port_mappings.size() == 1);
    REQUIRE(bridged.container->port_mappings[0].host_port == 0);
    REQUIRE(to_json(bridged)["container"]["portMappings"][0]["hostPort"] == 0);
    const auto own = parsed(
        R"({"id":"/a","container":{"docker":{"image":"i"},"portMappings":[{"containerPort":80}]},
            "networks":[{"mode":"container","name":"blue"}]})");
    REQUIRE_FALSE(own.container->port_mappings[0].host_port);
}

TEST_CASE("relative paths are made absolute") {
    const auto [path, parent, absolute] = GENERATE(table<std::string, std::string, std::string>({
        {"a", "/", "/a"},
        {"/a", "/grp", "/a"},
        {"a", "/grp", "/grp/a"},
        {"../a", "/grp/sub", "/grp/a"},
        {"../../../a", "/grp", "/a"},
        {"./a/./b", "/", "/a/b"},
        {"//a//b/", "/", "/a/b"},
        {"", "/", "/"},
    }));
    REQUIRE(absolute_path(path, parent) == absolute);
    const auto app = parsed(R"({"id":"/grp/a","cmd":"x","dependencies":["b","../c","/d"]})");
    REQUIRE(app.dependencies == std::vector{AppId("/grp/b"), AppId("/c"), AppId("/d")});
    ParseOptions by_path;
    by_path.id = "//from/path";
    REQUIRE(parsed(R"({"id":"/other","cmd":"x"})", by_path).id.value == "/from/path");
    REQUIRE(parsed(R"({"cmd":"x"})", by_path).id.value == "/from/path");
}

TEST_CASE("legal and illegal ids are told apart") {
    for (const char* good : {"/a", "/a/b-c.d/0", "/a.b.c"}) {
        CAPTURE(good);
        REQUIRE(valid_app_path(good));
    }
    for (const char* bad :
         {"/", "", "a", "/A", "/a_b", "/-a", "/a-", "/a..b", "/.a", "/a b", "/a/b-/c"}) {
        CAPTURE(bad);
        REQUIRE_FALSE(valid_app_path(bad));
    }
    REQUIRE_FALSE(valid_app_path("/" + std::string(2000, 'a')));
}

TEST_CASE("malformed JSON is a 400 with the parser's words") {
    for (const char* text :
         {"", "{", "[1,", "{\"id\":\"\xff\"}", "{\"cpus\":1e999}", "nonsense", "{}{}"}) {
        const auto refusal = refused(text);
        REQUIRE(refusal.status == 400);
        REQUIRE(refusal.body["message"] == "Invalid JSON");
        REQUIRE(refusal.body["details"].is_string());
    }
    const auto deep =
        refused("{\"hostConfig\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}");
    REQUIRE(deep.status == 400);
}

TEST_CASE("wrong types are all reported, each with its place") {
    const auto refusal = refused(R"({"id":7,"cmd":["x"],"cpus":"1","instances":1.5,"args":"a",
        "env":{"A":1},"labels":[],"requirePorts":1,"container":{"docker":{},"volumes":[3]},
        "healthChecks":[{"protocol":"SMTP"}],"killSelection":"RANDOM","networks":[{"mode":"x"}],
        "constraints":["hostname"],"fetch":[{}],"portDefinitions":[{"port":"a"}]})");
    REQUIRE(refusal.status == 422);
    REQUIRE(refusal.body["message"] == "Invalid JSON");
    using Errors = std::vector<std::string>;
    REQUIRE(errors_at(refusal, "/id") == Errors{"error.expected.jsstring"});
    REQUIRE(errors_at(refusal, "/cmd") == Errors{"error.expected.jsstring"});
    REQUIRE(errors_at(refusal, "/cpus") == Errors{"error.expected.jsnumber"});
    REQUIRE(errors_at(refusal, "/instances") == Errors{"error.expected.int"});
    REQUIRE(errors_at(refusal, "/args") == Errors{"error.expected.jsarray"});
    REQUIRE(errors_at(refusal, "/env/A") == Errors{"error.expected.jsstring"});
    REQUIRE(errors_at(refusal, "/labels") == Errors{"error.expected.jsobject"});
    REQUIRE(errors_at(refusal, "/requirePorts") == Errors{"error.expected.jsboolean"});
    REQUIRE(errors_at(refusal, "/container/docker/image") == Errors{"error.path.missing"});
    REQUIRE(errors_at(refusal, "/container/volumes(0)").front() == "error.expected.jsobject");
    REQUIRE_FALSE(errors_at(refusal, "/healthChecks(0)/protocol").empty());
    REQUIRE_FALSE(errors_at(refusal, "/killSelection").empty());
    REQUIRE_FALSE(errors_at(refusal, "/networks(0)/mode").empty());
    REQUIRE(errors_at(refusal, "/constraints(0)") == Errors{"error.expected.jsarray"});
    REQUIRE(errors_at(refusal, "/fetch(0)/uri") == Errors{"error.path.missing"});
    REQUIRE(errors_at(refusal, "/portDefinitions(0)/port") == Errors{"error.expected.jsnumber"});
    REQUIRE(errors_at(refused("[]"), "/") == Errors{"error.expected.jsobject"});
    REQUIRE(errors_at(refused(R"({"cmd":"x"})"), "/id") == Errors{"error.path.missing"});
}

TEST_CASE("broken rules are reported in Marathon's words") {
    const auto [fields, path, message] = GENERATE(table<std::string, std::string, std::string>({
        {R"("id":"/A b","cmd":"x")", "/id", "must fully match regular expression"},
        {R"("id":"/a")", "/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a"},
        {R"("cmd":"x","args":["y"])", "/", "AppDefinition must either contain one of"},
        {R"("cmd":"x","cpus":0)", "/cpus", "expected 0.001 or more"},
        {R"("cmd":"x","cpus":-1)", "/cpus", "cpus must be a number"},
        {R"("cmd":"x","mem":-1)", "/mem", "must be a number"},
        {R"("cmd":"x","instances":-1)", "/instances", "got -1, expected 0 or more"},
        {R"("cmd":"x","upgradeStrategy":{"minimumHealthCapacity":1.1})",
         "/upgradeStrategy/minimumHealthCapacity",
         "is greater than 1"},
        {R"("cmd":"x","unreachableStrategy":{"inactiveAfterSeconds":2,"expungeAfterSeconds":1})",
         "/unreachableStrategy",
         "inactiveAfterSeconds (2) must be less or equal to expungeAfterSeconds, which is 1"},
        {R"("cmd":"x","portDefinitions":[{"port":1},{"port":1}])",
         "/portDefinitions",
         "Ports must be unique."},
        {R"("cmd":"x","portDefinitions":[{"name":"a"},{"name":"a"}])",
         "/portDefinitions",
         "Port names must be unique."},
        {R"("cmd":"x","portDefinitions":[{"port":65536}])",
         "/portDefinitions(0)/port",
         "expected 65535 or less"},
        {R"("cmd":"x","ports":[1],"portDefinitions":[{"port":2}])",
         "/",
         "cannot specify both ports and port definitions"},
        {R"("cmd":"x","uris":["a"],"fetch":[{"uri":"b"}])",
         "/",
         "cannot specify both uris and fetch fields"},
        {R"("cmd":"x","container":{"portMappings":[{"containerPort":1}]})",
         "/container/portMappings",
         "portMappings are not allowed with host-networking"},
        {R"("cmd":"x","networks":[{"mode":"container/bridge"}],"portDefinitions":[{"port":1}])",
         "/portDefinitions",
         "portDefinitions are only allowed with host-networking"},
        {R"("container":{"docker":{"image":"i","network":"BRIDGE"}},"networks":[{"mode":"host"}])",
         "/",
         "must not specify both container.docker.network and networks"},
        {R"("cmd":"x","networks":[{"mode":"container"}])", "/networks(0)/name", "needs a name"},
        {R"("cmd":"x","constraints":[["hostname"]])",
         "/constraints(0)",
         "Each constraint must have either 2 or 3 fields"},
        {R"("cmd":"x","constraints":[["hostname","NEAR"]])",
         "/constraints(0)",
         "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE "
         "or IS"},
        {R"("cmd":"x","constraints":[["a","UNIQUE"],["b","UNIQUE","x"]])",
         "/constraints(1)",
         "UNIQUE does not accept a value"},
        {R"("cmd":"x","constraints":[["a","LIKE"]])",
         "/constraints(0)",
         "LIKE and UNLIKE require a non-empty, regular expression value"},
        {R"("cmd":"x","constraints":[["a","MAX_PER","many"]])",
         "/constraints(0)",
         "MAX_PER requires an integer value"},
        {R"("cmd":"x","constraints":[["a","GROUP_BY","b"]])",
         "/constraints(0)",
         "GROUP BY must define an integer value or else no value at all"},
        {R"("cmd":"x","healthChecks":[{"portIndex":1}])",
         "/healthChecks(0)",
         "Health check port indices must address an element of the ports array"},
        {R"("cmd":"x","instances":2,"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"})",
         "/",
         "Single instance app may only have one instance"},
        {R"("cmd":"a\u0000b")", "/cmd", "NUL"},
        {R"("cmd":"x","env":{"A=B":"c"})", "/env/A=B", "must not be empty, nor contain '='"},
        {R"("cmd":"x","labels":{"":"y"})", "/labels/", "a name must not be empty"},
        {R"("cmd":"x","id":"/grp/tasks")",
         "/id",
         "must not end with any of the following reserved"},
        {R"("cmd":"x","id":"versions")", "/id", "must not end with any of the following reserved"},
        {R"("cmd":"x","id":"/a/restart/")",
         "/id",
         "must not end with any of the following reserved"},
        {R"("cmd":"x","dependencies":["/a"])", "/dependencies(0)", "cannot depend on itself"},
        {R"("container":{"docker":{"image":"i"},"volumes":[{"containerPath":"x","hostPath":"/y"}]})",
         "/container/volumes(0)/containerPath",
         "must be an absolute path"},
        {R"("container":{"docker":{"image":"i"},"volumes":[{"containerPath":"/x"}]})",
         "/container/volumes(0)/hostPath",
         "must be given"},
        {R"("container":{"docker":{"image":"a b"}})", "/container/docker/image", "blanks"},
    }));
    const bool has_id = fields.find("\"id\"") != std::string::npos;
    const auto refusal = refused("{" + std::string(has_id ? "" : R"("id":"/a",)") + fields + "}");
    REQUIRE(refusal.status == 422);
    REQUIRE(refusal.body["message"] == "Object is not valid");
    const auto errors = errors_at(refusal, path);
    REQUIRE(errors.size() == 1);
    REQUIRE(errors[0].find(message) != std::string::npos);
}

TEST_CASE("sizes are bounded") {
    const auto many = [](const std::string& item, int count) {
        std::string list;
        for (int i = 0; i < count; ++i) {
            list += (i == 0 ? "" : ",") + item;
        }
        return "[" + list + "]";
    };
    const std::string head = R"({"id":"/a","cmd":"x",)";
    for (const auto& text : {head + R"("user":")" + std::string(200'000, 'u') + "\"}",
                             head + R"("fetch":)" + many(R"({"uri":"a"})", 2000) + "}",
                             head + R"("hostConfig":")" + std::string(900'000, 'h') + "\"}",
                             head + R"("constraints":)" + many("1", 2000) + "}"}) {
        REQUIRE(refused(text).status == 422);
    }
    // Thousands of mistakes do not make an answer of megabytes.
    const auto wrong = refused(head + R"("constraints":)" + many("1", 1000) + "}");
    REQUIRE(wrong.body["details"].size() <= Violations::violations_max);
}

TEST_CASE("an app of an array reports its place in it") {
    ParseOptions third;
    third.path_prefix = "(2)";
    REQUIRE_FALSE(
        errors_at(refused(R"({"id":"/a","cmd":"x","cpus":0})", third), "(2)/cpus").empty());
}

TEST_CASE("a partial update replaces top-level fields and keeps the others") {
    const auto before = parsed(R"({"id":"/a","cmd":"x","cpus":2,"env":{"A":"1","B":"2"},
        "labels":{"l":"1"},"instances":3,"priority":9})");
    ParseOptions update;
    update.base = &before;
    update.id = "/a";
    SECTION("one field") {
        const auto after = parsed(R"({"instances":5})", update);
        REQUIRE(after.instances == 5);
        REQUIRE(differ_only_in_instances(before, after));
        REQUIRE(to_json(after, Extensions::Shown)["priority"] == 9);
    }
    SECTION("objects are replaced whole, nulls change nothing") {
        const auto after = parsed(R"({"env":{"C":"3"},"cpus":null})", update);
        REQUIRE(after.env == StringMap{{"C", "3"}});
        REQUIRE(after.resources == before.resources);
        REQUIRE(after.labels == before.labels);
        REQUIRE_FALSE(differ_only_in_instances(before, after));
    }
    SECTION("an empty update changes nothing") {
        REQUIRE(parsed("{}", update) == before);
    }
    SECTION("args take the place of cmd") {
        const auto after = parsed(R"({"args":["a"]})", update);
        REQUIRE_FALSE(after.cmd);
    }
    SECTION("a new network takes its kind of ports along") {
        const auto after = parsed(
            R"({"networks":[{"mode":"container/bridge"}],
                "container":{"docker":{"image":"i"},"portMappings":[{"containerPort":80}]}})",
            update);
        REQUIRE(after.port_definitions.empty());
        ParseOptions back;
        back.base = &after;
        back.id = "/a";
        const auto again = parsed(R"({"networks":[{"mode":"host"}]})", back);
        REQUIRE(again.container->port_mappings.empty());
        REQUIRE(again.port_definitions.size() == 1);
        const auto old = parsed(
            R"({"container":{"docker":{"image":"i","network":"BRIDGE"}},"ports":[0]})", update);
        REQUIRE(old.network_mode() == AppNetworkMode::Bridge);
    }
    SECTION("what was printed can be sent back") {
        auto body = to_json(before, Extensions::Shown);
        body["tasksRunning"] = 3;
        body["version"] = "2014-03-01T23:42:20.938Z";
        REQUIRE(parsed(body.dump()) == before);
    }
}

TEST_CASE("a rollback is a version alone") {
    const auto version_of = [](const char* text) { return rollback_version(json::parse(text)); };
    REQUIRE(version_of(R"({"version":"2014-03-01T23:42:20.938Z"})").value() ==
            "2014-03-01T23:42:20.938Z");
    REQUIRE(version_of(R"({"id":"/a","version":"2014-03-01T23:42:20.938Z","cmd":null})").value());
    REQUIRE_FALSE(version_of(R"({"cmd":"x"})").value());
    REQUIRE(version_of(R"({"version":"2014-03-01T23:42:20.938Z","cmd":"x"})")
                .error()
                .body_json.find("may only be combined with the 'id' field") != std::string::npos);
    REQUIRE(version_of(R"({"version":"yesterday"})").error().status == 422);
    REQUIRE(version_of(R"({"version":3})").error().status == 422);
    REQUIRE(version_of("[]").error().status == 422);
}

TEST_CASE("what is stored is read back as it was") {
    for (
        const char* text :
        {R"({"id":"/a","cmd":"x"})",
         R"({"id":"/a","cmd":"x","portDefinitions":[]})",
         R"({"id":"/g/a","args":["a","b"],"cpus":0.125,"mem":0.5,"disk":10.25,"gpus":2,"instances":0,
              "env":{"A":"1","S":{"secret":"s"}},"secrets":{"s":{"source":"x"}},
              "labels":{"k":"v"},"constraints":[["hostname","LIKE","a.*"]],"dependencies":["b"],
              "container":{"type":"DOCKER","docker":{"image":"i:1","forcePullImage":true,
                "privileged":true,"parameters":[{"key":"cap-add","value":"A"}],
                "pullConfig":{"secret":"x"}},
                "volumes":[{"containerPath":"/c","hostPath":"/h","mode":"RO"},
                           {"containerPath":"d","persistent":{"size":1},"mode":"RW"},
                           {"containerPath":"e","secret":"s"}],
                "portMappings":[{"containerPort":80,"hostPort":0,"servicePort":10000,
                  "protocol":"udp,tcp","name":"web","labels":{"a":"b"},"networkNames":["n"]},
                  {"containerPort":81}]},
              "networks":[{"mode":"container","name":"n","labels":{"x":"y"}}],
              "healthChecks":[{"portIndex":1},{"protocol":"COMMAND","command":{"value":"c"}},
                              {"protocol":"MESOS_TCP","port":80}],
              "upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0.2},
              "unreachableStrategy":"disabled","killSelection":"OLDEST_FIRST","backoffSeconds":0.5,
              "backoffFactor":2,"maxLaunchDelaySeconds":60,"taskKillGracePeriodSeconds":7,
              "user":"u","role":"r","acceptedResourceRoles":["r","*"],
              "fetch":[{"uri":"u","extract":false}],"requirePorts":true,
              "autoscale":{"min":1,"max":9},"deadlineSeconds":5,"tty":true})"}) {
        const auto app = parsed(text);
        const auto again = parse_stored(stored_text(app));
        REQUIRE(again);
        REQUIRE(*again == app);
        REQUIRE(stored_text(*again) == stored_text(app));
    }
    // Accepted by a version that had fewer rules: the master still has to start.
    REQUIRE(parse_stored(R"({"id":"/grp/tasks","cmd":"x"})"));
    REQUIRE(parse_stored("{").error().code == Code::Internal);
}
