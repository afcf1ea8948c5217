// From a task to its container and back: commands, ports, labels, docker parameters, and what the
// host's policy refuses.
#include "executor/checks/check_label.hpp"
#include "executor/tasks/container_plan.hpp"

#include "executor/fetch/sandbox_names.hpp"
#include "executor/tasks/labels.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace methos::executor {

namespace fs = std::filesystem;

TEST_CASE("what gives access to Docker or containerd may not be mounted") {
    Policy policy;
    policy.forbidden_paths = forbidden_host_paths("/srv/x/docker.sock", "/srv/docker");
    const auto* path = GENERATE("/srv/x",
                                "/srv/docker/volumes",
                                "/run/containerd",
                                "/run/containerd/containerd.sock",
                                "/var/run/containerd",
                                "/run",
                                "/run/docker/containerd",
                                "/var/lib/methos/executor/host.key");
    CHECK_FALSE(check_host_path(policy, path));
    CHECK(check_host_path(policy, "/srv/data"));
}

TEST_CASE("a row of the list stands in for an inspect that Docker cannot give") {
    docker::ContainerSummary row;
    row.id = "c1";
    row.status = docker::ContainerStatus::Exited;
    row.exit_code = 137;
    row.labels = {{label::task, "demo.1"}, {label::host, "h1"}, {label::attempt, "4"}};
    const auto facts = facts_of(row);
    CHECK(facts.id == "c1");
    CHECK(facts.status == ContainerFacts::Status::Exited);
    CHECK(facts.exit_code == 137);
    CHECK(facts.task == "demo.1");
    CHECK(facts.host == "h1");
    CHECK(facts.attempt == 4);
}

namespace {

TaskSpec some_spec() {
    TaskSpec spec;
    spec.framework = "services";
    spec.app = "/demo";
    spec.hash = "abc";
    spec.network = NetworkMode::Bridge;
    return spec;
}

TaskLaunch some_launch() {
    TaskLaunch launch;
    launch.name = TaskName("demo.1");
    launch.attempt = 2;
    launch.env = {{"PORT0", "31000"}};
    return launch;
}

PlanContext some_host() {
    PlanContext context;
    context.host = "h1";
    context.cluster = "c1";
    context.policy.forbidden_paths = {"/srv/x/docker.sock", "/srv/docker"};
    return context;
}

} // namespace

TEST_CASE("a command is a shell's, the image's, or arguments to its entrypoint") {
    auto spec = some_spec();
    CHECK_FALSE(plan_container(spec, some_launch(), some_host())->entrypoint);
    spec.command = CommandKind::Shell;
    spec.shell = "echo $A";
    const auto shell = plan_container(spec, some_launch(), some_host());
    CHECK(*shell->entrypoint == std::vector<std::string>{"/bin/sh", "-c"});
    CHECK(shell->command == std::vector<std::string>{"echo $A"});
    spec.command = CommandKind::Args;
    spec.args = {"-v"};
    const auto args = plan_container(spec, some_launch(), some_host());
    CHECK_FALSE(args->entrypoint);
    CHECK(args->command == std::vector<std::string>{"-v"});
}

TEST_CASE("ports are published per protocol, and read back as the Engine published them") {
    auto spec = some_spec();
    spec.ports = {{80, "tcp", ""}, {0, "udp", ""}, {53, "udp,tcp", ""}};
    auto launch = some_launch();
    launch.host_ports = {31000, 31001, 31002};
    const auto config = plan_container(spec, launch, some_host());
    REQUIRE(config->ports.size() == 4);
    CHECK(config->ports[1].container_port == 31001);
    CHECK(config->ports[1].transport == docker::Transport::Udp);

    docker::ContainerState state;
    state.labels = config->labels;
    state.ports = {{80, docker::Transport::Tcp, 49153, "0.0.0.0"}};
    const auto facts = facts_of(state);
    CHECK(facts.host_ports == std::vector<std::uint16_t>{49153, 31001, 31002});
    CHECK(facts.task == "demo.1");
    CHECK(facts.host == "h1");
    CHECK(facts.attempt == 2);
    CHECK(facts.spec_hash == "abc");

    spec.network = NetworkMode::Host;
    CHECK(plan_container(spec, launch, some_host())->ports.empty());
}

