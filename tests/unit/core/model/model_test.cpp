// Ports, resources and tasks: the rules of the values that everything is counted in.
#include "core/model/task.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <functional>

using namespace methos;

TEST_CASE("port ranges melt together and come apart") {
    PortSet ports(PortRange{100, 200});
    ports.insert(PortRange{300, 400});
    ports.insert(PortRange{201, 299});
    CHECK(format_ports(ports) == "[100-400]");
    CHECK(ports.erase(100));
    CHECK(ports.erase(400));
    CHECK(ports.erase(250));
    CHECK_FALSE(ports.erase(250));
    CHECK(format_ports(ports) == "[101-249,251-399]");
    CHECK(ports.count() == 298);
    CHECK_FALSE(ports.contains(250));
    CHECK(ports.first_from(250) == std::uint16_t{251});
    CHECK_FALSE(ports.first_from(400));
    ports.insert(std::uint16_t{250});
    CHECK(format_ports(ports) == "[101-399]");

    PortSet edge(PortRange{65535, 65535});
    edge.insert(PortRange{1, 1});
    CHECK(edge.count() == 2);
    CHECK(edge.erase(65535));
    CHECK(format_ports(edge) == "[1-1]");
}

TEST_CASE("ports read as flags write them") {
    CHECK(format_ports(*parse_ports("[31000-32000,33000]")) == "[31000-32000,33000-33000]");
    CHECK(parse_ports("31000")->count() == 1);
    CHECK(parse_ports("[]")->empty());
    for (const auto* bad : {"[", "[1", "0", "65536", "2-1", "1-", "-1", "1,", ",1", "a", "1 - 2"}) {
        INFO(bad);
        CHECK_FALSE(parse_ports(bad));
    }
}

TEST_CASE("resources at the rim are exact or refused") {
    CHECK(*milli_cpus_of(0.1) == 100);
    CHECK(*milli_cpus_of(0.0004) == 0);
    CHECK(*bytes_of_mb(0.5) == 512 * 1024);
    for (const double bad : {-0.1, std::nan(""), HUGE_VAL, 1e7}) {
        CHECK_FALSE(milli_cpus_of(bad));
    }
    CHECK_FALSE(bytes_of_mb(1e13));
    const Resources all{1000, 10, 10, 1};
    CHECK(all.contains({1000, 10, 10, 1}));
    CHECK_FALSE(all.contains({1001, 0, 0, 0}));
    CHECK_FALSE(all.contains({0, 0, 0, 2}));
    CHECK((all - Resources{0, 11, 0, 0}).negative());
}

TEST_CASE("a host's resources read as the flag writes them") {
    HostResources defaults;
    defaults.scalars.disk_bytes = 7;
    const auto read = parse_host_resources("cpus:1.5;mem:64;ports:[31000-31009];gpus:2", defaults);
    REQUIRE(read);
    CHECK(read->scalars == Resources{1500, 64LL << 20, 7, 2});
    CHECK(read->ports.count() == 10);
    for (const auto* bad :
         {"cpus", "cpus:", "cpus:-1", "cpus:nan", "cpu:1", "mem:1x", "ports:0", "gpus:1.5"}) {
        INFO(bad);
        CHECK_FALSE(parse_host_resources(bad, defaults));
    }
}

TEST_CASE("states have Mesos's names, and the terminal ones are known") {
    int terminal = 0;
    for (int state = 0; state <= static_cast<int>(TaskState::Unknown); ++state) {
        const auto value = static_cast<TaskState>(state);
        CHECK(parse_task_state(to_string(value)) == value);
        terminal += is_terminal(value) ? 1 : 0;
    }
    CHECK(terminal == 7);
    CHECK_FALSE(parse_task_state("TASK_LOST"));
    CHECK(to_string(Reason::HealthCheckFailed) == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED");
}

TEST_CASE("container names are legal and keep what is unique") {
    CHECK(container_name_of(TaskName("a/b.c:d")) == "methos-a_b.c_d");
    const auto name = container_name_of(TaskName(std::string(500, 'x') + "-unique"));
    CHECK(name.size() == 200);
    CHECK(name.rfind("methos-", 0) == 0);
    CHECK(name.substr(name.size() - 7) == "-unique");
}

TEST_CASE("a spec's hash tells every difference but number and version") {
    TaskSpec spec;
    spec.image = "a";
    const auto plain = hash_of(spec);
    auto renamed = spec;
    renamed.number = SpecNumber(9);
    renamed.version = "later";
    CHECK(hash_of(renamed) == plain);
    const std::vector<std::function<void(TaskSpec&)>> changes = {
        [](TaskSpec& s) { s.image = "b"; },
        [](TaskSpec& s) { s.app = "a"; },
        [](TaskSpec& s) { s.args = {""}; },
        [](TaskSpec& s) { s.env["A"] = ""; },
        [](TaskSpec& s) { s.labels["A"] = ""; },
        [](TaskSpec& s) { s.privileged = true; },
        [](TaskSpec& s) { s.force_pull = true; },
        [](TaskSpec& s) { s.network = NetworkMode::Bridge; },
        [](TaskSpec& s) { s.ports.emplace_back(); },
        [](TaskSpec& s) { s.volumes.emplace_back(); },
        [](TaskSpec& s) { s.docker_parameters.emplace_back("", ""); },
        [](TaskSpec& s) { s.user = "u"; },
        [](TaskSpec& s) { s.resources.gpus = 1; },
        [](TaskSpec& s) { s.kill_grace = std::chrono::seconds(1); },
        [](TaskSpec& s) { s.health_checks.emplace_back(); },
        [](TaskSpec& s) { s.fetch.emplace_back(); },
        [](TaskSpec& s) {
            s.fetch = {{"u", "", false, false, false}};
        },
        [](TaskSpec& s) {
            s.fetch = {{"u", "", false, true, false}};
        },
        [](TaskSpec& s) {
            s.fetch = {{"", "u", false, false, false}};
        },
    };
    for (std::size_t at = 0; at < changes.size(); ++at) {
        auto changed = spec;
        changes[at](changed);
        INFO("change " << at);
        CHECK(hash_of(changed) != plain);
    }
}