TEST_CASE("cpus are a hard limit where the executor says so, as far as Docker takes one") {
    auto spec = some_spec();
    auto host = some_host();
    spec.resources.milli_cpus = 500;
    CHECK(plan_container(spec, some_launch(), host)->cpu_milli == 500);
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 0);
    host.limit_cpus = true;
    CHECK(plan_container(spec, some_launch(), host)->cpu_milli == 500);
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 500);
    spec.resources.milli_cpus = 1; // Docker takes no limit under 0.01
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 10);
    host.cpus = 2;
    spec.resources.milli_cpus = 2000;
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 2000);
    spec.resources.milli_cpus = 2001; // nor one over what it has, which limits enough
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 0);
    spec.resources.milli_cpus = 0;
    CHECK(plan_container(spec, some_launch(), host)->cpu_limit_milli == 0);
}

TEST_CASE("our labels win over the user's") {
    auto spec = some_spec();
    spec.labels = {{"io.methos.host", "evil"}, {"MESOS_TASK_ID", "evil"}, {"team", "a"}};
    spec.docker_parameters = {{"label", "MESOS_TASK_ID=evil"}, {"label", "x=y"}};
    const auto labels = plan_container(spec, some_launch(), some_host())->labels;
    CHECK(labels.at(label::host) == "h1");
    CHECK(labels.at(label::mesos_task_id) == "demo.1");
    CHECK(labels.at("team") == "a");
    CHECK(labels.at("x") == "y");
}

/// As version 1 of the labels was written first. A container may outlive many executors: do not
/// change what is here, add to it.
docker::Labels labels_of_the_first_version() {
    return {
        {"io.methos.v", "1"},
        {"io.methos.cluster", "c1"},
        {"io.methos.cluster-key", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"},
        {"io.methos.host", "0123456789abcdef0123456789abcdef"},
        {"io.methos.task", "demo.1"},
        {"io.methos.attempt", "3"},
        {"io.methos.framework", "services"},
        {"io.methos.app", "/shop/demo"},
        {"io.methos.spec-hash", "abc"},
        {"io.methos.request", "r1"},
        {"MESOS_TASK_ID", "demo.1"},
        {"io.methos.ports", "31000:80/tcp,31001:0/udp"},
        {"io.methos.kill-grace-ms", "2500"},
        {"io.methos.health-checks",
         R"({"checks":[{"delayMs":0,"failuresMax":3,"graceMs":300000,"ignore1xx":false,)"
         R"("intervalMs":60000,"ipv6":false,"kind":"http","path":"/up","port":80,)"
         R"("timeoutMs":20000}],"hostNetwork":false})"},
    };
}

TEST_CASE("a container of an older executor is read as it was meant") {
    docker::ContainerState state;
    state.id = "c1";
    state.status = docker::ContainerStatus::Running;
    state.labels = labels_of_the_first_version();
    const bool is_from_a_newer_one = GENERATE(false, true);
    if (is_from_a_newer_one) { // that has been replaced by an older one again
        state.labels["io.methos.colour"] = "blue";
        state.labels["io.methos.v"] = "2";
    }
    const auto facts = facts_of(state);
    CHECK(facts.task == "demo.1");
    CHECK(facts.host == "0123456789abcdef0123456789abcdef");
    CHECK(facts.app == "/shop/demo");
    CHECK(facts.attempt == 3);
    CHECK(facts.spec_hash == "abc");
    CHECK(facts.kill_grace == Duration(std::chrono::milliseconds(2500)));
    CHECK(facts.host_ports == std::vector<std::uint16_t>{31000, 31001});
    const auto settled = parse_health_label(facts.health_checks);
    REQUIRE(settled);
    REQUIRE(settled->checks.size() == 1);
    CHECK(settled->checks[0].kind == ProbeKind::Http);
    CHECK(settled->checks[0].path == "/up");
    CHECK(settled->checks[0].port == 80);
    CHECK(settled->checks[0].interval == std::chrono::minutes(1));
}

TEST_CASE("the labels that older executors read are still written") {
    auto spec = some_spec();
    spec.ports = {{80, "tcp", ""}};
    auto launch = some_launch();
    launch.host_ports = {31000};
    const auto labels = plan_container(spec, launch, some_host())->labels;
    for (const auto& [key, value] : labels_of_the_first_version()) {
        INFO(key);
        CHECK(labels.contains(key));
    }
    CHECK(labels.at("io.methos.ports") == "31000:80/tcp");
}

TEST_CASE("no label of ours is left to the image") {
    auto spec = some_spec();
    spec.app.clear();
    const auto labels = plan_container(spec, some_launch(), some_host())->labels;
    const std::array read_back{label::cluster,
                               label::cluster_key,
                               label::host,
                               label::task,
                               label::attempt,
                               label::app,
                               label::spec_hash,
                               label::ports,
                               label::kill_grace_ms,
                               label::health_checks};
    for (const auto* key : read_back) {
        INFO(key);
        CHECK(labels.contains(key));
    }
    CHECK(labels.at(label::health_checks).empty());
    docker::ContainerConfig config;
    set_image(config, "sha256:a");
    CHECK(config.image == "sha256:a");
    CHECK(config.labels.at(label::image) == "sha256:a");
}

TEST_CASE("labels that would burst the Engine's events are refused") {
    auto spec = some_spec();
    const std::string large(60'000, '<');
    spec.labels = {{"a", large}};
    CHECK(plan_container(spec, some_launch(), some_host()));
    SECTION("with those of the definition") {
        spec.labels["b"] = large;
    }
    SECTION("with those of docker's parameters") {
        spec.docker_parameters = {{"label", "b=" + large}};
    }
    const auto planned = plan_container(spec, some_launch(), some_host());
    REQUIRE_FALSE(planned);
    CHECK(planned.error().code == Code::InvalidInput);
}

TEST_CASE("tasks whose names are made legal alike have sandboxes of their own") {
    const auto of = [](const std::string& name) { return sandbox_name_of(TaskName(name)); };
    CHECK(of("a_b") == "methos-a_b");
    CHECK(of("a_b").find_first_of("/") == std::string::npos);
    CHECK(std::set{of("a:b"), of("a b"), of("a_b"), of("a/b")}.size() == 4);
    CHECK(of(std::string(300, 'x')) != of(std::string(301, 'x')));
    CHECK(of(std::string(5000, ':')).size() < 256);
    CHECK(of("a/b") == of("a/b"));
}

TEST_CASE("docker parameters are applied, refused by policy, or unknown") {
    struct Row {
        const char* key;
        const char* value;
        std::optional<Code> refused;
    };

    const auto row = GENERATE(Row{"ulimit", "nofile=1024:2048", std::nullopt},
                              Row{"shm-size", "64m", std::nullopt},
                              Row{"init", "false", std::nullopt},
                              Row{"add-host", "db:10.0.0.1", std::nullopt},
                              Row{"volume", "/srv/data:/data:ro", std::nullopt},
                              Row{"ulimit", "nofile", Code::InvalidInput},
                              Row{"shm-size", "much", Code::InvalidInput},
                              Row{"volume", "/srv/docker/x:/data", Code::Forbidden},
                              Row{"privileged", "true", Code::Forbidden},
                              Row{"cap-add", "SYS_ADMIN", Code::Forbidden},
                              Row{"label", "io.methos.host=x", Code::InvalidInput},
                              Row{"no-such-flag", "1", Code::InvalidInput});
    auto spec = some_spec();
    spec.docker_parameters = {{row.key, row.value}};
    const auto planned = plan_container(spec, some_launch(), some_host());
    INFO(row.key << "=" << row.value);
    if (row.refused) {
        REQUIRE_FALSE(planned);
        CHECK(planned.error().code == *row.refused);
        CHECK(planned.error().to_string().find(row.key) != std::string::npos);
    } else {
        CHECK(planned);
    }
}

TEST_CASE("host paths that hand out the host are refused") {
    struct Row {
        const char* path;
        bool allowed;
    };

    const auto row = GENERATE(Row{"/", false},
                              Row{"//", false},
                              Row{"/srv/..", false},
                              Row{"/srv", false},
                              Row{"/srv/docker", false},
                              Row{"/srv/docker/", false},
                              Row{"/srv/docker/volumes/a", false},
                              Row{"/srv/x/docker.sock", false},
                              Row{"/srv/x", false},
                              Row{"/srv/./x/../x/docker.sock", false},
                              Row{"/srv/dockerish", true},
                              Row{"/srv/data", true});
    INFO(row.path);
    CHECK(check_host_path(some_host().policy, row.path).has_value() == row.allowed);
}

namespace {

/// A host with Docker's root and socket, where a task has been free to make links.
struct Linked {
    Linked() {
        fs::create_directories(folder.file("docker/volumes"));
        fs::create_directories(folder.file("data/real"));
        link("/", "all");
        link(folder.file("docker"), "store");
        link("real", "fine");
        link("loop", "loop");
        link("nothing", "dangling");
        policy.forbidden_paths = {folder.file("docker")};
    }

    void link(const std::string& to, const std::string& name) const {
        fs::create_symlink(to, folder.file("data/" + name));
    }

    /// The same place for dockerd, which cleans the text, and too long for the kernel.
    [[nodiscard]] std::string longer(const std::string& name) const {
        std::string path = folder.file("data");
        for (int i = 0; i < 2100; ++i) {
            path += "/.";
        }
        return path + "/" + name;
    }

    methos::test::TemporaryFolder folder;
    Policy policy;
};

} // namespace

TEST_CASE("a host path is judged by where it leads, or refused") {
    const Linked host;
    const auto data = host.folder.file("data");
    const std::vector<std::string> paths = {
        data + "/all",
        data + "/all/./",
        data + "/store",
        data + "/store/volumes/new",
        data + "/loop",
        data + "/loop/x",
        data + "/dangling",
        data + "/dangling/x",
        data + "/nowhere/../store", // dockerd cleans it before it follows links
        data + "/nowhere/../all/etc/..",
        data + std::string("/fine\0/x", 8),
        host.longer("real"),
        host.longer("store"),
    };
    for (const auto& path : paths) {
        INFO(path.substr(0, 100));
        const auto real = resolve_host_path(host.policy, path);
        REQUIRE_FALSE(real);
        CHECK(real.error().code == Code::Forbidden);
        CHECK(real.error().to_string().size() < 1000);
    }
}

TEST_CASE("of a host path that is allowed there is the place it leads to") {
    const Linked host;
    const auto real = fs::canonical(host.folder.file("data/real")).string();
    const auto at = [&host](const std::string& inner) {
        return resolve_host_path(host.policy, host.folder.file("data/" + inner)).value();
    };
    CHECK(at("./fine/") == real);
    CHECK(at("fine/new/one") == real + "/new/one");
    CHECK(at("nowhere/../fine") == real);
}

TEST_CASE("privileged is refused, a volume by name is none of the host's") {
    auto spec = some_spec();
    spec.volumes = {{"data", "/data", true}};
    const auto config = plan_container(spec, some_launch(), some_host());
    REQUIRE(config);
    CHECK(config->mounts.front().kind == docker::Mount::Kind::Volume);
    spec.privileged = true;
    CHECK(plan_container(spec, some_launch(), some_host()).error().code == Code::Forbidden);
}

TEST_CASE("a copy has a task's labels, and neither its image nor its name") {
    docker::ContainerSummary row;
    row.labels = {{label::task, "demo.1"}, {label::host, "h1"}, {label::image, "sha256:a"}};
    const auto task = [&row](const char* name, const char* image_id) {
        row.name = name;
        row.image_id = image_id;
        return facts_of(row).task;
    };
    CHECK(task("methos-demo.1", "sha256:a") == "demo.1");
    CHECK(task("methos-demo.1-r3", "sha256:b") == "demo.1"); // the Engine counts images otherwise
    CHECK(task("renamed", "sha256:a") == "demo.1");
    CHECK(task("quirky_hopper", "sha256:b").empty());
    CHECK(task("methos-demo.10", "sha256:b").empty());
    row.labels.erase(label::image);
    CHECK(task("quirky_hopper", "sha256:b") == "demo.1"); // an older build wrote no such label
}

TEST_CASE("labels that are not ours make no task") {
    CHECK_FALSE(identity_of({}));
    CHECK_FALSE(identity_of({{label::task, "a"}}));
    const auto odd = identity_of(
        {{label::task, "a"}, {label::host, "h"}, {label::attempt, "x"}, {label::ports, "%%"}});
    REQUIRE(odd);
    CHECK(odd->attempt == 1);
}

} // namespace methos::executor
